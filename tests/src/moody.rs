//! An upstream that sometimes fails: the header `x-mood` lists how to answer each try of a request, with a status or
//! `slow`; the last entry applies to all later tries. It counts the tries.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use tokio::net::TcpListener;

/// The header that holds the moods.
pub const MOOD: &str = "x-mood";
/// The header by which the tries of one request are known.
pub const CASE: &str = "x-case";
const SLOW: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Moody {
    /// Where it listens.
    pub port: u16,
    tries: Arc<Mutex<HashMap<String, usize>>>,
}

impl Moody {
    /// Starts it. It ends with the runtime.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let moody = Self {
            port: listener.local_addr()?.port(),
            ..Self::default()
        };
        let router = Router::new().fallback(answer).with_state(moody.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(moody)
    }

    /// How many tries of a request arrived.
    #[must_use]
    pub fn tries(&self, case: &str) -> usize {
        self.counts().get(case).copied().unwrap_or_default()
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, HashMap<String, usize>> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, case: &str) -> usize {
        let mut counts = self.counts();
        let count = counts.entry(case.to_owned()).or_default();
        *count += 1;
        *count
    }
}

/// In the form of [`crate::echo`].
async fn answer(State(moody): State<Moody>, uri: Uri, headers: HeaderMap) -> (StatusCode, String) {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let count = moody.count(text(CASE).unwrap_or_default());
    let moods: Vec<_> = text(MOOD).unwrap_or("200").split(' ').collect();
    let mood = moods.get(count - 1).or(moods.last()).copied().unwrap_or_default();
    if mood == "slow" {
        tokio::time::sleep(SLOW).await;
    }
    let status = mood.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes())));
    let head = format!("GET {uri} HTTP/1.1\r\n{}", lines.collect::<String>());
    (status.unwrap_or(StatusCode::OK), format!("moody\n{head}"))
}
