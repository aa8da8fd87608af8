//! A hostile client: odd server names, hosts and methods, by which it must reach nothing that it may not.

use anyhow::{Result, bail};
use fastrand::Rng;

use super::chance::{once_in, pick};
use super::stage::Stage;
use crate::client::{Connection, Tls};
use crate::raw::RawRequest;

const SNIS: &[&str] = &[
    "bank.test",
    "bank.test.",
    "BANK.test",
    "bank.test..",
    "shop.test",
    "shop.test.",
    "evil.test",
    "evil.test.",
    "nobody",
    "*",
    "*.test",
    ".",
    "",
    "bank.test\u{0}",
    "a.bank.test",
    "any.wild.test",
    "127.0.0.1",
    "é",
];
/// All of them are the bank's.
const BANKS: &[&str] = &[
    "bank.test",
    "bank.test.",
    "BANK.TEST",
    "bank.test:443",
    "bank.test.:443",
    "Bank.Test:1",
];
/// All of them are other hosts of the platform's.
const OTHERS: &[&str] = &[
    "shop.test",
    "shop.test.",
    "SHOP.test:80",
    "docs.test.",
    "docs.test:8080",
];
const METHODS: &[&str] = &["GET", "GET", "POST", "OPTIONS", "BREW", "CONNECT", "TRACE", "get"];
const PATHS: &[&str] = &[
    "/",
    "/audit",
    "/login",
    "/../audit",
    "//audit",
    "*",
    "/%2e%2e/",
    "http://bank.test/",
];

/// Sends some requests.
///
/// # Errors
/// One reached what it may not.
pub(super) async fn ask(rng: &mut Rng, stage: &Stage) -> Result<()> {
    plain(rng, stage).await?;
    secure(rng, stage).await
}

/// By plain HTTP, with any method: another's host never leads to the attacker, and never to the bank.
async fn plain(rng: &mut Rng, stage: &Stage) -> Result<()> {
    let mut request = RawRequest::get(pick(rng, OTHERS), pick(rng, PATHS));
    request.method = pick(rng, METHODS).into();
    // The path of a proxy's request names the host.
    let leads_elsewhere = request.target.starts_with(b"http:");
    let answer = request
        .send(stage.site.http, None, crate::client::Version::H1)
        .await?;
    let place = format!("{request:?} by plain HTTP");
    if leads_elsewhere {
        Ok(())
    } else {
        is_not_from(&["stolen", "bank", "audit"], &answer.body, &place)
    }
}

/// Without a certificate, or with one that the bank does not know.
async fn secure(rng: &mut Rng, stage: &Stage) -> Result<()> {
    let sni = (!once_in(rng, 8)).then(|| pick(rng, SNIS));
    let is_mallory = rng.bool();
    let tls: &Tls = if is_mallory {
        &stage.clients.mallory
    } else {
        &stage.clients.nobody
    };
    let (host, path) = (pick(rng, BANKS), pick(rng, &PATHS[..4]));
    let Ok(mut open) = Connection::open_as(stage.site.https, sni.map(str::as_bytes), tls).await else {
        return Ok(());
    };
    // A client may be rejected after the handshake.
    let Ok(Some(answer)) = open.get(host, path).await else {
        return Ok(());
    };
    let place = format!("{host}{path} by {sni:?} of a client with a foreign certificate: {is_mallory}");
    is_not_from(&["stolen", "bank", "audit"], &answer.body, &place)
}

fn is_not_from(upstreams: &[&str], body: &str, place: &str) -> Result<()> {
    match body.lines().next() {
        Some(first) if upstreams.contains(&first) => bail!("{place} is answered by {body:.400}"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_request_reached_is_the_first_line() {
        is_not_from(&["stolen"], "web\nhost: stolen", "").unwrap();
        is_not_from(&["stolen"], "", "").unwrap();
        is_not_from(&["stolen"], "stolen\nGET /", "").unwrap_err();
    }
}
