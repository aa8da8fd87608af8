//! What the real Envoy does with the other secrets of a context while one of them is rejected. The agent's checks would
//! stop such a secret, so the snapshots are published here without them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use envoy_types::pb::envoy::config::core::v3::{DataSource, data_source::Specifier};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, Secret, TlsCertificate, secret::Type,
};
use prost::Message as _;
use sealgate_agent::snapshot::TypeUrl;
use sealgate_tests::client::{Connection, Tls, Version, fetch};
use sealgate_tests::eventually;
use sealgate_tests::flavour::{Chain, by_hand};
use sealgate_tests::pki::{Authority, Leaf};
use sealgate_tests::unchecked::Unchecked;

const SOON: Duration = Duration::from_secs(10);
/// A push takes some milliseconds.
const LONG: Duration = Duration::from_secs(1);

fn inline(text: &str) -> Option<DataSource> {
    Some(DataSource {
        specifier: Some(Specifier::InlineString(text.to_owned())),
        ..DataSource::default()
    })
}

fn pair(certificate: &str, key: &str) -> Type {
    Type::TlsCertificate(TlsCertificate {
        certificate_chain: inline(certificate),
        private_key: inline(key),
        ..TlsCertificate::default()
    })
}

fn of(leaf: &Leaf) -> Type {
    pair(&leaf.certificate, &leaf.key)
}

fn bundle(authority: &Authority) -> Type {
    Type::ValidationContext(CertificateValidationContext {
        trusted_ca: inline(&authority.certificate),
        ..CertificateValidationContext::default()
    })
}

/// Pushes of secrets, and what Envoy says of them.
struct Pushes(Unchecked);

impl Pushes {
    async fn start(chains: &[Chain<'_>]) -> Result<Self> {
        let unchecked = Unchecked::start(|bootstrap, site| by_hand(&bootstrap, site.https, chains)).await?;
        Ok(Self(unchecked))
    }

    fn publish(&mut self, name: &str, content: Type) {
        let secret = Secret {
            name: String::new(),
            r#type: Some(content),
        };
        let body = secret.encode_to_vec();
        self.0.publisher.update(Instant::now(), |draft| {
            draft.set(TypeUrl::Secret, &format!("ns/{name}"), body);
        });
    }

    /// How Envoy took what was published last: none if it confirmed it, else its words.
    async fn verdict(&self, name: &str, since: &Held) -> Result<Option<String>> {
        let attempt = || async {
            let now = self.held(name);
            ensure!(now != *since, "no word yet");
            Ok(now.1)
        };
        eventually("Envoy's word", SOON, attempt).await
    }

    /// The version that Envoy holds of a name, and why it refused a later one.
    fn held(&self, name: &str) -> Held {
        let proxies = self.0.proxies.list();
        let held = proxies.get("edge-1").and_then(|proxy| {
            proxy
                .held
                .get(&TypeUrl::Secret)?
                .get(format!("ns/{name}").as_str())
        });
        held.map_or((None, None), |held| {
            (Some(Arc::clone(&held.version)), held.refused.clone())
        })
    }

    /// Publishes, and gives Envoy's word.
    async fn push(&mut self, name: &str, content: Type) -> Result<Option<String>> {
        let since = self.held(name);
        self.publish(name, content);
        self.verdict(name, &since).await
    }

    async fn shows(&self, host: &str, leaf: &Leaf, limit: Duration) -> Result<()> {
        let tls = Tls::new(Version::H1, None)?;
        let attempt = || async {
            let open = Connection::open(self.0.site.https, host, &tls).await?;
            ensure!(open.leaf == leaf.der, "another certificate is shown");
            Ok(())
        };
        eventually(&format!("{host} shows {}", leaf.serial), limit, attempt).await
    }

    /// Whether a client with this certificate is served.
    async fn trusts(&self, client: &Leaf, limit: Duration) -> Result<()> {
        let tls = Tls::new(Version::H1, Some(client))?;
        let attempt = || async { fetch(self.0.site.https, "one.test", "/", &tls).await.map(drop) };
        eventually("the client is served", limit, attempt).await
    }
}

type Held = (Option<Arc<str>>, Option<String>);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_one_secret_is_refused_its_siblings_wait() -> Result<()> {
    let chain = Chain {
        host: None,
        api: "DELTA_GRPC",
        certificates: &["one", "two"],
        trust: Some("ca"),
    };
    let mut it = Pushes::start(&[chain]).await?;
    let (old, new) = (Authority::new("old CA")?, Authority::new("new CA")?);
    let (one, two) = (old.leaf(&["one.test"])?, old.leaf(&["two.test"])?);
    it.publish("ca", bundle(&old));
    it.publish("one", of(&one));
    it.publish("two", of(&two));
    it.shows("one.test", &one, SOON).await?;
    it.shows("two.test", &two, SOON).await?;
    it.trusts(&old.leaf(&["client"])?, SOON).await?;

    let mismatched = pair(&old.leaf(&["one.test"])?.certificate, &old.leaf(&["x"])?.key);
    let reason = it.push("one", mismatched).await?.context("it is taken")?;
    ensure!(reason.contains("KEY_VALUES_MISMATCH"), "{reason}");
    it.shows("one.test", &one, SOON).await?;

    // Good as they are, they are refused for the other's sake, and do not work.
    let two_later = old.leaf(&["two.test"])?;
    let client = new.leaf(&["client"])?;
    for (name, content) in [("two", of(&two_later)), ("ca", bundle(&new))] {
        ensure!(it.push(name, content).await? == Some(reason.clone()), "{name}");
    }
    it.shows("two.test", &two, LONG).await?;
    ensure!(it.trusts(&client, LONG).await.is_err(), "the new CA is in use");

    // Envoy has kept them: once the bad one is repaired, all work, without a word about them.
    let one_later = old.leaf(&["one.test"])?;
    ensure!(
        it.push("one", of(&one_later)).await?.is_none(),
        "the repaired one"
    );
    it.shows("one.test", &one_later, SOON).await?;
    it.shows("two.test", &two_later, SOON).await?;
    it.trusts(&client, SOON).await
}
