//! What `check`, `explain` and `certs --dir` ask: a directory, standard input or a cluster, each read once.

use std::io::{self, Read as _};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use sealgate_model::manifest::Namespaces;
use sealgate_model::{SourceEvent, SourceObject};

use crate::args::{GatewayArgs, InputArgs};
use crate::config::{GatewaySettings, Source};
use crate::engine::Engine;
use crate::source::directory::{DirectorySource, read_text};
use crate::translate::Settings;

/// Of standard input: what a large cluster's objects are as YAML.
const LARGEST: u64 = 256 << 20;
/// As findings call it.
pub(super) const STANDARD_INPUT: &str = "standard input";

/// The engine after what is asked was read.
pub(super) fn load(input: &InputArgs, gateway: &GatewayArgs) -> Result<Engine> {
    match (&input.dir, &input.source) {
        (Some(dir), _) => folder(dir, gateway, "--dir "),
        (None, Some(text)) => match Source::once(text, input.kube_context.as_deref())? {
            Source::Directory(dir) => folder(&dir, gateway, "--source dir:"),
            #[cfg(feature = "kubernetes")]
            Source::Kubernetes(api) => cluster::load(&api, gateway),
        },
        (None, None) => Err(anyhow!("one of --dir, --source and --admin is required")),
    }
}

/// The engine after this directory; `-` is standard input. Errors begin as the flag does.
pub(super) fn folder(path: &Path, gateway: &GatewayArgs, flag: &str) -> Result<Engine> {
    let gateway = GatewaySettings::try_from(gateway)?;
    let namespaces = Namespaces {
        gateway: gateway.namespace.clone(),
        other: "default",
    };
    let entries: Vec<SourceObject> = if is_standard_input(path) {
        read_text(
            STANDARD_INPUT,
            &standard_input().with_context(|| format!("{flag}-"))?,
            &namespaces,
        )
    } else {
        let source = DirectorySource {
            root: path.to_owned(),
            namespaces,
            settled: |_| true,
        };
        source.read_once().map_err(|error| anyhow!("{flag}{error}"))?
    };
    let mut engine = engine(gateway);
    engine.apply([SourceEvent::Reset(entries)], Instant::now());
    Ok(engine)
}

pub(super) fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn standard_input() -> Result<Vec<u8>> {
    let mut text = Vec::new();
    io::stdin().lock().take(LARGEST + 1).read_to_end(&mut text)?;
    ensure!(text.len() as u64 <= LARGEST, "more than {} MB", LARGEST >> 20);
    Ok(text)
}

fn engine(gateway: GatewaySettings) -> Engine {
    let settings = Settings {
        gateway,
        listen: "0.0.0.0".to_owned(),
        // Nobody loads it.
        module: "sealgate_filter.wasm".into(),
    };
    Engine::new(settings).0
}

#[cfg(feature = "kubernetes")]
mod cluster {
    use std::io::Write as _;

    use super::*;
    use crate::config::Kubernetes;
    use crate::source::kubernetes::{ClusterRead, ClusterReader, connect};

    /// The engine after the cluster's objects: those of every kind, then the Secrets and Pods that they need.
    pub(super) fn load(api: &Kubernetes, args: &GatewayArgs) -> Result<Engine> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let read = read(api, GatewaySettings::of_cluster(args)?);
        runtime.block_on(read).context("--source kubernetes")
    }

    async fn read(api: &Kubernetes, gateway: GatewaySettings) -> Result<Engine> {
        let reader = ClusterReader {
            client: connect(api.context.as_deref(), api.watch_timeout).await?,
            namespace: gateway.namespace.clone(),
        };
        let mut engine = engine(gateway);
        let objects = noted(reader.objects().await?);
        engine.apply([SourceEvent::Reset(objects)], Instant::now());
        let mut secrets = reader.secrets(engine.wanted()).await?;
        engine.assume(std::mem::take(&mut secrets.barred));
        let secrets = noted(secrets);
        engine.apply(secrets.into_iter().map(SourceEvent::Apply), Instant::now());
        let pods = noted(reader.pods(engine.resolver().pod_namespaces()).await?);
        engine.apply(pods.into_iter().map(SourceEvent::Apply), Instant::now());
        Ok(engine)
    }

    /// Says what was not read, and goes on with what was.
    fn noted(read: ClusterRead) -> Vec<SourceObject> {
        for note in read.notes {
            // If standard error is closed there is nobody to tell.
            let _ = writeln!(io::stderr(), "sealgate: note: {note}");
        }
        read.objects
    }
}
