//! The token that requests to the admin interface need (`--admin-token-file`), except probes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

/// Shorter tokens can be guessed.
const SHORTEST: usize = 16;
/// A longer file is not a token file.
const LONGEST: u64 = 4096;
/// Probes send no token, and learn only whether the agent is alive and ready.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];
/// Programs send the token; browsers ask for it as a password, with any user name.
const CHALLENGES: [&str; 2] = ["Bearer realm=\"sealgate\"", "Basic realm=\"sealgate\""];

/// Why a file holds no token.
#[derive(Debug, Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("{0}: {1}")]
    Unreadable(PathBuf, io::Error),
    /// It is empty, or too short to be one.
    #[error("{0}: a token has at least {SHORTEST} characters, on one line")]
    Short(PathBuf),
    /// It has characters that a header cannot have.
    #[error("{0}: a token has visible ASCII characters, on one line")]
    Unfit(PathBuf),
}

/// The token of a file, without the line feed at its end.
///
/// # Errors
/// See [`TokenError`].
pub fn read_token(path: &Path) -> Result<Zeroizing<String>, TokenError> {
    let unreadable = |error| TokenError::Unreadable(path.to_owned(), error);
    let length = fs::metadata(path).map_err(unreadable)?.len();
    if length > LONGEST {
        return Err(TokenError::Unfit(path.to_owned()));
    }
    let text = Zeroizing::new(fs::read(path).map_err(unreadable)?);
    let token = text.trim_ascii();
    if token.len() < SHORTEST {
        return Err(TokenError::Short(path.to_owned()));
    }
    match std::str::from_utf8(token) {
        Ok(token) if token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(Zeroizing::new(token.to_owned()))
        }
        _ => Err(TokenError::Unfit(path.to_owned())),
    }
}

/// The digest of a token; the token itself is not kept.
type TokenDigest = [u8; 32];

fn digest(token: &[u8]) -> TokenDigest {
    Sha256::digest(token).into()
}

/// The token of a file, which may be replaced while the agent runs. Only its digest is kept.
#[derive(Clone, Debug)]
pub struct AdminToken {
    path: PathBuf,
    /// The digest of the last token that could be read.
    last: Arc<Mutex<TokenDigest>>,
}

impl AdminToken {
    /// Reads it.
    ///
    /// # Errors
    /// The file holds no token.
    pub fn open(path: &Path) -> Result<Self, TokenError> {
        let token = read_token(path)?;
        Ok(Self {
            path: path.to_owned(),
            last: Arc::new(Mutex::new(digest(token.as_bytes()))),
        })
    }

    /// Whether this is the token, compared in constant time. While the file cannot be read, the last token stays valid.
    fn is(&self, given: &[u8]) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(token) = read_token(&self.path) {
            *last = digest(token.as_bytes());
        }
        verify_slices_are_equal(&*last, &digest(given)).is_ok()
    }
}

/// Lets requests through that have the token or need none.
pub(super) async fn authorize(
    State(token): State<Option<AdminToken>>,
    request: Request,
    next: Next,
) -> Response {
    let is_open = PROBES.contains(&request.uri().path());
    match token {
        Some(token) if !is_open && !is_authorized(request.headers(), &token) => refusal(),
        _ => next.run(request).await,
    }
}

fn is_authorized(headers: &HeaderMap, token: &AdminToken) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(given);
    given.is_some_and(|given| token.is(&given))
}

/// The token in a header: a bearer token or a password.
fn given(value: &HeaderValue) -> Option<Zeroizing<Vec<u8>>> {
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Zeroizing::new(rest.as_bytes().to_vec()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = Zeroizing::new(STANDARD.decode(rest).ok()?);
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(Zeroizing::new(pair.get(colon + 1..)?.to_vec()))
}

fn refusal() -> Response {
    let challenges = CHALLENGES.map(|text| (header::WWW_AUTHENTICATE, HeaderValue::from_static(text)));
    let message = "this requires the token in --admin-token-file\n";
    let mut response = (StatusCode::UNAUTHORIZED, message).into_response();
    let headers: &mut HeaderMap<HeaderValue> = response.headers_mut();
    for (name, value) in challenges {
        let _: bool = headers.append::<HeaderName>(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        (folder, path)
    }

    fn is_authorized_by(token: &AdminToken, value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        is_authorized(&headers, token)
    }

    #[test]
    fn a_file_holds_one_long_line() {
        let (_folder, path) = folder();
        assert!(matches!(read_token(&path), Err(TokenError::Unreadable(..))));
        for (text, is_token) in [
            (TOKEN, true),
            ("0123456789abcdef\n", true),
            ("0123456789abcde\n", false),
            ("", false),
            ("0123456789abcdef\n0123456789abcdef", false),
            ("0123456789 abcdef", false),
            ("0123456789abcd\u{e9}f", false),
        ] {
            fs::write(&path, text).unwrap();
            let read = read_token(&path);
            assert_eq!(read.is_ok(), is_token, "{text:?}");
            assert!(read.is_err() || read.is_ok_and(|read| *read == TOKEN));
        }
    }

    #[test]
    fn the_token_is_a_bearers_or_a_password_and_may_be_replaced() {
        let (_folder, path) = folder();
        fs::write(&path, TOKEN).unwrap();
        let token = AdminToken::open(&path).unwrap();
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for (value, is_it) in [
            (format!("Bearer {TOKEN}"), true),
            (format!("bearer  {TOKEN}"), true),
            (basic(&format!("me:{TOKEN}")), true),
            (basic(&format!(":{TOKEN}")), true),
            (basic(TOKEN), false),
            (basic(&format!("{TOKEN}:")), false),
            (format!("Bearer {TOKEN}0"), false),
            ("Bearer ".to_owned(), false),
            (format!("Digest {TOKEN}"), false),
            (TOKEN.to_owned(), false),
        ] {
            assert_eq!(is_authorized_by(&token, &value), is_it, "{value}");
        }
        assert!(!is_authorized(&HeaderMap::new(), &token));

        fs::write(&path, "another-token-of-16").unwrap();
        assert!(!is_authorized_by(&token, &format!("Bearer {TOKEN}")));
        assert!(is_authorized_by(&token, "Bearer another-token-of-16"));
        fs::remove_file(&path).unwrap();
        assert!(
            is_authorized_by(&token, "Bearer another-token-of-16"),
            "it stands"
        );
    }
}
