//! `networking.istio.io` VirtualService.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::null_as_default;

messages! {
    /// `spec` of a VirtualService.
    VirtualServiceSpec {
        /// The hosts that it applies to.
        hosts: Vec<String>,
        /// The Gateways that it is bound to, `ns/name` or `name`, and `mesh`.
        gateways: Vec<String>,
        /// Rules in order; the first match wins.
        http: Vec<HttpRoute>,
        /// Rules for TLS that is passed through, by SNI.
        tls: Vec<TlsRoute>,
        /// Rules for TCP, also inside TLS that ends at the gateway.
        tcp: Vec<TcpRoute>,
        /// Namespaces that see it.
        export_to: Vec<String>,
    }
    /// One rule.
    HttpRoute {
        /// For people.
        name: Option<String>,
        /// Any of these; empty matches all.
        r#match: Vec<HttpMatch>,
        /// Destinations by weight.
        route: Vec<HttpRouteDestination>,
        /// Answer with a redirect.
        redirect: Option<Box<HttpRedirect>>,
        /// Answer at once.
        direct_response: Option<Box<DirectResponse>>,
        /// Rules of another VirtualService, which has no hosts.
        delegate: Option<Box<Delegate>>,
        /// What the upstream sees.
        rewrite: Option<Box<HttpRewrite>>,
        /// Timeout of the whole request.
        timeout: Option<String>,
        /// When to retry.
        retries: Option<Box<HttpRetry>>,
        /// Injected faults.
        fault: Option<Box<Fault>>,
        /// A copy for another service.
        mirror: Option<Box<Destination>>,
        /// Copies for other services.
        mirrors: Vec<Mirror>,
        /// Deprecated in Istio.
        mirror_percent: Option<u32>,
        /// Deprecated in Istio's earlier spelling.
        #[serde(rename = "mirror_percent")] mirror_percent_snake: Option<u32>,
        /// The share that is mirrored.
        mirror_percentage: Option<Percent>,
        /// Cross-origin rules.
        cors_policy: Option<Box<CorsPolicy>>,
        /// Header operations.
        headers: Option<Box<Headers>>,
    }
    /// One block of a rule's `match`: all of it must hold.
    HttpMatch {
        /// For statistics.
        name: Option<String>,
        /// The path.
        uri: Option<StringMatch>,
        /// `:scheme`.
        scheme: Option<Box<StringMatch>>,
        /// `:method`.
        method: Option<Box<StringMatch>>,
        /// `:authority`, port included.
        authority: Option<Box<StringMatch>>,
        /// Headers; an empty match is "present".
        headers: BTreeMap<String, Option<StringMatch>>,
        /// The listener's port.
        port: Option<u32>,
        /// Clients in the mesh; a gateway has none.
        source_labels: BTreeMap<String, String>,
        /// Only these Gateways.
        gateways: Vec<String>,
        /// Query parameters.
        query_params: BTreeMap<String, Option<StringMatch>>,
        /// For `uri`'s exact and prefix.
        ignore_uri_case: bool,
        /// Headers that must not match.
        without_headers: BTreeMap<String, Option<StringMatch>>,
        /// Clients in the mesh; a gateway has none.
        source_namespace: Option<String>,
        /// For statistics; not supported.
        stat_prefix: Option<String>,
    }
    /// One of the three; none is "present" where that makes sense.
    StringMatch {
        /// All of it.
        exact: Option<String>,
        /// Its start.
        prefix: Option<String>,
        /// RE2, all of it.
        regex: Option<String>,
    }
    /// One destination.
    HttpRouteDestination {
        /// Where to.
        destination: Destination,
        /// Its share.
        weight: Option<i64>,
        /// Header operations.
        headers: Option<Box<Headers>>,
    }
    /// A rule for TLS connections that are passed through.
    TlsRoute {
        /// Any of these.
        r#match: Vec<TlsMatch>,
        /// Destinations by weight.
        route: Vec<StreamDestination>,
    }
    /// One block of a TLS rule's `match`: all of it must hold.
    TlsMatch {
        /// SNI names or wildcards, within the VirtualService's hosts.
        sni_hosts: Vec<String>,
        /// Addresses that clients connect to; a block with these is ignored.
        destination_subnets: Vec<String>,
        /// The listener's port.
        port: Option<u32>,
        /// Clients in the mesh; a gateway has none.
        source_labels: BTreeMap<String, String>,
        /// Only these Gateways.
        gateways: Vec<String>,
        /// Clients in the mesh; a gateway has none.
        source_namespace: Option<String>,
    }
    /// A rule for TCP connections.
    TcpRoute {
        /// Any of these; empty matches all.
        r#match: Vec<TcpMatch>,
        /// Destinations by weight.
        route: Vec<StreamDestination>,
    }
    /// One block of a TCP rule's `match`: all of it must hold.
    TcpMatch {
        /// Addresses that clients connect to; a block with these is ignored.
        destination_subnets: Vec<String>,
        /// The listener's port.
        port: Option<u32>,
        /// Addresses of clients; a block with these is ignored.
        source_subnet: Option<String>,
        /// Clients in the mesh; a gateway has none.
        source_labels: BTreeMap<String, String>,
        /// Only these Gateways.
        gateways: Vec<String>,
        /// Clients in the mesh; a gateway has none.
        source_namespace: Option<String>,
    }
    /// One destination of connections.
    StreamDestination {
        /// Where to.
        destination: Destination,
        /// Its share.
        weight: Option<i64>,
    }
    /// A service, a part of it, a port.
    Destination {
        /// The service.
        host: String,
        /// A DestinationRule's subset.
        subset: Option<String>,
        /// Its port.
        port: Option<PortSelector>,
    }
    /// A port by number.
    PortSelector {
        /// The number.
        number: u32,
    }
    /// `redirect`.
    HttpRedirect {
        /// The whole path.
        uri: Option<String>,
        /// In place of the matched prefix.
        prefix_rewrite: Option<String>,
        /// Another host.
        authority: Option<String>,
        /// Another port.
        port: Option<u32>,
        /// `FROM_PROTOCOL_DEFAULT` or `FROM_REQUEST_PORT`.
        derive_port: Option<String>,
        /// Another scheme.
        scheme: Option<String>,
        /// 301 by default.
        redirect_code: Option<u32>,
    }
    /// `directResponse`.
    DirectResponse {
        /// The status.
        status: u32,
        /// The body.
        body: Option<HttpBody>,
    }
    /// A body.
    HttpBody {
        /// As text.
        string: Option<String>,
        /// As base64.
        bytes: Option<String>,
    }
    /// `delegate`.
    Delegate {
        /// The VirtualService.
        name: Option<String>,
        /// Its namespace.
        namespace: Option<String>,
    }
    /// `rewrite`.
    HttpRewrite {
        /// In place of what matched.
        uri: Option<String>,
        /// Another host.
        authority: Option<String>,
        /// By regex.
        uri_regex_rewrite: Option<RegexRewrite>,
    }
    /// `rewrite.uriRegexRewrite`.
    RegexRewrite {
        /// What to replace, everywhere.
        r#match: String,
        /// With what; `\1` is the first group.
        rewrite: String,
    }
    /// `retries`.
    HttpRetry {
        /// Number of retries.
        attempts: Option<i64>,
        /// Timeout of each try.
        per_try_timeout: Option<String>,
        /// Envoy's conditions and status codes.
        retry_on: Option<String>,
        /// Not supported.
        retry_remote_localities: Option<bool>,
        /// Not supported.
        retry_ignore_previous_hosts: Option<bool>,
        /// Not supported.
        backoff: Option<String>,
    }
    /// `fault`.
    Fault {
        /// Delay the request.
        delay: Option<FaultDelay>,
        /// Abort the request.
        abort: Option<FaultAbort>,
    }
    /// `fault.delay`.
    FaultDelay {
        /// Deprecated in Istio.
        percent: Option<u32>,
        /// How long.
        fixed_delay: Option<String>,
        /// Hidden in Istio.
        exponential_delay: Option<String>,
        /// How often.
        percentage: Option<Percent>,
    }
    /// `fault.abort`.
    FaultAbort {
        /// With this status.
        http_status: Option<i64>,
        /// With this gRPC status.
        grpc_status: Option<String>,
        /// Hidden in Istio.
        http2_error: Option<String>,
        /// How often.
        percentage: Option<Percent>,
    }
    /// A percentage.
    Percent {
        /// 0 to 100.
        value: f64,
    }
    /// One of `mirrors`.
    Mirror {
        /// Where to.
        destination: Option<Box<Destination>>,
        /// How often.
        percentage: Option<Percent>,
    }
    /// `corsPolicy`.
    CorsPolicy {
        /// Deprecated in Istio.
        allow_origin: Vec<String>,
        /// Origins.
        allow_origins: Vec<StringMatch>,
        /// Methods.
        allow_methods: Vec<String>,
        /// Request headers.
        allow_headers: Vec<String>,
        /// Response headers.
        expose_headers: Vec<String>,
        /// How long a client may cache a preflight.
        max_age: Option<String>,
        /// Whether credentials may be sent.
        allow_credentials: Option<bool>,
        /// What happens to preflights from other origins.
        unmatched_preflights: Option<String>,
    }
    /// `headers`.
    Headers {
        /// Requests to the upstream.
        request: Option<HeaderOperations>,
        /// Responses to the client.
        response: Option<HeaderOperations>,
    }
    /// `headers.request` or `.response`: remove first, then set and add.
    HeaderOperations {
        /// Replace.
        set: BTreeMap<String, String>,
        /// Append.
        add: BTreeMap<String, String>,
        /// Headers to remove.
        remove: Vec<String>,
    }
}
