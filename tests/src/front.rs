//! Requests of clients to a gateway, however it is configured.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::client::{Answer, Connection, Tls, Version};
use crate::eventually;
use crate::kube::Objects;
use crate::load::Load;
use crate::pki::{Authority, Leaf};

/// Control planes collect changes for a while, and a machine that builds has little time.
pub const SOON: Duration = Duration::from_secs(30);

/// What no client may say, in spellings that upstreams take for the same.
pub const FORGED: &[(&str, &str)] = &[
    ("x-client-cert-verified", "forged"),
    ("X_Client_Cert_Subject", "CN=forged"),
    ("x-client-cert-subject", "CN=forged"),
    ("x-forwarded-client-cert", "Subject=\"CN=forged\""),
    ("client-cert", ":Zm9yZ2Vk:"),
    ("x-sealgate-cluster", "outbound|80||other.local"),
];
/// What reaches an upstream of a forged request, in lower case, if it does.
const TRACES: [&str; 3] = ["forged", "zm9yz2vk", "x-sealgate-"];

/// Where a gateway listens, and its clients.
#[derive(Debug)]
pub struct Front {
    /// With TLS.
    pub https: u16,
    /// Without.
    pub http: u16,
    /// Who issues certificates, of servers and clients.
    pub authority: Authority,
    /// A client without a certificate.
    pub anybody: Tls,
}

impl Front {
    /// With an authority of its own.
    ///
    /// # Errors
    /// None can be made.
    pub fn new(https: u16, http: u16) -> Result<Self> {
        Ok(Self {
            https,
            http,
            authority: Authority::new("CA")?,
            anybody: Tls::new(Version::H1, None)?,
        })
    }

    /// Waits until a new handshake for the host shows this one.
    ///
    /// # Errors
    /// It does not.
    pub async fn shown(&self, host: &str, leaf: &Leaf) -> Result<()> {
        let attempt = || async {
            let open = Connection::open(self.https, host, &self.anybody).await?;
            ensure!(open.leaf == leaf.der, "another certificate is shown");
            Ok(())
        };
        eventually(&format!("{host} shows serial {}", leaf.serial), SOON, attempt).await
    }

    /// Puts another certificate into the Secret under load, and waits until every host shows it.
    ///
    /// # Errors
    /// One does not.
    pub async fn rotate(&self, objects: &Objects, secret: &str, hosts: &[&str], load: &Load) -> Result<()> {
        let next = self.authority.leaf(&["*.aliyun.com"])?;
        load.allow(&next);
        objects.put(&next.secret(secret)).await?;
        for host in hosts {
            self.shown(host, &next).await?;
        }
        load.only(&next);
        Ok(())
    }

    /// One request on a connection of its own, over TLS if there is how.
    ///
    /// # Errors
    /// It is not answered.
    pub async fn ask(
        &self,
        tls: Option<&Tls>,
        (host, path): (&str, &str),
        headers: &[(&str, &str)],
    ) -> Result<Answer> {
        let mut open = match tls {
            Some(tls) => Connection::open(self.https, host, tls).await?,
            None => Connection::open_plain(self.http).await?,
        };
        let answer = open.get_with(host, path, headers).await?;
        answer.context("the connection ended before the request")
    }

    /// Waits until it is answered with this status, by this upstream.
    ///
    /// # Errors
    /// It is not.
    pub async fn answered(
        &self,
        tls: Option<&Tls>,
        (host, path): (&str, &str),
        (status, begin): (u16, &str),
    ) -> Result<Answer> {
        let attempt = || async {
            let answer = self.ask(tls, (host, path), &[]).await?;
            let right = answer.status == status && answer.body.starts_with(begin);
            ensure!(right, "{} {}", answer.status, answer.body);
            Ok(answer)
        };
        eventually(&format!("{host}{path} is answered with {status}"), SOON, attempt).await
    }

    /// The upstream is told about a client with a verified certificate, and does not get headers that the client
    /// forged.
    ///
    /// # Errors
    /// What is not so.
    pub async fn identity(&self, host: &str, upstream: &str) -> Result<()> {
        let leaf = self.authority.leaf(&["client"])?;
        let known = Tls::new(Version::H1, Some(&leaf))?;
        let seen = self.ask(Some(&known), (host, "/"), FORGED).await?;
        let begin = format!("{upstream}\n");
        ensure!(seen.status == 200 && seen.body.starts_with(&begin), "{seen:?}");
        for wanted in [
            "x-client-cert-verified: true\r\n".to_owned(),
            "x-client-cert-subject: CN=client\r\n".to_owned(),
            format!("x-client-cert-serial: {}\r\n", leaf.serial),
            format!("x-tls-sni: {host}\r\n"),
        ] {
            ensure!(seen.body.contains(&wanted), "no {wanted} in {}", seen.body);
        }
        untouched(&seen.body)
    }
}

/// Ends a load after some rotations, none of which may have disturbed it.
///
/// # Errors
/// Something failed, or the load was none.
pub async fn rotated(load: Load, rotations: usize) -> Result<()> {
    let totals = load.stop().await;
    totals.check()?;
    say(&format!(
        "{rotations} rotations: {} requests and {} handshakes, {} failed",
        totals.requests, totals.handshakes, totals.failed
    ));
    Ok(())
}

/// Prints a figure.
#[expect(
    clippy::print_stderr,
    reason = "what was seen is the result as much as that it was right"
)]
pub fn say(figures: &str) {
    eprintln!("{figures}");
}

/// Nothing of a forged request is in what an upstream got.
///
/// # Errors
/// Something is.
pub fn untouched(head: &str) -> Result<()> {
    let head = head.to_ascii_lowercase();
    for trace in TRACES {
        ensure!(!head.contains(trace), "{trace} reaches the upstream: {head}");
    }
    Ok(())
}
