//! The first half of a TLS 1.2 handshake by hand, with whatever bytes as SNI: no library would send them so.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(5);
const HANDSHAKE: u8 = 22;
const CERTIFICATE: u8 = 11;

/// A length of two bytes, then the bytes.
fn counted(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &counted(content)].concat()
}

/// A ClientHello that offers TLS 1.2; none is no SNI.
fn hello(sni: Option<&[u8]>) -> Vec<u8> {
    let name = sni.map(|sni| extension(0, &counted(&[&[0][..], &counted(sni)].concat())));
    let extensions = [
        name.unwrap_or_default(),
        extension(10, &counted(&[0x00, 0x1d, 0x00, 0x17])),
        extension(11, &[1, 0]),
        extension(13, &counted(&[0x04, 0x03, 0x08, 0x04, 0x04, 0x01])),
    ]
    .concat();
    let ciphers = counted(&[0xc0, 0x2b, 0xc0, 0x2f]);
    let body = [
        &[0x03, 0x03][..],
        &[7; 32],
        &[0],
        &ciphers,
        &[1, 0],
        &counted(&extensions),
    ]
    .concat();
    let length = u32::try_from(body.len()).unwrap_or_default().to_be_bytes();
    let message = [&[1], &length[1..], &body].concat();
    [&[HANDSHAKE, 0x03, 0x01][..], &counted(&message)].concat()
}

/// The certificate that is shown for these bytes.
///
/// # Errors
/// None is.
pub async fn shown(port: u16, sni: Option<&[u8]>) -> Result<Vec<u8>> {
    let shown = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(&hello(sni)).await?;
        let mut messages = Vec::new();
        loop {
            let mut header = [0; 5];
            stream.read_exact(&mut header).await.context("no certificate")?;
            let [kind, _, _, length @ ..] = header;
            let mut record = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut record).await?;
            ensure!(kind == HANDSHAKE, "record {kind}: {record:?}");
            messages.extend(record);
            if let Some(leaf) = certificate(&messages)? {
                return Ok(leaf);
            }
        }
    };
    tokio::time::timeout(LIMIT, shown)
        .await
        .context("it takes too long")?
}

/// The leaf of the Certificate message, once it is there.
fn certificate(mut messages: &[u8]) -> Result<Option<Vec<u8>>> {
    loop {
        let Some(([kind, length @ ..], rest)) = messages.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let Some(body) = rest.get(..three(*length)) else {
            return Ok(None);
        };
        if *kind == CERTIFICATE {
            let Some((length, rest)) = body.get(3..).and_then(<[u8]>::split_first_chunk::<3>) else {
                bail!("an empty certificate message");
            };
            return Ok(Some(rest.get(..three(*length)).context("cut off")?.to_vec()));
        }
        messages = rest.get(body.len()..).unwrap_or_default();
    }
}

fn three([a, b, c]: [u8; 3]) -> usize {
    u32::from_be_bytes([0, a, b, c]) as usize
}
