//! Requests that match such rules, and some that should match none.

use fastrand::Rng;
use serde_json::{Value, json};

use super::pools::{BEHIND, METHODS, NAMES, ODD, ORIGINS, PATHS, TARGETS, VALUES, once_in, pick};
use crate::client::Version;
use crate::edge::{WAYS, Way};
use crate::raw::{RawRequest, bytes};

/// The header by which upstreams know a request.
pub(super) const NUMBER: &str = "x-number";

/// A request, as a question to `explain`.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) way: Way,
    pub(super) question: Value,
}

impl Asked {
    /// One to one of these hosts, mostly. Upstreams know it by its number.
    pub(super) fn any(rng: &mut Rng, hosts: &[String], number: &str) -> Self {
        let way = pick(rng, &WAYS);
        let Way { version, .. } = way;
        let host = hosts[rng.usize(..hosts.len())].clone();
        let authority = authority(rng, &host);
        let mut method = pick(rng, METHODS);
        let target = match rng.u32(..400) {
            // HTTP/2 makes a connection wait for its end.
            0..20 if version == Version::H1 => {
                method = pick(rng, &["GET", "OPTIONS", "CONNECT", "BREW"]);
                pick(rng, TARGETS).to_owned()
            }
            20..30 if version == Version::H1 => {
                let scheme = pick(rng, &["http", "http", "https"]);
                format!("{scheme}://{authority}{}", path(rng))
            }
            30 => {
                method = "CONNECT";
                format!("{host}:80")
            }
            _ => path(rng),
        };
        let mut headers = headers(rng);
        headers.push(json!([NUMBER, number]));
        let question = json!({
            "scheme": way.scheme(), "method": method, "authority": authority, "path": target, "headers": headers,
            "protocol": way.protocol(),
        });
        Self { way, question }
    }

    /// The question with what chance may have drawn: the ends of each share.
    pub(super) fn drawn(&self) -> impl Iterator<Item = Value> {
        const ENDS: [f64; 2] = [0.0, 0.999_999];
        let all = ENDS.into_iter().flat_map(|draw| ENDS.map(|abort| (draw, abort)));
        all.map(|(draw, abort)| {
            let mut question = self.question.clone();
            question["draw"] = draw.into();
            question["abortDraw"] = abort.into();
            question
        })
    }

    /// A part of the question.
    pub(super) fn text(&self, name: &str) -> &str {
        self.question[name].as_str().unwrap_or_default()
    }

    /// As it is sent.
    pub(super) fn request(&self) -> RawRequest {
        let pairs = self.question["headers"].as_array().into_iter().flatten();
        let pair = |pair: &Value| {
            let half = |at: usize| bytes(pair[at].as_str().unwrap_or_default());
            (half(0), half(1))
        };
        RawRequest {
            method: bytes(self.text("method")),
            target: self.text("path").into(),
            host: Some(bytes(self.text("authority"))),
            headers: pairs.map(pair).collect(),
        }
    }
}

fn authority(rng: &mut Rng, host: &str) -> String {
    match rng.u8(..20) {
        0 => host.to_ascii_uppercase(),
        1 => format!("{host}."),
        2 => format!("{host}:30080"),
        3 => format!("{host}:80"),
        4 => format!("{host}:443"),
        5 => "nobody.example".to_owned(),
        6 => format!("x.{host}"),
        _ => host.to_owned(),
    }
}

fn path(rng: &mut Rng) -> String {
    let own = pick(rng, PATHS);
    let path = match rng.u8(..6) {
        0 => format!("{}{}", pick(rng, ODD), own.trim_start_matches('/')),
        1 => format!("{own}{}{}", pick(rng, ODD), pick(rng, &["", "a", "b"])),
        2 => own.to_ascii_uppercase(),
        _ => own.to_owned(),
    };
    path + pick(rng, BEHIND)
}

fn headers(rng: &mut Rng) -> Vec<Value> {
    let mut headers = Vec::new();
    for _ in 0..rng.usize(..4) {
        headers.push(json!([pick(rng, NAMES), pick(rng, VALUES)]));
    }
    if once_in(rng, 3) {
        headers.push(json!(["origin", pick(rng, ORIGINS)]));
        if rng.bool() {
            headers.push(json!(["access-control-request-method", pick(rng, METHODS)]));
        }
    }
    if once_in(rng, 8) {
        let kinds = [
            "application/grpc",
            "application/grpc+proto",
            "text/plain",
            "application/grpc-web",
        ];
        headers.push(json!(["content-type", pick(rng, &kinds)]));
    }
    if once_in(rng, 12) {
        let forged = [
            "x-sealgate-cluster",
            "x-envoy-retry-on",
            "x-envoy-upstream-rq-timeout-ms",
            "x-envoy-internal",
        ];
        headers.push(json!([pick(rng, &forged), "1"]));
    }
    headers
}
