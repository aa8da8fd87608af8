//! One Secret, with its own watch.
//!
//! What a connection has read stays in its receive buffers until something longer follows, and a replaced or deleted
//! Secret must not remain there. So a list has its own connection, and a watch restarts on a new one soon after it
//! reported a change.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::super::follow::{Delays, Heard, follow as follow_watch};
use super::{Context, SecretNews};

/// A watch restarts after this long without a change, so that several changes in a row do not wait for a new one.
const QUIET: Duration = Duration::from_secs(5);

pub(super) async fn follow(context: Context, name: String) {
    let watched = context
        .health
        .watch(format!("Secret {}/{name}", context.source.namespace));
    let mut delays = Delays::new();
    loop {
        let (changed, changes) = watch::channel(());
        let config = context.config().fields(&format!("metadata.name={name}"));
        let tell = |told| {
            let is_gone = matches!(told, Heard::Deleted(_));
            if matches!(told, Heard::Applied(_)) {
                changed.send_replace(());
            }
            let listens = context.tell(match told {
                Heard::Listed(mut listed) => SecretNews::Is(name.clone(), listed.pop().map(Box::new)),
                Heard::Applied(entry) => SecretNews::Is(name.clone(), Some(Box::new(entry))),
                Heard::Deleted(_) => SecretNews::Is(name.clone(), None),
                Heard::Forbidden => SecretNews::Forbidden(name.clone()),
            });
            listens && !is_gone
        };
        let read = |secret| Some(context.entry(secret));
        tokio::select! {
            () = follow_watch(context.api_without_reuse(), config, &watched, read, tell) => delays.wait().await,
            () = quiet_after_a_change(changes) => {}
        }
    }
}

/// Waits for a change, then until no other has followed for a while.
async fn quiet_after_a_change(mut changes: watch::Receiver<()>) {
    if changes.changed().await.is_err() {
        return;
    }
    while let Ok(Ok(())) = timeout(QUIET, changes.changed()).await {}
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn changes_that_follow_each_other_are_told_by_one_watch() {
        let (changed, changes) = watch::channel(());
        let began = Instant::now();
        let changing = async {
            for _ in 0..3 {
                sleep(QUIET - Duration::from_secs(1)).await;
                changed.send_replace(());
            }
            // It lives as long as the watch does.
            sleep(2 * QUIET).await;
        };
        tokio::select! {
            () = changing => panic!("the watch did not begin anew"),
            () = quiet_after_a_change(changes) => {}
        }
        assert_eq!(began.elapsed(), 3 * (QUIET - Duration::from_secs(1)) + QUIET);
    }
}
