//! What the agent does with an API server that misbehaves: a FAKE one, because the real one does not on demand.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::cluster::{SOON, credential, watch};
use sealgate_tests::eventually;
use sealgate_tests::fake_api::{FakeApi, Whim};
use sealgate_tests::manifests::gateway;
use sealgate_tests::pki::{Authority, Leaf};
use sealgate_tests::site::{Site, Source};
use serde_json::Value;

/// For how long requests are counted.
const WHILE: Duration = Duration::from_secs(2);
/// Six collections, and the Secret.
const WATCHES: usize = 8;

struct Faked {
    api: FakeApi,
    site: Site,
    authority: Authority,
}

/// A manifest with `stringData` as the API server would keep it.
fn stored(leaf: &Leaf, name: &str) -> String {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: istio-system}}\ntype: kubernetes.io/tls\n\
         data: {{tls.crt: {}, tls.key: {}}}\n",
        encode(&leaf.certificate),
        encode(&leaf.key)
    )
}

impl Faked {
    async fn start(flags: &[&str]) -> Result<Self> {
        let api = FakeApi::start().await?;
        let authority = Authority::new("CA")?;
        api.put("gateways", &gateway("aliyun-com", ""))?;
        let mut site = Site::prepare().await?;
        site.source = Source::Kubernetes {
            kubeconfig: api.kubeconfig(&site.dir())?,
            namespace: "istio-system".to_owned(),
        };
        site.flags = flags.iter().map(ToString::to_string).collect();
        let faked = Self { api, site, authority };
        faked.rotate()?;
        Ok(faked)
    }

    fn rotate(&self) -> Result<Leaf> {
        let leaf = self.authority.leaf(&["*.aliyun.com"])?;
        self.api.put("secrets", &stored(&leaf, "aliyun-com"))?;
        Ok(leaf)
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
        let attempt = || async {
            let status = self.site.status().await?;
            ensure!(is_so(&status), "{status}");
            Ok(status)
        };
        eventually(what, SOON, attempt)
            .await
            .with_context(|| std::fs::read_to_string(self.site.agent_log()).unwrap_or_default())
    }
}

/// Might be of a Secret.
const GARBAGE: &str = "c2VjcmV0LWJ5dGVz";

/// A whim, what the status says of the Secret's watch meanwhile, and whether that is good.
const WHIMS: [(Whim, &str, bool); 6] = [
    (Whim::EndsWatches, "following", true),
    (Whim::SendsHalves, "following", true),
    (Whim::Throttles(1), "failed", false),
    (Whim::Fails, "failed", false),
    (Whim::SendsGarbage(GARBAGE), "failed", false),
    (Whim::IsGone, "listing", true),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whims_are_survived_without_a_hot_loop() -> Result<()> {
    let runs = WHIMS.map(|(whim, state, is_up)| async move {
        let survived = survive(whim, state, is_up).await;
        survived.with_context(|| format!("{whim:?}"))
    });
    futures::future::try_join_all(runs).await.map(drop)
}

async fn survive(whim: Whim, state: &str, is_up: bool) -> Result<()> {
    let mut faked = Faked::start(&["--secret-watch=name"]).await?;
    faked.site.log_level = "trace".to_owned();
    faked.site.start_agent().await?;
    let before = faked
        .until("all is well", |status| {
            status["source"]["up"] == true && credential(status, "aliyun-com")["state"] == "ready"
        })
        .await?;
    faked.api.set(whim);
    let _ = faked.api.asked();
    tokio::time::sleep(WHILE).await;
    let asked = faked.api.asked();
    // Each watch four times a second, and a list with each.
    let most = WATCHES * 2 * 4 * usize::try_from(WHILE.as_secs())?;
    ensure!(asked.len() <= most, "{} requests", asked.len());
    let during = faked
        .until("it is said", |status| {
            let own = watch(status, "Secret istio-system/aliyun-com");
            own.is_some_and(|(own, _)| own == state) && status["source"]["up"] == is_up
        })
        .await?;
    let held = |status: &Value| credential(status, "aliyun-com")["serial"].clone();
    ensure!(
        held(&during) == held(&before) && during["synced"] == true,
        "{during}"
    );
    let next = faked.rotate()?;
    faked.api.set(Whim::None);
    let after = faked
        .until("the rotation", |status| {
            status["source"]["up"] == true && held(status) == next.serial.as_str()
        })
        .await?;
    let said = std::fs::read_to_string(faked.site.agent_log())? + &after.to_string() + &during.to_string();
    ensure!(!said.contains(GARBAGE), "what cannot be read is quoted");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_after_is_heeded_and_an_absurd_one_not_believed() -> Result<()> {
    let mut faked = Faked::start(&[]).await?;
    faked.site.start_agent().await?;
    faked
        .until("all is well", |status| status["source"]["up"] == true)
        .await?;
    faked.api.set(Whim::Throttles(3600));
    let _ = faked.api.asked();
    tokio::time::sleep(WHILE).await;
    let mut asked = faked.api.asked();
    asked.retain(|own| !own.target.contains("/events"));
    // Each watch, and its list.
    ensure!(asked.len() <= 2 * WATCHES, "{asked:#?}");
    faked
        .until("it is said", |status| {
            watch(status, "Gateway").is_some_and(|(_, message)| message.contains("later"))
        })
        .await?;
    faked.api.set(Whim::None);
    // By the list, and then by the watch.
    for _ in 0..2 {
        let next = faked.rotate()?;
        faked
            .until("the rotation", |status| {
                credential(status, "aliyun-com")["serial"] == next.serial.as_str()
                    && status["source"]["up"] == true
            })
            .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_namespace_only_metadata_is_asked_for() -> Result<()> {
    let mut faked = Faked::start(&["--secret-watch=namespace"]).await?;
    let unrelated = faked.authority.leaf(&["unrelated.example"])?;
    faked.api.put("secrets", &stored(&unrelated, "unrelated"))?;
    faked.site.start_agent().await?;
    faked.rotate()?;
    let next = faked.rotate()?;
    faked
        .until("the rotation", |status| {
            credential(status, "aliyun-com")["serial"] == next.serial.as_str()
        })
        .await?;
    let asked = faked.api.asked();
    let secrets: Vec<_> = asked
        .iter()
        .filter(|own| own.target.contains("/secrets"))
        .collect();
    let (bodies, lists): (Vec<_>, Vec<_>) = secrets
        .into_iter()
        .partition(|own| own.target.contains("/secrets/"));
    ensure!(!bodies.is_empty() && !lists.is_empty(), "{asked:?}");
    let bad = bodies
        .iter()
        .find(|own| !own.target.contains("/secrets/aliyun-com"));
    ensure!(bad.is_none(), "{bad:?}");
    let whole = lists
        .iter()
        .find(|own| !own.accept.contains("PartialObjectMetadata"));
    ensure!(whole.is_none(), "{whole:?}");
    Ok(())
}
