//! HTTP/2 by hand (RFC 9113, RFC 7541): one stream on a connection, headers as literals that nothing checks.

use anyhow::{Context as _, Result};

use super::{RawAnswer, RawRequest, Wire, hpack, more};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME: usize = 16 * 1024;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What a connection begins with: windows wide enough for many answers, and no table of headers.
pub(super) fn preface() -> Vec<u8> {
    let mut bytes = PREFACE.to_vec();
    // SETTINGS_HEADER_TABLE_SIZE is nothing, SETTINGS_INITIAL_WINDOW_SIZE a megabyte.
    frame(
        &mut bytes,
        SETTINGS,
        0,
        0,
        &[0, 1, 0, 0, 0, 0, 0, 4, 0, 0x10, 0, 0],
    );
    frame(&mut bytes, WINDOW_UPDATE, 0, 0, &[0, 0x0f, 0, 0]);
    bytes
}

/// A request on a stream of its own.
pub(super) fn request(request: &RawRequest, secure: bool, stream: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let block = block(request, if secure { &b"https"[..] } else { b"http" });
    let chunks: Vec<&[u8]> = block.chunks(FRAME).collect();
    for (at, chunk) in chunks.iter().enumerate() {
        let (kind, first) = if at == 0 {
            (HEADERS, END_STREAM)
        } else {
            (CONTINUATION, 0)
        };
        let last = if at + 1 == chunks.len() { END_HEADERS } else { 0 };
        frame(&mut bytes, kind, first | last, stream, chunk);
    }
    bytes
}

fn frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    bytes.extend(&length[1..]);
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
}

fn block(request: &RawRequest, scheme: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    let mut add = |name: &[u8], value: &[u8]| {
        // A literal without indexing, with a new name.
        block.push(0);
        text(&mut block, name);
        text(&mut block, value);
    };
    add(b":method", &request.method);
    if request.method == b"CONNECT" {
        add(b":authority", &request.target);
    } else {
        add(b":scheme", scheme);
        add(b":path", &request.target);
        request.host.iter().for_each(|host| add(b":authority", host));
    }
    request.headers.iter().for_each(|(name, value)| add(name, value));
    block
}

/// Length and bytes, without Huffman's code.
fn text(block: &mut Vec<u8>, text: &[u8]) {
    const PREFIX: usize = 0x7f;
    if text.len() < PREFIX {
        block.push(low_byte(text.len()));
    } else {
        block.push(low_byte(PREFIX));
        let mut rest = text.len() - PREFIX;
        while rest > PREFIX {
            block.push(low_byte(rest & PREFIX) | 0x80);
            rest >>= 7;
        }
        block.push(low_byte(rest));
    }
    block.extend(text);
}

fn low_byte(number: usize) -> u8 {
    u8::try_from(number & 0xff).unwrap_or_default()
}

/// Reads until the stream or the connection ends; what comes behind stays in `bytes`.
pub(super) async fn read(wire: &mut Box<dyn Wire>, bytes: &mut Vec<u8>) -> Result<RawAnswer> {
    let mut answer = RawAnswer::default();
    let mut body = Vec::new();
    loop {
        while bytes.len() < 9 || bytes.len() < 9 + length(bytes) {
            if !more(wire, bytes).await {
                answer.body = String::from_utf8_lossy(&body).into_owned();
                return Ok(answer);
            }
        }
        let rest = bytes.split_off(9 + length(bytes));
        let (kind, flags, payload) = (bytes[3], bytes[4], &bytes[9..]);
        match kind {
            HEADERS => headers(payload, &mut answer)?,
            DATA => body.extend(payload),
            _ => {}
        }
        let ends = matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0;
        *bytes = rest;
        if ends || matches!(kind, RESET | GOAWAY) {
            answer.body = String::from_utf8_lossy(&body).into_owned();
            return Ok(answer);
        }
    }
}

fn length(bytes: &[u8]) -> usize {
    bytes[..3]
        .iter()
        .fold(0, |length, byte| length << 8 | usize::from(*byte))
}

/// In the form of HTTP/1.1; trailers have no status, and stand below.
fn headers(block: &[u8], answer: &mut RawAnswer) -> Result<()> {
    for (name, value) in hpack::fields(block)? {
        if name == ":status" {
            answer.status = Some(value.parse()?);
            answer.head = format!("HTTP/2 {value}\r\n");
        } else {
            answer.head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    answer.status.context("no status")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_hpack_does() {
        // RFC 7541, C.1.2 with a prefix of 7 bits: 1337 is 127, then 1210.
        let mut block = Vec::new();
        text(&mut block, &[b'x'; 1337]);
        assert_eq!(block[..3], [127, 0b1011_1010, 0b0000_1001]);
    }
}
