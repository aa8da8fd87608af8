//! A request line of `explain --batch`.

use serde::Deserialize;
use serde_json::Value;

use super::{CodecRefusal, Protocol};
use crate::arrival::{Arrival, PathPolicy, arrival};
use crate::draw::Draw;
use crate::request::Request;

/// One line of a batch.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Question {
    /// Echoed.
    #[serde(default)]
    pub id: Value,
    /// The Gateway's port number; by default, that of the scheme.
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
    /// The random number for weighted choices.
    #[serde(default)]
    pub draw: f64,
    /// The random number for a fault's delay.
    #[serde(default)]
    pub delay_draw: Option<f64>,
    /// The random number for a fault's abort.
    #[serde(default)]
    pub abort_draw: Option<f64>,
    /// `HTTP/1.1` by default.
    #[serde(default)]
    pub protocol: Protocol,
    /// The scheme of its target, if that is a whole URL: rules see this one. Set by [`Self::arrive`].
    #[serde(skip)]
    pub target_scheme: Option<String>,
}

/// The greatest number that can be drawn: with it, only a fault of every request happens.
const GREATEST: f64 = 1.0 - f64::EPSILON / 2.0;

fn https() -> String {
    "https".to_owned()
}

fn get() -> String {
    "GET".to_owned()
}

fn root() -> String {
    "/".to_owned()
}

/// How Envoy answers by itself, before any rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EarlyAnswer {
    /// 307, to this path.
    Redirect(String),
    /// 400: the path is invalid, or it needs a redirect, which gRPC does not have.
    BadPath,
    /// The codec rejects the request.
    Refused(CodecRefusal),
}

impl Question {
    /// The request as rules see it.
    ///
    /// # Errors
    /// No rule sees it.
    pub fn arrive(&self, paths: PathPolicy) -> Result<Self, EarlyAnswer> {
        let mut received = self.received().map_err(EarlyAnswer::Refused)?;
        received.headers = received.headers_as_seen();
        let path = match arrival(&received.path, paths) {
            Arrival::Seen(path) => path.into_owned(),
            Arrival::Refused => return Err(EarlyAnswer::BadPath),
            Arrival::Redirected(_) if received.is_grpc() => return Err(EarlyAnswer::BadPath),
            Arrival::Redirected(path) => return Err(EarlyAnswer::Redirect(path)),
        };
        Ok(Self { path, ..received })
    }

    /// Whether its client only understands gRPC answers. A request without a path is not gRPC.
    #[must_use]
    pub fn is_grpc(&self) -> bool {
        let mut is_grpc = false;
        if self.method == "CONNECT" {
            return false;
        }
        self.header("content-type", &mut |value| {
            let rest = value.strip_prefix(b"application/grpc");
            is_grpc |= rest.is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'+'));
        });
        is_grpc
    }

    /// The first value of a header.
    pub(super) fn first_value(&self, name: &str) -> Option<Vec<u8>> {
        let mut first = None;
        self.header(name, &mut |value| {
            first.get_or_insert_with(|| value.to_vec());
        });
        first
    }

    /// The random number for this. If none is given, only faults that affect every request happen.
    #[must_use]
    pub fn draw(&self, of: Draw) -> f64 {
        match of {
            Draw::Destination => self.draw,
            Draw::Delay => self.delay_draw.unwrap_or(GREATEST),
            Draw::Abort => self.abort_draw.unwrap_or(GREATEST),
        }
    }

    /// Checks that all given numbers are possible.
    ///
    /// # Errors
    /// The name of one that is not.
    pub fn check_draws(&self) -> Result<(), &'static str> {
        let given = [
            ("draw", Some(self.draw)),
            ("delayDraw", self.delay_draw),
            ("abortDraw", self.abort_draw),
        ];
        let odd = |draw: Option<f64>| draw.is_some_and(|draw| !(0.0..1.0).contains(&draw));
        match given.into_iter().find(|(_, draw)| odd(*draw)) {
            Some((name, _)) => Err(name),
            None => Ok(()),
        }
    }

    /// The Gateway's port on which it arrives.
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
            ":scheme" => each(self.target_scheme.as_ref().unwrap_or(&self.scheme).as_bytes()),
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
