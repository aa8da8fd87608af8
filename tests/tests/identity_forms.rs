//! The forms in which upstreams are told, as chosen by the annotation: RFC 9440, forwarded elements, other names, and
//! unverified certificates.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use sealgate_tests::client::{Connection, Version};
use sealgate_tests::clients::{Clients, SeenRequest, ask_for, client};
use sealgate_tests::eventually;
use sealgate_tests::handmade::{Content, Handmade, common_name};
use sealgate_tests::raw::RawRequest;

const BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];
const HOST: &str = "mutual.example";

fn field(one: &Handmade) -> String {
    format!(":{}:", STANDARD.encode(&one.der))
}

/// Nine authorities below the root, each signed by the one before.
fn authorities(root: &Handmade) -> Result<Vec<Handmade>> {
    let mut chain: Vec<Handmade> = Vec::new();
    for at in 0..9 {
        let content = Content {
            subject: common_name(&format!("authority {at}")),
            is_authority: true,
            ..Content::default()
        };
        chain.push(chain.last().unwrap_or(root).signs(&content)?);
    }
    Ok(chain)
}

fn is_chain(seen: &SeenRequest, shown: &[&Handmade]) -> Result<()> {
    let (leaf, others) = shown.split_first().context("nothing was shown")?;
    ensure!(
        seen.get("client-cert") == Some(&field(leaf)),
        "{:?}",
        seen.headers
    );
    let others: Vec<String> = others.iter().map(|one| field(one)).collect();
    let expected = (!others.is_empty()).then(|| others.join(", "));
    ensure!(
        seen.get("client-cert-chain") == expected.as_deref(),
        "{:?}",
        seen.headers
    );
    ensure!(
        seen.get("x-forwarded-client-cert").is_none(),
        "{:?}",
        seen.headers
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_of_ten_arrives_as_it_was_presented() -> Result<()> {
    let clients = Clients::start("{clientCert: chain, xfcc: off}").await?;
    let authorities = authorities(&clients.root)?;
    let leaf = authorities
        .last()
        .context("no authority")?
        .signs(&Content::default())?;
    let chain: Vec<&Handmade> = [&leaf].into_iter().chain(authorities.iter().rev()).collect();
    let direct = clients.root.signs(&Content::default())?;
    for protocol in BOTH {
        let tls = client(&chain, Version::H2, &[protocol], true)?;
        clients.ready(HOST, &tls).await?;
        for _ in 0..3 {
            is_chain(&clients.ask(&tls, HOST, HOST).await?, &chain)?;
        }
        // The same leaf behind another chain is another connection.
        let longer: Vec<&Handmade> = chain.iter().copied().chain([&clients.root]).collect();
        let tls = client(&longer, Version::H1, &[protocol], false)?;
        is_chain(&clients.ask(&tls, HOST, HOST).await?, &longer)?;
        let tls = client(&[&direct], Version::H1, &[protocol], false)?;
        is_chain(&clients.ask(&tls, HOST, HOST).await?, &[&direct])?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_varies_by_the_certificate_is_for_no_cache() -> Result<()> {
    let clients = Clients::start("{clientCert: leaf}").await?;
    let leaf = clients.root.signs(&Content::default())?;
    for version in [Version::H1, Version::H2] {
        let tls = client(&[&leaf], version, &BOTH, false)?;
        let seen = clients.ready(HOST, &tls).await?;
        ensure!(
            seen.get("client-cert") == Some(&field(&leaf)),
            "{:?}",
            seen.headers
        );
        let mut connection = Connection::open(clients.site.https, HOST, &tls).await?;
        for (path, expected) in [("/varies", "*"), ("/", "accept")] {
            let seen = ask_for(&mut connection, HOST, path).await?;
            let vary = seen.response.get_all("vary").into_iter().collect::<Vec<_>>();
            ensure!(vary == [expected], "{path}: {vary:?}");
            let told = |name: &str| name.contains("client-cert") || name.starts_with("x-tls");
            let leaked = seen.response.keys().find(|name| told(name.as_str()));
            ensure!(leaked.is_none(), "told the client: {leaked:?}");
        }
    }
    Ok(())
}

/// A request with a client's own elements, as a proxy in front would send it.
fn forwarding(host: &str) -> RawRequest {
    let mut request = RawRequest::get(host, "/");
    request.headers = ["x-forwarded-client-cert", "x_forwarded_client_cert"]
        .map(|name| (name.as_bytes().to_vec(), b"Hash=\"before\"".to_vec()))
        .into();
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn elements_are_forwarded_for_those_who_are_verified() -> Result<()> {
    let clients = Clients::start("{xfcc: appendForward, headers: [sha256]}").await?;
    let leaf = clients.root.signs(&Content::default())?;
    let with = client(&[&leaf], Version::H1, &BOTH, false)?;
    let without = client(&[], Version::H1, &BOTH, false)?;
    let seen = clients.ready(HOST, &with).await?;
    let element = format!(
        r#"Hash="{}";Subject="CN=client""#,
        seen.get("x-client-cert-sha256").context("no fingerprint")?
    );
    ensure!(
        seen.get("x-forwarded-client-cert") == Some(&element),
        "{:?}",
        seen.headers
    );
    clients.ready("optional.example", &without).await?;
    let both = format!(r#"x-forwarded-client-cert: Hash="before",{element}"#);
    for (tls, host, expected) in [
        (Some(&with), HOST, Some(both.as_str())),
        (Some(&without), "optional.example", None),
        (Some(&with), "simple.example", None),
        (None, "plain.example", None),
    ] {
        let port = if tls.is_some() {
            clients.site.https
        } else {
            clients.site.http
        };
        let answer = forwarding(host).send_as(port, tls, host, Version::H1).await?;
        ensure!(answer.status == Some(200), "{host}: {answer:?}");
        let own: Vec<&str> = answer
            .body
            .lines()
            .filter(|line| line.replace('_', "-").starts_with("x-forwarded-client-cert"))
            .collect();
        ensure!(own == Vec::from_iter(expected), "{host}: {own:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prefix_of_ones_own_is_guarded_everywhere() -> Result<()> {
    let clients =
        Clients::start("{prefix: x-peer-client-cert-, headers: [verified, subject], xfcc: off}").await?;
    let leaf = clients.root.signs(&Content::default())?;
    let tls = client(&[&leaf], Version::H1, &BOTH, false)?;
    let seen = clients.ready(HOST, &tls).await?;
    ensure!(
        seen.get("x-peer-client-cert-subject") == Some("CN=client"),
        "{:?}",
        seen.headers
    );
    for (tls, host, verified) in [
        (Some(&tls), HOST, "true"),
        (Some(&tls), "simple.example", "none"),
        (None, "plain.example", "none"),
    ] {
        let port = if tls.is_some() {
            clients.site.https
        } else {
            clients.site.http
        };
        let mut request = RawRequest::get(host, "/");
        let forged = [
            "x-peer-client-cert-verified",
            "x_peer_client_cert_verified",
            "X-Peer-Client_Cert-Subject",
            "x-peer-client-cert-uri-san",
            "x-client-cert-verified",
        ];
        request.headers = forged.map(|name| (name.into(), b"forged".to_vec())).into();
        let answer = request.send_as(port, tls, host, Version::H1).await?;
        ensure!(answer.status == Some(200), "{host}: {answer:?}");
        ensure!(!answer.body.contains("forged"), "{host}: {}", answer.body);
        let expected = format!("x-peer-client-cert-verified: {verified}");
        ensure!(
            answer.body.lines().any(|line| line == expected),
            "{host}: {}",
            answer.body
        );
    }
    Ok(())
}

/// Presented is not verified: on a listener that takes what nobody could verify, the same certificate is shown as what
/// it is, whatever was made of it before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_nobody_verified_says_so() -> Result<()> {
    let clients = Clients::start("").await?;
    let stranger = Handmade::root("stranger")?.signs(&Content::default())?;
    let leaf = clients.root.signs(&Content::default())?;
    let trusted = client(&[&leaf], Version::H1, &BOTH, false)?;
    clients.ready(HOST, &trusted).await?;
    let stranger = client(&[&stranger], Version::H1, &BOTH, false)?;
    for _ in 0..2 {
        for (tls, verified, xfcc) in [(&trusted, "true", true), (&stranger, "false", false)] {
            let seen = clients.ask_at(clients.unchecked, tls, HOST, HOST).await?;
            ensure!(
                seen.get("x-client-cert-verified") == Some(verified),
                "{:?}",
                seen.headers
            );
            ensure!(
                seen.get("x-client-cert-subject") == Some("CN=client"),
                "{:?}",
                seen.headers
            );
            ensure!(
                seen.get("x-forwarded-client-cert").is_some() == xfcc,
                "{:?}",
                seen.headers
            );
        }
    }
    let refused = clients.ask(&stranger, HOST, HOST).await;
    ensure!(refused.is_err(), "{refused:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_counted() -> Result<()> {
    let clients = Clients::start("{clientCert: leaf}").await?;
    let content = Content {
        subject: common_name(&"a".repeat(10_000)),
        ..Content::default()
    };
    let leaf = clients.root.signs(&content)?;
    let tls = client(&[&leaf], Version::H1, &BOTH, false)?;
    let seen = clients.ready(HOST, &tls).await?;
    ensure!(seen.get("client-cert").is_none(), "half of it cannot fit");
    ensure!(
        seen.get("x-client-cert-subject")
            .is_some_and(|subject| subject.len() == 10_003)
    );
    clients.ask(&tls, HOST, HOST).await?;
    let stats = clients.site.envoy_page("/stats?filter=identity_left_out").await?;
    ensure!(stats.trim_end().ends_with(": 2"), "{stats:?}");
    eventually("it is said once", Duration::from_secs(20), || async {
        let log = std::fs::read_to_string(clients.site.envoy_log())?;
        let said = log.lines().filter(|line| line.contains("client-cert")).count();
        ensure!(said == 1, "said {said} times");
        Ok(())
    })
    .await
}
