//! A watch that ends as soon as it began is begun again at once by the library; between an API server and a proxy
//! that cuts every watch this would be a hot loop. Here the same watch starts only so often.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Request;
use tokio::time::Instant;
use tower::{Layer, Service};

/// The same watch does not start more often.
const SHORTEST: Duration = Duration::from_millis(250);
/// More watches than any agent has are forgotten together.
const REMEMBERED: usize = 4096;

/// The layer; services made from it share what they know.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace(Arc<Mutex<HashMap<String, Instant>>>);

impl Pace {
    /// When this request may start; noted as if it will.
    fn start_of<B>(&self, request: &Request<B>) -> Instant {
        let now = Instant::now();
        let Some(watch) = watch_of(request) else {
            return now;
        };
        let mut starts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if starts.len() >= REMEMBERED {
            starts.clear();
        }
        let start = starts.get(&watch).map_or(now, |last| now.max(*last + SHORTEST));
        starts.insert(watch, start);
        start
    }
}

/// Names a watch, wherever it begins.
fn watch_of<B>(request: &Request<B>) -> Option<String> {
    let query = request.uri().query()?;
    let (watches, others): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| *pair == "watch=true");
    let others = others
        .into_iter()
        .filter(|pair| !pair.starts_with("resourceVersion="));
    let name = format!(
        "{}?{}",
        request.uri().path(),
        others.collect::<Vec<_>>().join("&")
    );
    (!watches.is_empty()).then_some(name)
}

impl<S> Layer<S> for Pace {
    type Service = Paced<S>;

    fn layer(&self, inner: S) -> Paced<S> {
        Paced {
            inner,
            pace: self.clone(),
        }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Paced<S> {
    inner: S,
    pace: Pace,
}

impl<S, B> Service<Request<B>> for Paced<S>
where
    S: Service<Request<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let start = self.pace.start_of(&request);
        // The library's service does nothing before its future is polled.
        let call = self.inner.call(request);
        Box::pin(async move {
            tokio::time::sleep_until(start).await;
            call.await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str) -> Request<()> {
        let mut request = Request::new(());
        *request.uri_mut() = uri.parse().unwrap();
        request
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_watch_starts_only_so_often() {
        let pace = Pace::default();
        let now = Instant::now();
        assert_eq!(pace.start_of(&request("/a?watch=true&resourceVersion=1")), now);
        assert_eq!(
            pace.start_of(&request("/a?watch=true&resourceVersion=2")),
            now + SHORTEST
        );
        assert_eq!(
            pace.start_of(&request("/a?watch=true&resourceVersion=2")),
            now + 2 * SHORTEST
        );
        assert_eq!(pace.start_of(&request("/b?watch=true&resourceVersion=2")), now);
        assert_eq!(pace.start_of(&request("/a?limit=500")), now);
        tokio::time::advance(3 * SHORTEST).await;
        assert_eq!(pace.start_of(&request("/a?watch=true")), Instant::now());
    }
}
