//! An upstream that remembers what reached it, and answers as the request's own headers say: `x-answer` is the status,
//! `x-answer-grpc` a gRPC status, `x-wait` a time in milliseconds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// See the module. It ends with the runtime.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    heads: Arc<Mutex<Vec<String>>>,
    /// Where it listens on loopback.
    pub port: u16,
}

impl Recorder {
    /// Starts one.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let recorder = Self {
            port: listener.local_addr()?.port(),
            ..Self::default()
        };
        let own = recorder.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(own.clone().serve(stream));
            }
        });
        Ok(recorder)
    }

    /// The heads of the requests that came since it was last asked.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.heads.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One request after the other, without bodies.
    async fn serve(self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        loop {
            while let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                let head: Vec<u8> = bytes.drain(..end + 4).collect();
                let head = String::from_utf8_lossy(&head).into_owned();
                let answer = answer(&head);
                let wait = header(&head, "x-wait")
                    .and_then(|ms| ms.parse().ok())
                    .unwrap_or(0);
                self.heads
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(head);
                tokio::time::sleep(Duration::from_millis(wait)).await;
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
            if !stream.read_buf(&mut bytes).await.is_ok_and(|count| count > 0) {
                return;
            }
        }
    }
}

fn answer(head: &str) -> String {
    let status = header(head, "x-answer").unwrap_or("200");
    let grpc = header(head, "x-answer-grpc").map(|status| format!("grpc-status: {status}\r\n"));
    let grpc = grpc.unwrap_or_default();
    format!(
        "HTTP/1.1 {status} X\r\n{grpc}x-up: 1\r\naccess-control-allow-origin: upstream\r\ncontent-length: 0\r\n\r\n"
    )
}

/// A header's value in a head.
#[must_use]
pub fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (own, value) = line.split_once(':')?;
        own.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
