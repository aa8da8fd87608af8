//! Tasks that are to go on for as long as the agent does. One that panics would otherwise be gone in silence, and what it
//! followed would look as if it did not change.

use std::future::Future;

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Vital(watch::Sender<Option<&'static str>>);

impl Vital {
    /// Starts such a task; `what` names it.
    pub fn spawn(
        &self,
        what: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let guard = PanicWatch {
            vital: self.clone(),
            what,
        };
        tokio::spawn(async move {
            let _guard = guard;
            task.await;
        })
    }

    /// Waits until one has panicked, and says which.
    pub async fn failed(&self) -> &'static str {
        let mut failed = self.0.subscribe();
        let failed = failed.wait_for(Option::is_some).await;
        // The sender lives as long as this does.
        failed.ok().and_then(|what| *what).unwrap_or_default()
    }
}

struct PanicWatch {
    vital: Vital,
    what: &'static str,
}

impl Drop for PanicWatch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.vital.0.send_replace(Some(self.what));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn one_that_panics_is_named_and_one_that_ends_is_not() {
        let vital = Vital::default();
        vital.spawn("first", async {}).await.unwrap();
        let aborted = vital.spawn("second", std::future::pending());
        aborted.abort();
        let second = aborted.await;
        assert!(second.unwrap_err().is_cancelled());
        let waited = tokio::time::timeout(Duration::from_millis(50), vital.failed()).await;
        assert!(waited.is_err(), "{waited:?}");
        let third = vital.spawn("third", async {
            tokio::task::yield_now().await;
            panic!("for this test");
        });
        assert_eq!(vital.failed().await, "third");
        assert!(third.await.unwrap_err().is_panic());
    }
}
