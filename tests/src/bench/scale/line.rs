//! A persistent connection to one host. Reconnects silently after an orderly close.

use anyhow::{Context as _, Result};

use crate::client::{Answer, Connection, Tls};

/// Connections that end in order before a request is sent on them.
const ATTEMPTS: usize = 4;

/// See the module.
#[derive(Debug)]
pub(super) struct Line {
    port: u16,
    host: String,
    /// Without it, HTTP.
    tls: Option<Tls>,
    open: Option<Connection>,
}

impl Line {
    /// Not connected yet.
    pub(super) fn new(port: u16, host: &str, tls: Option<Tls>) -> Self {
        Self {
            port,
            host: host.to_owned(),
            tls,
            open: None,
        }
    }

    /// A request to the host that the connection is for.
    ///
    /// # Errors
    /// There is no connection, or no answer.
    pub(super) async fn get(&mut self, path: &str) -> Result<Answer> {
        let host = self.host.clone();
        self.get_of(&host, path).await
    }

    /// A request to any host.
    ///
    /// # Errors
    /// There is no connection, or no answer.
    pub(super) async fn get_of(&mut self, host: &str, path: &str) -> Result<Answer> {
        for _ in 0..ATTEMPTS {
            let mut open = match self.open.take().filter(|open| !open.is_over()) {
                Some(open) => open,
                None => self.connect().await?,
            };
            if let Some(answer) = open.get(host, path).await? {
                let is_last = answer
                    .headers
                    .get("connection")
                    .is_some_and(|value| value == "close");
                self.open = (!is_last).then_some(open);
                return Ok(answer);
            }
        }
        None.with_context(|| format!("{host}: connections end before they are used"))
    }

    async fn connect(&self) -> Result<Connection> {
        match &self.tls {
            Some(tls) => Connection::open(self.port, &self.host, tls).await,
            None => Connection::open_plain(self.port).await,
        }
    }
}
