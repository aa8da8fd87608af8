//! A worker with rules of every kind, and requests that reach each.

use std::cell::Cell;
use std::rc::Rc;

use sealgate_core::config::HttpRoute;
use sealgate_core::convert;
use sealgate_core::identity::{FILTER_STATE, PoliciesConfig};
use sealgate_core::rules::{RuleOrigin, TableConfig, VirtualHostConfig};
use sealgate_core::table::encode_parts;
use serde_json::{Value, json};

use super::fake_host::{FakeCall, FakeHost, Script};
use crate::abi::{self, FilterAction, HeaderMap};
use crate::exports;
use crate::host::HeaderPairs;

const PORT: u16 = 443;
const PEM: &str = include_str!("../../../tests/data/identity/rfc9440-1.pem");
const SHA256: &str = "bfaf1f7e070f9fa8dd62905f158da73f84a1136624fbafcc9393c8f7287a69eb";

/// A client's value of a header that a rule writes.
const FORGED: &str = "forged";
/// The destination of requests with `x-blocked`, and of those without.
pub(super) const BLOCKED: &str = "blocked";
pub(super) const OPEN: &str = "open";

fn rules() -> Value {
    let to = |host: &str| json!([{"destination": {"host": host}}]);
    let uri = |prefix: &str| json!([{"uri": {"prefix": prefix}}]);
    let headers = json!({
        "request": {"set": {"x-set": "1", "x-sni": "%REQUESTED_SERVER_NAME%"},
            "add": {"x-add": "%REQ(x-sni)%"}, "remove": ["x-remove"]},
        "response": {"set": {"x-set": "2", "x-code": "%RESPONSE_CODE% %REQ(:path)% %PROTOCOL%"},
            "add": {"x-add": "2"}, "remove": ["x-secret", "x-other"]},
    });
    json!([
        {"match": [{"uri": {"prefix": "/guarded"}, "withoutHeaders": {"x-blocked": {}}}], "route": to(OPEN)},
        {"match": uri("/guarded"), "route": to(BLOCKED)},
        {"match": uri("/full"), "route": to("full"), "headers": headers, "timeout": "3s",
            "rewrite": {"uri": "/rewritten", "authority": "b.example"},
            "retries": {"attempts": 2, "perTryTimeout": "1s", "retryOn": "5xx,503,unavailable"},
            "mirrors": [{"destination": {"host": "mirror"}}],
            "fault": {"delay": {"fixedDelay": "1s", "percentage": {"value": 100}}},
            "corsPolicy": {"allowOrigins": [{"exact": "https://o.example"}]}},
        {"match": uri("/redirect"), "redirect": {"uri": "/there"}, "headers": headers},
        {"match": uri("/direct"), "directResponse": {"status": 418, "body": {"string": "no"}}},
        {"match": uri("/abort"), "route": to("never"),
            "fault": {"abort": {"httpStatus": 555, "percentage": {"value": 100}}}},
        {"match": uri("/grpc-abort"), "route": to("never"),
            "fault": {"abort": {"grpcStatus": "UNAVAILABLE", "percentage": {"value": 100}}}},
        {"match": uri("/late-abort"), "route": to("never"),
            "fault": {"delay": {"fixedDelay": "1s", "percentage": {"value": 100}},
                "abort": {"httpStatus": 555, "percentage": {"value": 100}}}},
    ])
}

