//! Upstreams know who the client is: through the real Envoy, for every TLS mode, both HTTP versions, and resumed
//! sessions.

use anyhow::{Context as _, Result, ensure};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use sealgate_tests::client::{Connection, Tls, Version};
use sealgate_tests::clients::{Clients, SeenRequest, ask_on, client};
use sealgate_tests::handmade::{Content, Handmade};

const BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

fn alice(root: &Handmade) -> Result<Handmade> {
    root.signs(&Content {
        sans: vec![
            (6, b"spiffe://example/alice".to_vec()),
            (2, b"alice.example".to_vec()),
        ],
        ..Content::default()
    })
}

/// What nobody could mistake.
fn told(seen: &SeenRequest) -> Vec<(&str, &str)> {
    let names = [
        "x-client-cert",
        "x-forwarded-client-cert",
        "client-cert",
        "x-tls-",
    ];
    let is_told = |name: &str| names.iter().any(|start| name.starts_with(start));
    seen.headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| is_told(name))
        .collect()
}

fn is_alice(seen: &SeenRequest) -> Result<()> {
    for (name, value) in [
        ("x-client-cert-verified", "true"),
        ("x-client-cert-subject", "CN=client"),
        ("x-client-cert-issuer", "CN=client root"),
        ("x-client-cert-serial", "11"),
        ("x-client-cert-not-after", "2049-12-31T23:59:59Z"),
        ("x-client-cert-uri-san", "spiffe://example/alice"),
        ("x-client-cert-dns-san", "alice.example"),
    ] {
        ensure!(seen.get(name) == Some(value), "{name}: {:?}", told(seen));
    }
    let sha256 = seen.get("x-client-cert-sha256").context("no fingerprint")?;
    let xfcc =
        format!(r#"Hash="{sha256}";Subject="CN=client";URI="spiffe://example/alice";DNS="alice.example""#);
    ensure!(
        seen.get("x-forwarded-client-cert") == Some(&xfcc),
        "{:?}",
        told(seen)
    );
    Ok(())
}

fn nobody(version: Version) -> Result<Tls> {
    client(&[], version, &BOTH, false)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mode_tells_what_it_knows() -> Result<()> {
    let clients = Clients::start("").await?;
    let alice = alice(&clients.root)?;
    for version in [Version::H1, Version::H2] {
        let with = client(&[&alice], version, &BOTH, false)?;
        let without = nobody(version)?;
        for host in ["mutual.example", "optional.example"] {
            let seen = clients.ready(host, &with).await?;
            is_alice(&seen).with_context(|| format!("{version:?} {host}"))?;
            ensure!(seen.get("x-tls-sni") == Some(host), "{:?}", told(&seen));
            ensure!(seen.get("x-tls-version") == Some("TLSv1.3"), "{:?}", told(&seen));
        }
        let seen = clients.ready("optional.example", &without).await?;
        ensure!(
            seen.get("x-client-cert-verified") == Some("none"),
            "{:?}",
            told(&seen)
        );
        ensure!(told(&seen).len() == 4, "{:?}", told(&seen));
        // A host that asks for no certificate has nothing to tell.
        let seen = clients.ready("simple.example", &with).await?;
        ensure!(told(&seen).is_empty(), "{:?}", told(&seen));
        let refused = clients.ask(&without, "mutual.example", "mutual.example").await;
        ensure!(refused.is_err(), "no certificate, no connection: {refused:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumed_session_is_the_same_client() -> Result<()> {
    let clients = Clients::start("").await?;
    let alice = alice(&clients.root)?;
    for protocol in BOTH {
        let tls = client(&[&alice], Version::H1, &[protocol], true)?;
        clients.ready("mutual.example", &tls).await?;
        // Whatever the filter remembers of the full handshake must not be what helps: of a resumed session Envoy says that
        // its certificate is not validated.
        clients.forget().await?;
        let mut resumed = false;
        for _ in 0..4 {
            let mut connection = Connection::open(clients.site.https, "mutual.example", &tls).await?;
            resumed |= connection.is_resumed;
            is_alice(&ask_on(&mut connection, "mutual.example").await?)
                .with_context(|| format!("{:?}, resumed: {}", protocol.version, connection.is_resumed))?;
        }
        ensure!(resumed, "{:?}: nothing was resumed", protocol.version);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_good_for_hosts_of_its_own_policy() -> Result<()> {
    let clients = Clients::start("").await?;
    let alice = alice(&clients.root)?;
    let hosts = ["simple.example", "optional.example", "mutual.example"];
    for version in [Version::H1, Version::H2] {
        let tls = client(&[&alice], version, &BOTH, false)?;
        for sni in hosts {
            clients.ready(sni, &tls).await?;
            let mut connection = Connection::open(clients.site.https, sni, &tls).await?;
            for host in hosts {
                let expected = if host == sni { 200 } else { 421 };
                let seen = ask_on(&mut connection, host).await?;
                ensure!(
                    seen.status == expected,
                    "{version:?} {sni} {host}: {}",
                    seen.status
                );
            }
        }
    }
    Ok(())
}

/// What the rule above is for: without it, a client without a certificate reaches a host that demands one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn allowed_by_the_annotation_a_connection_is_good_for_every_host() -> Result<()> {
    let clients = Clients::start("{misdirected: allow}").await?;
    let tls = nobody(Version::H2)?;
    clients.ready("simple.example", &tls).await?;
    let seen = clients.ask(&tls, "simple.example", "mutual.example").await?;
    ensure!(seen.status == 200, "{}", seen.status);
    ensure!(
        seen.get("x-client-cert-verified") == Some("none"),
        "{:?}",
        told(&seen)
    );
    Ok(())
}
