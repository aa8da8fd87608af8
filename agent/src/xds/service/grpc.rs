//! Messages as gRPC has them. Those to the proxy are framed here: tonic's encoder would keep room for the largest
//! message of a stream for as long as the stream lives, which with thousands of chains is most of the agent's memory.

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

/// Not compressed, and the length.
const HEADER_BYTES: usize = 5;

/// The messages of a proxy, none larger than `limit`.
pub(super) fn requests<M>(request: Request, limit: usize) -> Streaming<M>
where
    M: Message + Default + 'static,
{
    Streaming::new_request(ProstDecoder::default(), request.into_body(), None, Some(limit))
}

/// The messages to a proxy; a status ends them.
pub(super) fn response<M: Message + 'static>(
    messages: impl Stream<Item = Result<M, Status>> + Send + 'static,
) -> Response {
    let frames = messages.map(|message| {
        let framed = message.and_then(|message| frame(&message));
        Ok::<_, Infallible>(match framed {
            Ok(bytes) => Frame::data(bytes),
            Err(status) => Frame::trailers(trailers(&status)),
        })
    });
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    response.headers_mut().insert(CONTENT_TYPE, GRPC_CONTENT_TYPE);
    response
}

fn frame(message: &impl Message) -> Result<Bytes, Status> {
    let length = message.encoded_len();
    let told = u32::try_from(length)
        .map_err(|_| Status::resource_exhausted("a message is larger than gRPC can tell"))?;
    let mut framed = Vec::with_capacity(HEADER_BYTES + length);
    framed.push(0);
    framed.extend_from_slice(&told.to_be_bytes());
    message
        .encode(&mut framed)
        .map_err(|error| Status::internal(error.to_string()))?;
    Ok(framed.into())
}

fn trailers(status: &Status) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // Its code always fits into a header, and comes first.
    let _ = status.add_header(&mut headers);
    headers
}
