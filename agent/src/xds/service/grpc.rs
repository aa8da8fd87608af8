//! gRPC messages. Those to the proxy are framed here: tonic's encoder would keep a buffer for the largest message of a
//! stream as long as the stream lives, which would be most of the agent's memory with thousands of chains.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::StreamBody;
use hyper::body::Frame;
use prost::Message;
use tonic::metadata::GRPC_CONTENT_TYPE;
use tonic::{Status, Streaming};
use tonic_prost::ProstDecoder;
use zeroize::Zeroizing;

use crate::snapshot::TypeUrl;

/// A byte for "not compressed", and the length.
const HEADER_BYTES: usize = 5;

/// The messages of a proxy, none larger than `limit`.
pub(in super::super) fn requests<M>(request: Request, limit: usize) -> Streaming<M>
where
    M: Message + Default + 'static,
{
    Streaming::new_request(ProstDecoder::default(), request.into_body(), None, Some(limit))
}

/// The messages to a proxy, framed; a status ends them.
pub(in super::super) fn response(
    messages: impl Stream<Item = Result<Bytes, Status>> + Send + 'static,
) -> Response {
    let frames = messages.map(|message| {
        Ok::<_, Infallible>(match message {
            Ok(bytes) => Frame::data(bytes),
            Err(status) => Frame::trailers(trailers(&status)),
        })
    });
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    response.headers_mut().insert(CONTENT_TYPE, GRPC_CONTENT_TYPE);
    response
}

/// A message as it is sent; it is wiped afterwards if it has private keys.
pub(in super::super) fn framed(kind: TypeUrl, append: impl FnOnce(&mut Vec<u8>)) -> Result<Bytes, Status> {
    let mut message = vec![0; HEADER_BYTES];
    append(&mut message);
    let length = u32::try_from(message.len() - HEADER_BYTES)
        .map_err(|_| Status::resource_exhausted("a message is larger than gRPC allows"))?;
    if let Some(place) = message.get_mut(1..HEADER_BYTES) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(match kind {
        TypeUrl::Secret => Bytes::from_owner(Zeroizing::new(message)),
        _ => message.into(),
    })
}

fn trailers(status: &Status) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // Its code always fits into a header, and comes first.
    let _ = status.add_header(&mut headers);
    headers
}