fn parts() -> Vec<Vec<u8>> {
    let rules: Vec<HttpRoute> = serde_json::from_value(rules()).unwrap();
    let convert = |(at, route): (usize, &HttpRoute)| {
        let origin = RuleOrigin {
            virtual_service: "ns/vs".to_owned(),
            rule: at,
            ..RuleOrigin::default()
        };
        let kept: Vec<usize> = (0..route.r#match.len()).collect();
        let rule = convert::rule(origin, route, &kept, &mut |to| to.host.clone());
        rule.unwrap().0
    };
    let policies: PoliciesConfig = serde_json::from_value(json!({
        "demands": [{"server": "s", "domains": ["a.example"], "policy": "p"}],
    }))
    .unwrap();
    let config = TableConfig {
        port: PORT,
        virtual_hosts: vec![VirtualHostConfig {
            domains: vec!["a.example".to_owned()],
            https_redirect: false,
            rules: rules.iter().enumerate().map(convert).collect(),
        }],
        policies,
    };
    encode_parts([&config]).unwrap()
}

/// A client's request and its connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct FakeRequest {
    pub(super) host: &'static str,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// Its chain, its policy, and whether certificates are checked.
    pub(super) origin: &'static str,
    pub(super) blocked: bool,
}

const PLAIN: FakeRequest = FakeRequest {
    host: "a.example",
    method: "GET",
    path: "/guarded",
    origin: "discrete p checked",
    blocked: false,
};

/// One for each way of handling a request.
pub(super) fn requests() -> Vec<FakeRequest> {
    let path = |path| FakeRequest { path, ..PLAIN };
    let origin = |origin| FakeRequest { origin, ..PLAIN };
    let blocked = |request| FakeRequest {
        blocked: true,
        ..request
    };
    vec![
        PLAIN,
        blocked(PLAIN),
        path("/full"),
        path("/redirect"),
        path("/direct"),
        path("/abort"),
        path("/grpc-abort"),
        path("/late-abort"),
        path("/nowhere"),
        FakeRequest {
            method: "OPTIONS",
            ..path("/full")
        },
        FakeRequest {
            host: "unknown.example",
            ..PLAIN
        },
        origin("discrete q checked"),
        blocked(origin("discrete p -")),
        origin("appended p checked"),
        origin("chained p checked"),
        origin("untold p checked"),
    ]
}

/// The outcome of a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) headers: FilterAction,
    /// None if it did not get that far.
    pub(super) trailers: Option<FilterAction>,
    /// The statuses of HTTP and gRPC.
    pub(super) answers: Vec<(u32, i32)>,
    /// Their headers in the ABI's form, and their bodies.
    pub(super) sent: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) request: HeaderPairs,
    pub(super) request_trailers: HeaderPairs,
    pub(super) response: HeaderPairs,
    pub(super) response_trailers: HeaderPairs,
    /// The filter's calls, and how many of them were before the response.
    pub(super) asked: Vec<FakeCall>,
    pub(super) asked_before_response: usize,
}

impl Outcome {
    pub(super) fn cluster(&self) -> Option<&[u8]> {
        let mut headers = self.request.iter();
        let found = headers.find(|(name, _)| name == sealgate_core::names::CLUSTER);
        found.map(|(_, value)| value.as_slice())
    }
}

/// The VM of one worker. The filter's state is per thread, so there is one for each thread.
pub(super) struct Machine {
    pub(super) host: Rc<FakeHost>,
    next: Cell<u32>,
}

impl Machine {
    /// Without any part of the table.
    pub(super) fn empty() -> Self {
        let host = Rc::new(FakeHost::new());
        abi::install(host.clone());
        let next = Cell::new(1);
        Self { host, next }
    }

    /// With the whole table.
    pub(super) fn new() -> Self {
        let machine = Self::empty();
        for part in parts() {
            assert!(machine.configured(part).1);
        }
        machine
    }

    pub(super) fn id(&self) -> u32 {
        self.next.replace(self.next.get() + 1)
    }

    /// A plugin, and whether it accepts its configuration.
    pub(super) fn configured(&self, configuration: Vec<u8>) -> (u32, bool) {
        let id = self.id();
        exports::proxy_on_context_create(id, 0);
        let size = configuration.len();
        *self.host.configuration.borrow_mut() = configuration;
        (id, exports::proxy_on_configure(id, size))
    }

