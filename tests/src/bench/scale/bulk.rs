//! Applies a folder with a thousand objects at once.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::line::Line;
use super::objects::{Route, entry, host};
use super::poll::{appears, until};
use super::stand::Stand;

/// The number of VirtualServices, and of their services.
const ROUTES: usize = 500;
/// The number of their hosts.
const HOSTS: usize = 20;
/// Time for publications after the last one is served.
const AFTER: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct Bulk {
    /// From writing the first until the last is served.
    pub(super) took: Duration,
    /// Until all were written.
    pub(super) written: Duration,
    /// What was published meanwhile.
    pub(super) publications: u64,
    /// Answers other than 404, then 200.
    pub(super) wrong: usize,
}

/// Writes them, and waits until every one is served.
pub(super) async fn bulk(stand: &Stand) -> Result<Bulk> {
    let hosts = HOSTS.min(stand.size.hosts);
    let before = stand.machine.publications().await?;
    let routes: Vec<Route> = (0..ROUTES)
        .map(|at| Route::new(&format!("bulk-{at}"), at % hosts))
        .collect();
    let mut lines: Vec<Line> = (0..hosts)
        .map(|at| Line::new(stand.machine.https, &host(at), Some(stand.tls.clone())))
        .collect();
    for (line, route) in lines.iter_mut().zip(&routes) {
        line.get(&route.path()).await?;
    }
    let units = units(stand, &routes);
    let start = Instant::now();
    let mut took = Duration::ZERO;
    let mut wrong = 0;
    stand.place.create_all(units).await?;
    let written = start.elapsed();
    // The last one first: when it is served, most others are too, and one look at each is enough.
    for (at, route) in routes.iter().enumerate().rev() {
        let line = lines.get_mut(at % hosts).context("a host without a line")?;
        let path = route.path();
        let is_served = line.get(&path).await.is_ok_and(|answer| answer.status == 200);
        if !is_served || took.is_zero() {
            let seen = until(line, &path, start, appears).await?;
            took = took.max(seen.took);
            wrong += seen.wrong;
        }
    }
    tokio::time::sleep(AFTER).await;
    Ok(Bulk {
        took,
        written,
        publications: stand.machine.publications().await? - before,
        wrong,
    })
}

/// The services first, as a careful operator would write them.
fn units(stand: &Stand, routes: &[Route]) -> Vec<(String, Value)> {
    let service = |route: &Route| {
        let object = entry(&route.name, stand.upstreams.port(0));
        (format!("{}-service", route.name), object)
    };
    let services = routes.iter().map(service);
    let routes = routes.iter().map(|route| (route.name.clone(), route.object("0")));
    services.chain(routes).collect()
}
