//! An upstream that says who it is and which bytes reached it: no HTTP library stands between.

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

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
    let listener = TcpListener::bind((address, 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, name));
        }
    });
    Ok(port)
}

/// One request after the other; bodies are not expected.
async fn serve(mut stream: TcpStream, name: &'static str) {
    let mut bytes = Vec::new();
    loop {
        while let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head: Vec<u8> = bytes.drain(..end + 4).collect();
            let head = String::from_utf8_lossy(&head).into_owned();
            let upgrade = head.to_ascii_lowercase().contains("upgrade: websocket");
            let sent = stream.write_all(answer(name, &head, upgrade).as_bytes()).await;
            if sent.is_err() || upgrade {
                return;
            }
        }
        if !stream.read_buf(&mut bytes).await.is_ok_and(|count| count > 0) {
            return;
        }
    }
}

/// Who asks for a WebSocket gets one with the same text on it, and its end.
fn answer(name: &str, head: &str, upgrade: bool) -> String {
    let body = format!("{name}\n{head}");
    let start = if upgrade {
        "101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket".to_owned()
    } else {
        format!("200 OK\r\ncontent-length: {}", body.len())
    };
    format!("HTTP/1.1 {start}\r\n\r\n{body}")
}