    /// The plugin of the port, which has not seen any connection yet.
    pub(super) fn port(&self) -> u32 {
        let told = json!([
            {"chains": ["discrete"], "identity": {}},
            {"chains": ["appended"], "identity": {"xfcc": "appendForward"}},
            {"chains": ["chained"], "identity": {"clientCert": "chain"}},
        ]);
        let config = json!({"port": PORT, "told": told}).to_string();
        let (plugin, is_taken) = self.configured(config.into_bytes());
        assert!(is_taken);
        plugin
    }

    /// Runs a request from start to end.
    pub(super) fn run(&self, request: FakeRequest, script: Script) -> Outcome {
        let plugin = self.port();
        self.arrive(request);
        self.host.follow(script);
        let outcome = self.play(plugin);
        self.host.follow(Box::new(|_, _| super::fake_host::Reply::Honest));
        exports::proxy_on_delete(plugin);
        outcome
    }

    fn arrive(&self, request: FakeRequest) {
        let host = &self.host;
        host.answers.borrow_mut().clear();
        host.sent.borrow_mut().clear();
        let facts = format!(
            "{} - {SHA256} TLSv1.3 TLS_AES_128_GCM_SHA256 a.example",
            request.origin
        );
        let state = format!("filter_state\0{FILTER_STATE}");
        *host.properties.borrow_mut() = [
            (state.as_str(), facts.as_bytes()),
            ("connection\0peer_certificate", PEM.as_bytes()),
            ("connection\0peer_certificate_valid", &[1]),
            ("connection\0requested_server_name", b"a.example"),
            ("request\0protocol", b"HTTP/2"),
        ]
        .map(|(path, value)| (path.as_bytes().to_vec(), value.to_vec()))
        .into();
        host.maps.borrow_mut().clear();
        let mut headers = vec![
            (":authority", request.host),
            (":method", request.method),
            (":path", request.path),
            (":scheme", "https"),
            ("origin", "https://o.example"),
            ("access-control-request-method", "PUT"),
            ("x-forwarded-client-cert", "By=x;Chain=\"\""),
            ("x-remove", "1"),
            ("x-sni", FORGED),
        ];
        if request.blocked {
            headers.push(("x-blocked", "1"));
        }
        host.set_headers(HeaderMap::Request, &headers);
    }

    fn play(&self, plugin: u32) -> Outcome {
        let host = &self.host;
        let id = self.id();
        exports::proxy_on_context_create(id, plugin);
        let headers = exports::proxy_on_request_headers(id, host.headers(HeaderMap::Request).len(), false);
        let request = host.headers(HeaderMap::Request);
        let mut trailers = None;
        host.set_headers(
            HeaderMap::RequestTrailers,
            &[("x-sealgate-cluster", "forged"), ("te", "x"), ("kept", "1")],
        );
        if headers == FilterAction::Continue {
            trailers = Some(exports::proxy_on_request_trailers(id, 3));
        }
        let request_trailers = host.headers(HeaderMap::RequestTrailers);
        // Headers are gone once the request continues.
        host.maps.borrow_mut().clear();
        host.set_headers(
            HeaderMap::Response,
            &[(":status", "200"), ("x-secret", "1"), ("vary", "Client-Cert")],
        );
        let asked_before_response = host.asked().len();
        let on = FilterAction::Continue;
        assert_eq!(exports::proxy_on_response_headers(id, 0, false), on);
        host.set_headers(
            HeaderMap::ResponseTrailers,
            &[("x-secret", "1"), ("x-set", "theirs"), ("kept", "1")],
        );
        assert_eq!(exports::proxy_on_response_trailers(id, 3), on);
        exports::proxy_on_delete(id);
        Outcome {
            headers,
            trailers,
            answers: host.answers.borrow().clone(),
            sent: host.sent.borrow().clone(),
            request,
            request_trailers,
            response: host.headers(HeaderMap::Response),
            response_trailers: host.headers(HeaderMap::ResponseTrailers),
            asked: host.asked(),
            asked_before_response,
        }
    }
}
