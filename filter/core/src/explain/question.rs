//! A request line of `explain --batch`.

use serde::Deserialize;
use serde_json::Value;

use crate::arrival::{Arrival, PathNormalization, arrival};
use crate::header_format::{Fact, Facts};
use crate::request::Request;

/// One line of a batch.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Echoed.
    #[serde(default)]
    pub id: Value,
    /// The Gateway's number; by default the scheme's.
    #[serde(default)]
    pub port: Option<u16>,
    /// `https` by default.
    #[serde(default = "https")]
    pub scheme: String,
    /// `GET` by default.
    #[serde(default = "get")]
    pub method: String,
    /// The Host.
    pub authority: String,
    /// With its query.
    #[serde(default = "root")]
    pub path: String,
    /// Names and values; may repeat.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The random number of weighted choices.
    #[serde(default)]
    pub draw: f64,
}

fn https() -> String {
    "https".to_owned()
}

fn get() -> String {
    "GET".to_owned()
}

fn root() -> String {
    "/".to_owned()
}

/// How Envoy answers by itself because of a path, before any rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EarlyAnswer {
    /// 307, to this path.
    Redirect(String),
    /// 400: no path may be like that, or it asks for a redirect, which gRPC does not know.
    Refusal,
}

impl Question {
    /// The request as rules see it.
    ///
    /// # Errors
    /// No rule sees it.
    pub fn arrive(&self, paths: PathNormalization) -> Result<Self, EarlyAnswer> {
        match arrival(&self.path, paths) {
            Arrival::Seen(path) => Ok(Self {
                path: path.into_owned(),
                ..self.clone()
            }),
            Arrival::Refused => Err(EarlyAnswer::Refusal),
            Arrival::Redirected(_) if self.is_grpc() => Err(EarlyAnswer::Refusal),
            Arrival::Redirected(path) => Err(EarlyAnswer::Redirect(path)),
        }
    }

    fn is_grpc(&self) -> bool {
        let mut is_grpc = false;
        self.header("content-type", &mut |value| {
            let rest = value.strip_prefix(b"application/grpc");
            is_grpc |= rest.is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'+'));
        });
        is_grpc
    }

    /// The Gateway's port that it comes in on.
    #[must_use]
    pub fn listener_port(&self) -> u16 {
        self.port.unwrap_or(if self.scheme == "http" { 80 } else { 443 })
    }
}

impl Request for Question {
    fn authority(&self) -> &[u8] {
        self.authority.as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }

    fn header(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        match name {
            ":authority" | "host" => each(self.authority.as_bytes()),
            ":path" => each(self.path.as_bytes()),
            ":method" => each(self.method.as_bytes()),
            ":scheme" => each(self.scheme.as_bytes()),
            _ => {
                let values = self
                    .headers
                    .iter()
                    .filter(|(own, _)| own.eq_ignore_ascii_case(name));
                values.for_each(|(_, value)| each(value.as_bytes()));
            }
        }
    }
}

impl Facts for Question {
    /// What a question says nothing of is not known.
    fn fact(&self, _: Fact) -> Option<Vec<u8>> {
        None
    }

    fn request_header(&self, name: &str) -> Option<Vec<u8>> {
        let mut first = None;
        self.header(name, &mut |value| {
            first.get_or_insert_with(|| value.to_vec());
        });
        first
    }
}
