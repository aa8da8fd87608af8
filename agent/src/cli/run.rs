//! `sealgate run`: the agent.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use sha2::{Digest, Sha256};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tracing_subscriber::EnvFilter;

use super::Answer;
use crate::admin;
use crate::args::RunArgs;
use crate::config::{Run, Source};
use crate::credential::{self, Outcome, Policy};
use crate::engine::{Engine, Shared};
use crate::object::SecretObject;
use crate::source::SourceEvent;
use crate::source::directory::DirectorySource;
use crate::source::manifest::Namespaces;
use crate::translate::Settings;
use crate::xds::proxies::Proxies;
use crate::xds::{self, socket};

/// Streams and requests get this long to end.
const DRAIN: Duration = Duration::from_millis(800);
const CARRIED_FILTER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/filter.wasm"));

pub(super) fn main(args: &RunArgs) -> Result<Answer> {
    let run = Run::try_from(args)?;
    let filter = EnvFilter::try_from_env("SEALGATE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let result = runtime.block_on(serve(run));
    runtime.shutdown_timeout(Duration::from_millis(100));
    result.map(|()| Answer::Good)
}

async fn serve(run: Run) -> Result<()> {
    let (sender, mut events) = mpsc::unbounded_channel();
    let Source::Directory(root) = &run.source else {
        anyhow::bail!("this build reads directories only")
    };
    DirectorySource {
        root: root.clone(),
        namespaces: Namespaces {
            gateway: run.gateway.namespace.clone(),
            other: "default",
        },
        settled: is_whole,
    }
    .spawn(sender)
    .map_err(|error| anyhow!("--source dir:{error}"))?;
    let config = socket::SocketConfig {
        path: std::path::absolute(&run.socket)?,
        mode: run.socket_mode,
        group: run.socket_group.clone(),
    };
    let socket = socket::bind(&config)?;
    let module = filter_module(run.filter.as_deref(), &config.path)?;
    let settings = Settings {
        gateway: run.gateway.clone(),
        listen: run.listen.to_string(),
        module,
    };
    let (engine, snapshots) = Engine::new(settings);
    let proxies = Proxies::default();
    let shared = Shared::new(engine, proxies.clone());
    // The first list before the first proxy: whoever connects finds everything.
    if let Some(first) = events.recv().await {
        shared.with(|engine| engine.apply([first], Instant::now()));
    }
    let (stop, stopped) = watch::channel(false);
    let until =
        |mut stopped: watch::Receiver<bool>| async move { drop(stopped.wait_for(|stop| *stop).await) };
    if let Some(address) = run.admin {
        let serving = admin::bind(address)
            .await
            .with_context(|| format!("--admin {address}"))?;
        tokio::spawn(admin::serve(serving, shared.clone(), until(stopped.clone())));
    }
    let options = xds::Options {
        namespace: run.gateway.namespace.clone(),
        drain: DRAIN,
    };
    let serving = tokio::spawn(xds::serve(socket, snapshots, proxies, options, until(stopped)));
    shared.accepts();
    tracing::info!(socket = %config.path.display(), "ready");
    tokio::select! {
        () = follow(&shared, &mut events) => tracing::error!("the source has ended"),
        () = interrupted() => tracing::info!("stopping"),
    }
    stop.send_replace(true);
    Ok(serving.await??)
}

/// Feeds the engine: all that waits is one change.
async fn follow(shared: &Shared, events: &mut mpsc::UnboundedReceiver<SourceEvent>) {
    let mut batch = Vec::new();
    loop {
        let deadline = shared.with(|engine| engine.next_deadline());
        tokio::select! {
            count = events.recv_many(&mut batch, usize::MAX) => {
                if count == 0 {
                    return;
                }
                shared.with(|engine| engine.apply(batch.drain(..), Instant::now()));
            }
            () = async { tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now).into()).await }, if deadline.is_some() => {
                shared.with(|engine| engine.expire(Instant::now()));
            }
        }
    }
}

async fn interrupted() {
    let (Ok(mut term), Ok(mut int), Ok(mut hup)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    ) else {
        return std::future::pending().await;
    };
    loop {
        tokio::select! {
            _ = term.recv() => return,
            _ = int.recv() => return,
            // Nothing needs a reload.
            _ = hup.recv() => {}
        }
    }
}

/// Whether a Secret looks whole: what is half written, or new beside old, is read again before it is judged.
fn is_whole(secret: &SecretObject) -> bool {
    let policy = Policy {
        strict_names: false,
        refuse_expired: false,
        now: time::OffsetDateTime::now_utc(),
    };
    let reading = credential::read(secret, &policy);
    [reading.key_pair, reading.trust_bundle]
        .iter()
        .flatten()
        .all(|outcome| matches!(outcome, Outcome::Ready(_) | Outcome::Ignored(_)))
}

/// Where Envoy finds the filter: beside the socket, under a name that follows its content, so that a new agent
/// with a new filter is a new file and an old proxy keeps the one that it runs.
fn filter_module(given: Option<&Path>, socket: &Path) -> Result<PathBuf> {
    let bytes = match given {
        Some(path) => fs::read(path).with_context(|| format!("--filter {}", path.display()))?,
        None => CARRIED_FILTER.to_vec(),
    };
    ensure!(
        !bytes.is_empty(),
        "this build carries no filter: give one by --filter, or build with scripts/build"
    );
    ensure!(
        bytes.starts_with(b"\0asm"),
        "--filter {}: not a WebAssembly module",
        given.unwrap_or(Path::new("(carried)")).display()
    );
    let hash = credential::hex(Sha256::digest(&bytes).get(..8).unwrap_or_default());
    let folder = socket.parent().unwrap_or(Path::new("/"));
    let path = folder.join(format!("sealgate-filter-{hash}.wasm"));
    let temporary = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(&bytes)?;
        fs::rename(&temporary, &path)
    };
    write().with_context(|| format!("the filter cannot be put at {}", path.display()))?;
    Ok(path)
}
