//! A request from a URL, a method and header lines.

use http::{HeaderName, Method, Uri};
use sealgate_core::explain::{Protocol, Question};
use thiserror::Error;

/// Not a request.
#[derive(Debug, Error)]
pub enum RequestError {
    /// The method.
    #[error("method {0}: not a method")]
    Method(String),
    /// The URL.
    #[error("URL {0}: not a URL: {1}")]
    Url(String, http::uri::InvalidUri),
    /// The URL has no scheme or no host.
    #[error("URL {0}: a URL has a scheme and a host, such as https://a.example/path")]
    Relative(String),
    /// A header without a colon.
    #[error("header {0}: expected name: value")]
    Header(String),
    /// A header with an invalid name.
    #[error("header {0}: {1:?} is not a header name")]
    HeaderName(String, String),
}

/// Reads a URL, a method and headers, each `name: value`.
///
/// # Errors
/// One of them is invalid.
pub fn request<'h>(
    url: &str,
    method: &str,
    headers: impl IntoIterator<Item = &'h str>,
    protocol: Protocol,
) -> Result<Question, RequestError> {
    Method::from_bytes(method.as_bytes()).map_err(|_| RequestError::Method(method.to_owned()))?;
    let target: Uri = url
        .parse()
        .map_err(|error| RequestError::Url(url.to_owned(), error))?;
    let (Some(scheme), Some(authority)) = (target.scheme_str(), target.authority()) else {
        return Err(RequestError::Relative(url.to_owned()));
    };
    Ok(Question {
        port: target.port_u16(),
        scheme: scheme.to_owned(),
        method: method.to_owned(),
        authority: authority.to_string(),
        path: target
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned(),
        headers: headers.into_iter().map(header).collect::<Result<_, _>>()?,
        protocol,
        ..Question::default()
    })
}

fn header(written: &str) -> Result<(String, String), RequestError> {
    let (name, value) = written
        .split_once(':')
        .ok_or_else(|| RequestError::Header(written.to_owned()))?;
    let name = name.trim();
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| RequestError::HeaderName(written.to_owned(), name.to_owned()))?;
    Ok((name.to_owned(), value.trim().to_owned()))
}
