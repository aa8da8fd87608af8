//! HTTP/2 by hand (RFC 9113, RFC 7541): one stream on a connection, headers as literals that nothing checks.

use anyhow::{Context as _, Result};

use super::{RawAnswer, RawRequest, Wire, more};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME: usize = 16 * 1024;
const STREAM: u32 = 1;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Everything that is sent: the preface, windows wide enough for any answer, and the request.
pub(super) fn request(request: &RawRequest, secure: bool) -> Vec<u8> {
    let mut bytes = PREFACE.to_vec();
    // SETTINGS_INITIAL_WINDOW_SIZE is a megabyte.
    frame(&mut bytes, SETTINGS, 0, 0, &[0, 4, 0, 0x10, 0, 0]);
    frame(&mut bytes, WINDOW_UPDATE, 0, 0, &[0, 0x0f, 0, 0]);
    let block = block(request, if secure { &b"https"[..] } else { b"http" });
    let chunks: Vec<&[u8]> = block.chunks(FRAME).collect();
    for (at, chunk) in chunks.iter().enumerate() {
        let (kind, first) = if at == 0 {
            (HEADERS, END_STREAM)
        } else {
            (CONTINUATION, 0)
        };
        let last = if at + 1 == chunks.len() { END_HEADERS } else { 0 };
        frame(&mut bytes, kind, first | last, STREAM, chunk);
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

/// Reads until the stream or the connection ends.
pub(super) async fn read(wire: &mut Box<dyn Wire>) -> Result<RawAnswer> {
    let mut answer = RawAnswer::default();
    let (mut bytes, mut body) = (Vec::new(), Vec::new());
    loop {
        while bytes.len() < 9 || bytes.len() < 9 + length(&bytes) {
            if !more(wire, &mut bytes).await {
                answer.body = String::from_utf8_lossy(&body).into_owned();
                return Ok(answer);
            }
        }
        let rest = bytes.split_off(9 + length(&bytes));
        let (kind, flags, payload) = (bytes[3], bytes[4], &bytes[9..]);
        match kind {
            HEADERS => answer.status = Some(status(payload)?),
            DATA => body.extend(payload),
            _ => {}
        }
        let ends = matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0;
        if ends || matches!(kind, RESET | GOAWAY) {
            answer.body = String::from_utf8_lossy(&body).into_owned();
            return Ok(answer);
        }
        bytes = rest;
    }
}

fn length(bytes: &[u8]) -> usize {
    bytes[..3]
        .iter()
        .fold(0, |length, byte| length << 8 | usize::from(*byte))
}

/// `:status` comes first. Common ones are in the static table; others are three digits, by Huffman's code or not.
fn status(block: &[u8]) -> Result<u16> {
    const KNOWN: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    match block {
        [indexed @ 0x88..=0x8e, ..] => Ok(KNOWN[usize::from(indexed - 0x88)]),
        [0x08 | 0x48, 0x03, digits @ ..] => {
            let digits = digits.get(..3).context("cut off")?;
            Ok(std::str::from_utf8(digits)?.parse()?)
        }
        [0x08 | 0x48, length, code @ ..] => {
            let code = code.get(..usize::from(length & 0x7f)).context("cut off")?;
            let bits = code.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
            huffman(bits << (32 - 8 * code.len()))
        }
        _ => anyhow::bail!("{block:02x?}: no status"),
    }
}

/// Three digits: 0 to 2 are five bits, 3 to 9 six (RFC 7541, appendix B).
fn huffman(mut bits: u32) -> Result<u16> {
    let mut status = 0;
    for _ in 0..3 {
        let (digit, length) = match bits >> 27 {
            five @ 0..=2 => (five, 5),
            _ => ((bits >> 26).checked_sub(0b01_1001 - 3).context("no digit")?, 6),
        };
        status = status * 10 + digit;
        bits <<= length;
    }
    Ok(u16::try_from(status)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_in_every_form() {
        // 302 and 307 as in RFC 7541, appendix C.
        assert_eq!(status(&[0x88]).unwrap(), 200);
        assert_eq!(status(b"\x48\x03302").unwrap(), 302);
        assert_eq!(status(&[0x48, 0x82, 0x64, 0x02]).unwrap(), 302);
        assert_eq!(status(&[0x48, 0x83, 0x64, 0x0e, 0xff]).unwrap(), 307);
        assert!(status(b"\x00").is_err());
    }

    #[test]
    fn lengths_are_written_as_hpack_does() {
        // RFC 7541, C.1.2 with a prefix of 7 bits: 1337 is 127, then 1210.
        let mut block = Vec::new();
        text(&mut block, &[b'x'; 1337]);
        assert_eq!(block[..3], [127, 0b1011_1010, 0b0000_1001]);
    }
}
