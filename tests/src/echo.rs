//! An upstream that returns its name and the bytes that reached it, without an HTTP library in between.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Heads of the requests that came, in order.
#[derive(Clone, Debug, Default)]
pub struct Heads(Arc<Mutex<Vec<String>>>);

impl Heads {
    /// What has come since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same, and it stays noted.
    #[must_use]
    pub fn list(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, head: &str) {
        let mut heads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heads.push(head.to_owned());
    }
}

/// What an upstream says, and what it notes.
#[derive(Clone, Debug, Default)]
pub struct Echo {
    /// In the first line of each answer.
    pub name: &'static str,
    /// More headers of each answer, each line with its end.
    pub headers: String,
    /// Where it notes what came.
    pub heads: Option<Heads>,
}

/// In an answer without a body, what its body would say: `%XX` for each byte that is no letter or digit.
pub const UNSAID: &str = "x-unsaid";

/// Starts an upstream that answers every request with `name` in the first line and the request's head below. It ends
/// with the runtime; gives its port.
///
/// # Errors
/// No port can be had.
pub async fn start(name: &'static str) -> Result<u16> {
    start_at("127.0.0.1", name).await
}

/// The same at another address of this machine.
///
/// # Errors
/// No port can be had.
pub async fn start_at(address: &str, name: &'static str) -> Result<u16> {
    let own = Echo {
        name,
        ..Echo::default()
    };
    own.start(address).await
}

impl Echo {
    /// Starts it, as [`start`] does.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start(self, address: &str) -> Result<u16> {
        let listener = TcpListener::bind((address, 0)).await?;
        let port = listener.local_addr()?.port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(self.clone().serve(stream));
            }
        });
        Ok(port)
    }

    /// One request after the other; bodies are not expected.
    async fn serve(self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        loop {
            while let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                let head: Vec<u8> = bytes.drain(..end + 4).collect();
                // The end of a body without content, of which HTTP/3 does not know when it sends the head.
                if head == b"0\r\n\r\n" {
                    continue;
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                self.heads.iter().for_each(|heads| heads.note(&head));
                let upgrade = head.to_ascii_lowercase().contains("upgrade: websocket");
                let sent = stream.write_all(self.answer(&head, upgrade).as_bytes()).await;
                if sent.is_err() || upgrade {
                    return;
                }
            }
            let is_open = stream.read_buf(&mut bytes).await.is_ok_and(|count| count > 0);
            // A handshake, to one without TLS: a client would wait for long.
            if !is_open || bytes.first() == Some(&22) {
                return;
            }
        }
    }

    /// A request for a WebSocket gets one with the same text, which is then closed.
    fn answer(&self, head: &str, upgrade: bool) -> String {
        let Self { name, headers, .. } = self;
        let body = format!("{name}\n{head}");
        if upgrade {
            let start = "101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket";
            return format!("HTTP/1.1 {start}\r\n{headers}\r\n{body}");
        }
        let start = format!("HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n", body.len());
        if head.starts_with("HEAD ") {
            format!("{start}{UNSAID}: {}\r\n\r\n", escaped(&body))
        } else {
            format!("{start}\r\n{body}")
        }
    }
}

fn escaped(text: &str) -> String {
    let byte = |byte: u8| {
        if byte.is_ascii_alphanumeric() {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(byte).collect()
}

/// What [`UNSAID`] stands for.
#[must_use]
pub fn unescaped(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        bytes.extend(u8::from_str_radix(code, 16));
        bytes.extend(rest.bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_head_has_for_a_body_reads_back() {
        let text = "one\nHEAD /a%2f HTTP/1.1\r\nx: é\r\n\r\n";
        assert_eq!(unescaped(&escaped(text)), text);
    }
}
