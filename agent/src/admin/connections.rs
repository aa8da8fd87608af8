//! Connections of the admin interface: few at a time, and none for long. A client that opens thousands must not use up
//! the file descriptors that the proxies' socket or a rotation needs.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::AbortHandle;

/// The time for a request's headers to arrive, and for the next request of a connection to begin.
const HEADERS: Duration = Duration::from_secs(5);
/// A connection is closed after this time in any case, so that a slow reader cannot hold it forever.
pub(super) const LONGEST: Duration = Duration::from_secs(60);
/// One in this many of the process's file descriptors is for the admin interface.
const SHARE: u64 = 8;
/// The bounds, whatever the limit on file descriptors is.
const FEWEST: usize = 4;
const MOST: usize = 64;
/// The wait after a failed accept: nothing signals when descriptors are available again.
const PAUSE: Duration = Duration::from_millis(200);

/// The maximum number of connections.
fn most() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    let share = limit.map(|limit| usize::try_from(limit / SHARE).unwrap_or(MOST));
    share.unwrap_or(MOST).clamp(FEWEST, MOST)
}

/// Serves until `shutdown`. At the maximum, a new connection replaces the oldest one, so that probes are answered even
/// if thousands of connections are open.
pub(super) async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(most()));
    let (stop, stopped) = watch::channel(false);
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let stream = tokio::select! {
            stream = accept(&listener) => stream,
            () = &mut shutdown => break,
        };
        open.retain(|connection| !connection.is_finished());
        if places.available_permits() == 0
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            break;
        };
        let serving = tokio::spawn(connection(stream, router.clone(), place, stopped.clone()));
        open.push_back(serving.abort_handle());
    }
    stop.send_replace(true);
    drop(stopped);
    stop.closed().await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "the admin interface cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

async fn connection(
    stream: TcpStream,
    router: Router,
    place: OwnedSemaphorePermit,
    mut stopped: watch::Receiver<bool>,
) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADERS);
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut serving = pin!(serving);
    let whole = async {
        let is_over = tokio::select! {
            // A client's mistake is not logged.
            _ = serving.as_mut() => true,
            _ = stopped.wait_for(|stopped| *stopped) => false,
        };
        if !is_over {
            serving.as_mut().graceful_shutdown();
            drop(serving.await);
        }
    };
    drop(tokio::time::timeout(LONGEST, whole).await);
    drop(place);
}
