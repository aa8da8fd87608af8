//! Limits how often watches start. The library restarts a watch that ends right after it began immediately; with a
//! proxy in front of the API server that cuts every watch, this would be a hot loop. Also obeys the API server when it
//! says to retry later.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Request, Response};
use tokio::time::Instant;
use tower::{Layer, Service};

/// The shortest interval between starts of the same watch.
const SHORTEST: Duration = Duration::from_millis(250);
/// The longest delay that is obeyed: something else may answer in place of the API server.
const LONGEST: Duration = Duration::from_secs(10);
/// More requests than any agent makes; beyond this number, all are forgotten.
const REMEMBERED: usize = 4096;

/// The layer; its services share when each request may start again.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace(Arc<Mutex<HashMap<String, Instant>>>);

impl Pace {
    /// When this request may start; notes that it will.
    fn start_of(&self, request: &NamedRequest) -> Instant {
        let now = Instant::now();
        let mut starts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let start = starts
            .get(&request.name)
            .map_or(now, |earliest| now.max(*earliest));
        if request.is_watch {
            remember(&mut starts, request.name.clone(), start + SHORTEST);
        }
        start
    }

    /// Obeys the API server's `Retry-After`.
    fn heed<B>(&self, request: NamedRequest, answer: &Response<B>) {
        let after = answer
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(|seconds| Duration::from_secs(seconds).min(LONGEST));
        if let Some(after) = after.filter(|_| !answer.status().is_success()) {
            let mut starts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            remember(&mut starts, request.name, Instant::now() + after);
        }
    }
}

fn remember(starts: &mut HashMap<String, Instant>, name: String, start: Instant) {
    if starts.len() >= REMEMBERED {
        starts.clear();
    }
    starts.insert(name, start);
}

/// What a request asks for, regardless of the version at which a watch begins.
#[derive(Clone, Debug)]
struct NamedRequest {
    name: String,
    is_watch: bool,
}

impl NamedRequest {
    fn new<B>(request: &Request<B>) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let (watches, others): (Vec<&str>, Vec<&str>) =
            query.split('&').partition(|pair| *pair == "watch=true");
        let others = others
            .into_iter()
            .filter(|pair| !pair.starts_with("resourceVersion="));
        let name = format!(
            "{}?{}",
            request.uri().path(),
            others.collect::<Vec<_>>().join("&")
        );
        Self {
            name,
            is_watch: !watches.is_empty(),
        }
    }
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

impl<S, B, R> Service<Request<B>> for Paced<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (named, pace) = (NamedRequest::new(&request), self.pace.clone());
        let start = pace.start_of(&named);
        // The library's service does nothing until its future is polled.
        let call = self.inner.call(request);
        Box::pin(async move {
            tokio::time::sleep_until(start).await;
            let answer = call.await?;
            pace.heed(named, &answer);
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str) -> NamedRequest {
        let mut request = Request::new(());
        *request.uri_mut() = uri.parse().unwrap();
        NamedRequest::new(&request)
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
        assert_eq!(pace.start_of(&request("/a?limit=500")), now);
        tokio::time::advance(3 * SHORTEST).await;
        assert_eq!(pace.start_of(&request("/a?watch=true")), Instant::now());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_told_to_come_back_later_does_within_reason() {
        let pace = Pace::default();
        for (status, after, expected) in [
            (429, "3", Duration::from_secs(3)),
            (503, "3600", LONGEST),
            (429, "soon", Duration::ZERO),
            (200, "3", Duration::ZERO),
        ] {
            let (list, now) = (format!("/{status}/{after}?limit=500"), Instant::now());
            let answer = Response::builder().status(status).header(RETRY_AFTER, after);
            pace.heed(request(&list), &answer.body(()).unwrap());
            assert_eq!(pace.start_of(&request(&list)), now + expected, "{list}");
        }
    }
}
