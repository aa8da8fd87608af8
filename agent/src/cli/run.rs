//! `sealgate run`: the agent.

mod bulk;
mod follower;
mod logging;
mod module;
mod source;
mod state;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle};

use self::bulk::Bulk;
use self::follower::Follower;
use self::state::State;
use super::Conclusion;
use crate::admin;
use crate::args::RunArgs;
use crate::config::Run;
use crate::demand::CredentialDemand;
use crate::engine::Engine;
use crate::pod_demand::PodDemand;
use crate::questions::EngineAsker;
use crate::scope::Scope;
use crate::shared::Shared;
use crate::source::health::Health;
use crate::translate::Settings;
use crate::vital::Vital;
use crate::xds::proxies::Proxies;
use crate::xds::{self, socket};

/// How long what there is to say waits for objects that come together with those that it is about.
const PATIENCE: Duration = Duration::from_millis(250);
/// Streams and requests get this long to end.
const DRAIN: Duration = Duration::from_millis(800);
pub(super) fn main(args: &RunArgs) -> Result<Conclusion> {
    let run = Run::try_from(args)?;
    logging::start(args.log_level.as_deref(), args.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let result = runtime.block_on(serve(run));
    runtime.shutdown_timeout(Duration::from_millis(100));
    result.map(|()| Conclusion::Good)
}

async fn serve(run: Run) -> Result<()> {
    let health = Health::default();
    let (sender, events) = mpsc::unbounded_channel();
    let demand = CredentialDemand::default();
    let pods = PodDemand::default();
    let vital = Vital::default();
    let (tell, files) =
        source::start(&run, sender, (demand.follow(), pods.follow()), &health, &vital).await?;
    let config = socket::SocketConfig {
        path: std::path::absolute(&run.socket)?,
        mode: run.socket_mode,
        group: run.socket_group.clone(),
    };
    let place = socket::claim(&config)?;
    let settings = Settings {
        gateway: run.gateway.clone(),
        listen: run.listen.to_string(),
        module: match run.scope {
            Scope::All => module::install(run.filter.as_deref(), &config.path)?,
            // Nobody is told of it.
            Scope::Secrets => config.path.with_file_name("none.wasm"),
        },
    };
    let (mut engine, snapshots) = Engine::new(settings);
    engine.set_patience(PATIENCE);
    engine.know_files(files);
    let state = run.state_dir.as_deref();
    let open = |folder| State::open(folder, run.state_keys).map_err(|error| state::unusable(folder, &error));
    let state = state.map(open).transpose()?;
    let state = state.map(|(state, kept)| {
        state.tell(kept, &mut engine);
        state
    });
    let proxies = Proxies::default();
    let held = proxies.clone();
    engine.keep_while(move |snapshot| held.are_behind(snapshot));
    let asked = proxies.clone();
    engine.ask_proxies(move |key, snapshot| asked.reception(key, snapshot));
    let fresh = proxies.clone();
    engine.ask_whether_fresh(move || fresh.are_fresh());
    let source = health.clone();
    engine.ask_source(move || source.lists());
    let (show, views) = watch::channel(Arc::default());
    let (asker, questions) = EngineAsker::new();
    let shared = Shared::new(views, proxies.clone(), health.clone(), asker);
    let (stop, stopped) = watch::channel(false);
    let until =
        |mut stopped: watch::Receiver<bool>| async move { drop(stopped.wait_for(|stop| *stop).await) };
    let admin = match run.admin {
        Some(address) => {
            let access = run.admin_access.clone();
            let serving = admin::bind(address, &access)
                .await
                .with_context(|| format!("--admin {address}"))?;
            let shared = shared.clone();
            Some(tokio::spawn(admin::serve(
                serving,
                shared,
                access,
                until(stopped.clone()),
            )))
        }
        None => None,
    };
    let (synced, first) = oneshot::channel();
    let follower = Follower {
        scope: run.scope,
        engine,
        show,
        events,
        named: demand.share(),
        demand: demand.clone(),
        pods,
        health,
        tell,
        refusals: proxies.refusals().clone(),
        questions,
        bulk: Bulk::default(),
        state,
        synced: Some(synced),
    };
    let options = xds::Options {
        namespace: run.gateway.namespace,
        demand,
        drain: DRAIN,
        scope: run.scope,
    };
    let mut serving = tokio::spawn(async move {
        // The first list before the first proxy: whoever connects finds everything, and nobody is told that what it
        // has is gone only because it was not read yet.
        tokio::select! {
            _ = first => {}
            () = until(stopped.clone()) => return Ok(()),
        }
        let socket = place.bind()?;
        shared.accepts();
        tracing::info!(socket = %config.path.display(), "ready");
        anyhow::Ok(xds::serve(socket, snapshots, proxies, options, until(stopped)).await?)
    });
    // On a worker: it wakes the streams' tasks, which run where it did, without a detour over another thread.
    let following = tokio::spawn(follower.run());
    let result = tokio::select! {
        ended = following => Err(unasked("the source", ended)),
        ended = ended(admin) => Err(unasked("the admin interface", ended)),
        ended = &mut serving => return Err(match ended {
            Ok(Err(error)) => error,
            Ok(Ok(())) => unasked("the socket", Ok(())),
            Err(error) => unasked("the socket", Err(error)),
        }),
        what = vital.failed() => Err(anyhow!("{what} has failed")),
        () = interrupted() => {
            tracing::info!("stopping");
            Ok(())
        }
    };
    stop.send_replace(true);
    serving.await??;
    result
}

/// Never, if there is no such task.
async fn ended(task: Option<JoinHandle<()>>) -> Result<(), JoinError> {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

/// What was to go on for as long as the agent does has ended, or panicked. Whoever supervises the agent starts it anew.
fn unasked(what: &str, ended: Result<(), JoinError>) -> anyhow::Error {
    match ended {
        Ok(()) => anyhow!("{what} has ended"),
        Err(error) => anyhow!("{what} failed: {error}"),
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
