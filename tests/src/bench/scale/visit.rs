//! Every host is visited once.

use anyhow::{Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::objects::{host, name, path};
use super::stand::Stand;
use crate::client::Connection;
use crate::pki::Leaf;

/// Visitors at a time.
const AT_ONCE: usize = 8;

/// Visits all of them: the certificate must be the host's, and the answer right.
pub(super) async fn visit_all(stand: &Stand) -> Result<()> {
    let visits = stand.leaves.iter().enumerate();
    stream::iter(visits.map(|(at, leaf)| visit(stand, at, leaf)))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn visit(stand: &Stand, at: usize, leaf: &Leaf) -> Result<()> {
    let host = host(at);
    let mut open = Connection::open(stand.machine.https, &host, &stand.tls).await?;
    ensure!(open.leaf == leaf.der, "{host}: another certificate");
    let answer = open.get(&host, &path(&name(at))).await?;
    let status = answer.map(|answer| answer.status);
    ensure!(status == Some(200), "{host}: {status:?}");
    Ok(())
}
