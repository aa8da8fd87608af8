//! Replaces an invalid `:authority`. To an SDS provider of Istio, Envoy up to 1.30 sends the name of the cluster
//! (`outbound|9000||sds.internal`), and gRPC's C++ client sends the path of a Unix socket; our HTTP/2 library rejects
//! both as malformed. Nothing depends on the authority here, so it is rewritten as requests arrive.
//!
//! That needs no state of the connection: header fields include their length. The new value is as long as the old one,
//! so that the dynamic tables of both sides keep the same entries (RFC 7541, 4.1).

mod field;
mod huffman;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

/// `PRI * HTTP/2.0...` (RFC 9113, 3.4).
const PREFACE: usize = 24;
/// The header of a frame (4.1).
const FRAME_HEADER: usize = 9;
/// Longer frames are rejected anyway (6.5.2).
const LONGEST_FRAME: usize = 16_384;
const HEADERS: u8 = 1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
/// The length of a priority.
const PRIORITY_LENGTH: usize = 5;
const READ: usize = 8 * 1024;

/// A connection whose requests have an authority that our HTTP/2 library accepts.
#[derive(Debug)]
pub(super) struct LenientAuthority<C> {
    connection: C,
    frames: Frames,
    /// Bytes that may be read.
    ready: Vec<u8>,
    read: usize,
}

impl<C> LenientAuthority<C> {
    pub(super) fn new(connection: C) -> Self {
        Self {
            connection,
            frames: Frames::default(),
            ready: Vec::new(),
            read: 0,
        }
    }
}

impl<C: Connected> Connected for LenientAuthority<C> {
    type ConnectInfo = C::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.connection.connect_info()
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for LenientAuthority<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let waiting = this.ready.get(this.read..).unwrap_or_default();
            if !waiting.is_empty() {
                let length = waiting.len().min(buffer.remaining());
                buffer.put_slice(waiting.get(..length).unwrap_or_default());
                this.read += length;
                return Poll::Ready(Ok(()));
            }
            this.ready.clear();
            this.read = 0;
            let mut bytes = [0; READ];
            let mut come = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.connection).poll_read(context, &mut come))?;
            if come.filled().is_empty() {
                this.frames.end(&mut this.ready);
                if this.ready.is_empty() {
                    return Poll::Ready(Ok(()));
                }
            }
            this.frames.take(come.filled(), &mut this.ready);
        }
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for LenientAuthority<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(context)
    }
}

/// Frames as they arrive. All but HEADERS frames pass immediately.
#[derive(Debug)]
struct Frames {
    /// How many bytes pass unchanged.
    pass: usize,
    /// Bytes of an incomplete frame.
    held: Vec<u8>,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            pass: PREFACE,
            held: Vec::new(),
        }
    }
}

impl Frames {
    fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(bytes);
        let mut rest = self.held.as_slice();
        loop {
            let (passes, after) = rest.split_at(self.pass.min(rest.len()));
            out.extend_from_slice(passes);
            self.pass -= passes.len();
            rest = after;
            let Some((header, payload)) = rest.split_first_chunk::<FRAME_HEADER>() else {
                break;
            };
            let [a, b, c, kind, ..] = *header;
            let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
            if kind != HEADERS || length > LONGEST_FRAME {
                self.pass = FRAME_HEADER + length;
                continue;
            }
            let Some((payload, after)) = payload.split_at_checked(length) else {
                break;
            };
            match rewritten(header, payload) {
                Some(frame) => out.extend(frame),
                None => {
                    out.extend_from_slice(header);
                    out.extend_from_slice(payload);
                }
            }
            rest = after;
        }
        let done = self.held.len() - rest.len();
        self.held.drain(..done);
    }

    /// The connection ends.
    fn end(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held);
    }
}

/// A HEADERS frame with another authority; none if it has a valid one, or cannot be read. A block that is longer than a
/// frame is not changed.
fn rewritten(header: &[u8; FRAME_HEADER], payload: &[u8]) -> Option<Vec<u8>> {
    let [.., flags, i, j, k, l] = *header;
    if flags & END_HEADERS == 0 {
        return None;
    }
    let payload = if flags & PADDED == 0 {
        payload
    } else {
        let (padding, rest) = payload.split_first()?;
        rest.get(..rest.len().checked_sub(usize::from(*padding))?)?
    };
    let priority = if flags & PRIORITY == 0 { 0 } else { PRIORITY_LENGTH };
    let (priority, block) = payload.split_at_checked(priority)?;
    let block = field::with_an_authority(block)?;
    let length = priority.len() + block.len();
    if length > LONGEST_FRAME {
        return None;
    }
    let [_, a, b, c] = u32::try_from(length).ok()?.to_be_bytes();
    let header = [a, b, c, HEADERS, flags & !PADDED, i, j, k, l];
    Some([&header, priority, &block].concat())
}

#[cfg(test)]
mod tests;
