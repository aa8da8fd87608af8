//! A socket between Envoy and the agent that breaks in the middle of the agent's data, and can be repaired.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

/// See the module. It ends with the runtime.
#[derive(Clone, Debug)]
pub struct Relay {
    agent: PathBuf,
    /// What the agent has said, in bytes, and what may be.
    said: Arc<AtomicU64>,
    limit: Arc<AtomicU64>,
}

impl Relay {
    /// Listens at `path`, and lets through so many bytes of what the agent says.
    ///
    /// # Errors
    /// It cannot listen.
    pub fn start(path: &Path, agent: &Path, limit: u64) -> Result<Self> {
        let listener = UnixListener::bind(path)?;
        let relay = Self {
            agent: agent.to_owned(),
            said: Arc::default(),
            limit: Arc::new(AtomicU64::new(limit)),
        };
        let own = relay.clone();
        tokio::spawn(async move {
            while let Ok((envoy, _)) = listener.accept().await {
                let own = own.clone();
                // An end of either is the end of both.
                tokio::spawn(async move { own.pass(envoy).await });
            }
        });
        Ok(relay)
    }

    /// How much the agent has said.
    #[must_use]
    pub fn said(&self) -> u64 {
        self.said.load(Ordering::Relaxed)
    }

    /// Everything goes through from now on.
    pub fn mend(&self) {
        self.limit.store(u64::MAX, Ordering::Relaxed);
    }

    fn left(&self) -> u64 {
        self.limit.load(Ordering::Relaxed).saturating_sub(self.said())
    }

    async fn pass(&self, mut envoy: UnixStream) -> Result<()> {
        if self.left() == 0 {
            return Ok(());
        }
        let mut agent = UnixStream::connect(&self.agent).await?;
        let (mut up, mut down) = (vec![0; 1 << 14], vec![0; 1 << 14]);
        loop {
            tokio::select! {
                count = envoy.read(&mut up) => match count? {
                    0 => return Ok(()),
                    count => agent.write_all(up.get(..count).unwrap_or_default()).await?,
                },
                count = agent.read(&mut down) => {
                    let count = u64::try_from(count?)?.min(self.left());
                    if count == 0 {
                        return Ok(());
                    }
                    self.said.fetch_add(count, Ordering::Relaxed);
                    envoy.write_all(down.get(..usize::try_from(count)?).unwrap_or_default()).await?;
                }
            }
        }
    }
}
