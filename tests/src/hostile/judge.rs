//! Whether the platform is unharmed: every host answers from the right upstream, with its own certificate, tells the right
//! identity, and is closed to whom it does not know.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::pools::FORGED;
use super::stage::{Edition, Stage};
use crate::client::{Answer, Connection, Tls, fetch_plain};
use crate::eventually;

/// After so long without it, a change of the platform's will not arrive.
const GIVEN_UP: Duration = Duration::from_secs(10);
/// What every request sends along: the first is the platform's own, the others are forged.
const SENT: [(&str, &str); 5] = [
    ("x-keep-me", "kept"),
    ("x-amz-content-sha256", "kept"),
    ("x-client-cert-verified", "true"),
    ("x-client-cert-subject", "CN=forged"),
    ("x-forwarded-client-cert", "Subject=\"CN=forged\""),
];
/// Every name by which a client's certificate is told.
const TOLD: [&str; 3] = ["x-client-cert-", "x-forwarded-client-cert", "client-cert"];

/// The identity that the upstream must be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// No identity: no header describes a certificate.
    Nobody,
    /// For Alice, verified.
    Alice,
}

/// Waits until this edition is served, with and without TLS: these are two hosts to the gateway. Gives how long it took. In
/// the meantime the one before is served.
///
/// # Errors
/// Something else was, or it does not arrive.
pub(super) async fn arrives(stage: &Stage, before: Edition, now: Edition) -> Result<Duration> {
    let start = Instant::now();
    for is_secure in [false, true] {
        let mut connection = None;
        while !has_arrived(stage, is_secure, &mut connection, [before, now])
            .await
            .with_context(|| format!("a change is on its way, TLS: {is_secure}"))?
        {
            ensure!(
                start.elapsed() < GIVEN_UP,
                "a change of the platform's has not arrived after {GIVEN_UP:?}"
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    Ok(start.elapsed())
}

async fn has_arrived(
    stage: &Stage,
    is_secure: bool,
    kept: &mut Option<Connection>,
    [before, now]: [Edition; 2],
) -> Result<bool> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None if is_secure => open(stage, "shop.test", &stage.clients.nobody, &stage.shop.der).await?,
        None => Connection::open_plain(stage.site.http).await?,
    };
    let Some(answer) = connection.get_with("shop.test", "/", &SENT).await? else {
        return Ok(false);
    };
    if !connection.is_over() {
        *kept = Some(connection);
    }
    let is_now = is_from(now.web(), &answer, Known::Nobody);
    if is_from(before.web(), &answer, Known::Nobody).is_err() {
        is_now.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?;
    }
    let step = answer
        .headers
        .get("x-step")
        .and_then(|step| step.to_str().ok()?.parse().ok());
    Ok(step == Some(now.0) && is_now.is_ok())
}

/// Waits until the new certificates and the new authority are served; gives how long it took.
///
/// # Errors
/// They do not arrive.
pub(super) async fn rotated(stage: &Stage, edition: Edition) -> Result<Duration> {
    let start = Instant::now();
    let fresh = stage.fresh();
    let arrival = eventually("the platform's rotation arrives", GIVEN_UP, || async {
        let (shop, bank) = (&stage.clients.nobody, &stage.clients.alice);
        open(stage, "shop.test", shop, &stage.shop.der)
            .await
            .context("shop.test")?;
        let mut new = open(stage, &fresh, shop, &stage.shop.der)
            .await
            .context("a new host")?;
        is_from(edition.web(), &ask(&mut new, &fresh, "/").await?, Known::Nobody).context("a new host")?;
        let mut open = open(stage, "bank.test", bank, &stage.bank.der).await?;
        is_from("bank", &ask(&mut open, "bank.test", "/").await?, Known::Alice)
    });
    arrival.await?;
    Ok(start.elapsed())
}

/// Whether both processes are well, and the agent's log is its own.
///
/// # Errors
/// What is wrong.
pub(super) async fn alive(stage: &Stage) -> Result<()> {
    let site = &stage.site;
    let ready = fetch_plain(site.admin, "localhost", "/readyz")
        .await
        .context("the agent")?;
    ensure!(ready.status == 200, "the agent is not ready: {}", ready.body);
    site.envoy_page("/ready").await.context("Envoy")?;
    let log = std::fs::read_to_string(site.agent_log())?;
    let odd = log.lines().find(|line| is_odd(line));
    ensure!(odd.is_none(), "the agent's log: {odd:?}");
    Ok(())
}

/// A panic, or a line that the agent has not begun.
fn is_odd(line: &str) -> bool {
    line.contains("panicked at") || line.starts_with(FORGED)
}

/// Looks at every host of the platform.
///
/// # Errors
/// What is not as it should be.
pub(super) async fn unharmed(stage: &Stage, edition: Edition) -> Result<()> {
    let (shop, bank, wild, strangers) =
        tokio::join!(shop(stage, edition), bank(stage), wild(stage), strangers(stage));
    shop.context("shop.test")?;
    bank.context("bank.test")?;
    wild.context("wild.test")?;
    strangers.context("bank.test")
}

async fn shop(stage: &Stage, edition: Edition) -> Result<()> {
    let mut plain = Connection::open_plain(stage.site.http).await.context("plain")?;
    is_from(
        edition.web(),
        &ask(&mut plain, "shop.test", "/login").await?,
        Known::Nobody,
    )
    .context("plain")?;
    is_from("docs", &ask(&mut plain, "docs.test", "/").await?, Known::Nobody).context("docs.test")?;
    let mut open = open(stage, "shop.test", &stage.clients.nobody, &stage.shop.der).await?;
    is_from(
        edition.web(),
        &ask(&mut open, "shop.test", "/login").await?,
        Known::Nobody,
    )?;
    is_misdirected(&ask(&mut open, "bank.test", "/").await?)
}

async fn bank(stage: &Stage) -> Result<()> {
    let mut open = open(stage, "bank.test", &stage.clients.alice, &stage.bank.der).await?;
    is_from("bank", &ask(&mut open, "bank.test", "/").await?, Known::Alice)?;
    is_from(
        "audit",
        &ask(&mut open, "bank.test", "/audit").await?,
        Known::Alice,
    )?;
    is_misdirected(&ask(&mut open, "shop.test", "/").await?)
}

async fn wild(stage: &Stage) -> Result<()> {
    for host in ["named.wild.test", "any.wild.test"] {
        let mut open = open(stage, host, &stage.clients.nobody, &stage.wild.der)
            .await
            .context(host)?;
        is_from("wild", &ask(&mut open, host, "/").await?, Known::Nobody).context(host)?;
    }
    Ok(())
}

/// Clients without a certificate from the bank's CA get no answer. In TLS 1.3, they notice after the handshake.
async fn strangers(stage: &Stage) -> Result<()> {
    let clients = &stage.clients;
    for tls in [&clients.nobody, &clients.mallory, &clients.former] {
        let Ok(mut open) = Connection::open_as(stage.site.https, Some(b"bank.test"), tls).await else {
            continue;
        };
        if let Ok(Some(answer)) = open.get_with("bank.test", "/", &SENT).await {
            bail!("a stranger is answered: {}", short(&answer));
        }
    }
    Ok(())
}

async fn open(stage: &Stage, sni: &str, tls: &Tls, leaf: &[u8]) -> Result<Connection> {
    let open = Connection::open_as(stage.site.https, Some(sni.as_bytes()), tls).await?;
    ensure!(open.leaf == leaf, "another certificate is shown");
    Ok(open)
}

async fn ask(open: &mut Connection, host: &str, path: &str) -> Result<Answer> {
    let answer = open
        .get_with(host, path, &SENT)
        .await
        .with_context(|| format!("{host}{path}"))?;
    answer.with_context(|| format!("{host}{path}: the connection ended before the request"))
}

fn short(answer: &Answer) -> String {
    format!("{} {:.600}", answer.status, answer.body)
}

fn is_misdirected(answer: &Answer) -> Result<()> {
    ensure!(
        answer.status == 421,
        "another's host on this connection: {}",
        short(answer)
    );
    Ok(())
}

/// Whether an answer is this upstream's, to a request that tells of the client what is so, and has what it sent.
pub(super) fn is_from(upstream: &str, answer: &Answer, known: Known) -> Result<()> {
    ensure!(
        answer.status == 200 && answer.body.lines().next() == Some(upstream),
        "{upstream} was to answer: {}",
        short(answer)
    );
    let lines = answer.body.lines().filter_map(|line| line.split_once(": "));
    let headers: Vec<_> = lines
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let has = |name: &str, value: &str| {
        headers
            .iter()
            .filter(|(own, _)| own == name)
            .eq([&(name.to_owned(), value)])
    };
    for (name, value) in SENT.iter().take(2) {
        ensure!(has(name, value), "{name} is gone: {}", short(answer));
    }
    match known {
        Known::Nobody => {
            let told = headers
                .iter()
                .find(|(name, _)| TOLD.iter().any(|start| name.starts_with(start)));
            ensure!(told.is_none(), "{told:?} is told of nobody");
        }
        Known::Alice => {
            let expected = [
                ("x-client-cert-verified", "true"),
                ("x-client-cert-subject", "CN=client"),
                ("x-client-cert-uri-san", "spiffe://test/alice"),
            ];
            for (name, value) in expected {
                ensure!(has(name, value), "{name} is not {value}: {}", short(answer));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Answer {
        Answer {
            status: 200,
            body: body.to_owned(),
            headers: http::HeaderMap::new(),
        }
    }

    const PLAIN: &str = "web\nGET / HTTP/1.1\r\nx-keep-me: kept\r\nx-amz-content-sha256: kept\r\n\r\n";

    #[test]
    fn another_upstream_is_not_the_right_one() {
        is_from("web", &answer(PLAIN), Known::Nobody).unwrap();
        is_from("web-too", &answer(PLAIN), Known::Nobody).unwrap_err();
        is_from("web", &answer(&PLAIN.replace("web\n", "stolen\n")), Known::Nobody).unwrap_err();
        let unavailable = Answer {
            status: 503,
            ..answer(PLAIN)
        };
        is_from("web", &unavailable, Known::Nobody).unwrap_err();
    }

    #[test]
    fn a_header_that_is_lost_or_forged_is_seen() {
        is_from(
            "web",
            &answer(&PLAIN.replace("x-keep-me: kept\r\n", "")),
            Known::Nobody,
        )
        .unwrap_err();
        let forged = PLAIN.replace("\r\n\r\n", "\r\nX-Client-Cert-Verified: true\r\n\r\n");
        is_from("web", &answer(&forged), Known::Nobody).unwrap_err();
        is_from("web", &answer(&forged), Known::Alice).unwrap_err();
    }

    #[test]
    fn alice_is_told_once_and_whole() {
        let told = "\r\nx-client-cert-verified: true\r\nx-client-cert-subject: CN=client\r\nx-client-cert-uri-san: spiffe://test/alice\r\n\r\n";
        let body = PLAIN.replace("\r\n\r\n", told);
        is_from("web", &answer(&body), Known::Alice).unwrap();
        is_from(
            "web",
            &answer(&body.replace("CN=client", "CN=forged")),
            Known::Alice,
        )
        .unwrap_err();
        let twice = body.replace("\r\n\r\n", "\r\nx-client-cert-verified: true\r\n\r\n");
        is_from("web", &answer(&twice), Known::Alice).unwrap_err();
    }

    #[test]
    fn only_421_is_misdirected() {
        is_misdirected(&Answer {
            status: 421,
            ..answer("")
        })
        .unwrap();
        is_misdirected(&answer(PLAIN)).unwrap_err();
    }
}
