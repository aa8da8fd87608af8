//! `trafficPolicy` of a DestinationRule: how requests are to be sent to a service, to one of its subsets or ports.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{PortSelector, null_as_default};

messages! {
    /// `trafficPolicy`.
    TrafficPolicy {
        /// Which endpoint a request goes to.
        load_balancer: Option<LoadBalancer>,
        /// How many connections and requests at a time.
        connection_pool: Option<ConnectionPool>,
        /// When an endpoint is ejected for a while.
        outlier_detection: Option<OutlierDetection>,
        /// TLS to the upstream.
        tls: Option<ClientTls>,
        /// In place of the rest for some ports.
        port_level_settings: Vec<PortTrafficPolicy>,
        /// HTTP CONNECT around TCP; not supported.
        tunnel: Option<serde_json::Value>,
        /// The client's address, before anything else that is sent.
        proxy_protocol: Option<ProxyProtocol>,
        /// How many retries at a time.
        retry_budget: Option<RetryBudget>,
    }
    /// `portLevelSettings`: what it leaves out has its default, whatever the rest of the policy says.
    PortTrafficPolicy {
        /// The service's port.
        port: Option<PortSelector>,
        /// Which endpoint a request goes to.
        load_balancer: Option<LoadBalancer>,
        /// How many connections and requests at a time.
        connection_pool: Option<ConnectionPool>,
        /// When an endpoint is ejected for a while.
        outlier_detection: Option<OutlierDetection>,
        /// TLS to the upstream.
        tls: Option<ClientTls>,
    }
    /// `loadBalancer`.
    LoadBalancer {
        /// `LEAST_REQUEST` (default), `ROUND_ROBIN`, `RANDOM` or `PASSTHROUGH`.
        simple: Option<String>,
        /// By a hash of the request.
        consistent_hash: Option<ConsistentHash>,
        /// By where endpoints are.
        locality_lb_setting: Option<LocalityBalancing>,
        /// Deprecated in Istio: a `warmup` of this duration.
        warmup_duration_secs: Option<String>,
        /// New endpoints get fewer requests at first.
        warmup: Option<Warmup>,
    }
    /// `loadBalancer.consistentHash`: one of the four sources, and one of the two tables.
    ConsistentHash {
        /// A request's header.
        http_header_name: Option<String>,
        /// A cookie, which is made if there is none.
        http_cookie: Option<HashCookie>,
        /// The client's address.
        use_source_ip: Option<bool>,
        /// A parameter of the query.
        http_query_parameter_name: Option<String>,
        /// Ring hash (default).
        ring_hash: Option<RingHash>,
        /// Maglev.
        maglev: Option<MaglevHash>,
        /// Deprecated in Istio.
        minimum_ring_size: Option<u64>,
    }
    /// `consistentHash.httpCookie`.
    HashCookie {
        /// Its name.
        name: String,
        /// For which path.
        path: Option<String>,
        /// How long it lives; 0 is a session.
        ttl: Option<String>,
        /// What more the gateway says of it, such as `SameSite`.
        attributes: Vec<CookieAttribute>,
    }
    /// `consistentHash.httpCookie.attributes[]`.
    CookieAttribute {
        /// Its name.
        name: String,
        /// Its value, if it has one.
        value: Option<String>,
    }
    /// `consistentHash.ringHash`.
    RingHash {
        /// 1024 by default.
        minimum_ring_size: Option<u64>,
    }
    /// `consistentHash.maglev`.
    MaglevHash {
        /// A prime number, 65537 by default.
        table_size: Option<u64>,
    }
    /// `loadBalancer.localityLbSetting`.
    LocalityBalancing {
        /// Shares of localities.
        distribute: Vec<LocalityDistribution>,
        /// Which region answers when another fails.
        failover: Vec<LocalityFailover>,
        /// Labels, the first of which counts most.
        failover_priority: Vec<String>,
        /// True by default.
        enabled: Option<bool>,
    }
    /// `localityLbSetting.distribute`.
    LocalityDistribution {
        /// The gateway's locality.
        from: String,
        /// Percent by the endpoints' locality.
        to: BTreeMap<String, u32>,
    }
    /// `localityLbSetting.failover`.
    LocalityFailover {
        /// A region.
        from: String,
        /// Another.
        to: String,
    }
    /// `loadBalancer.warmup`.
    Warmup {
        /// How long.
        duration: Option<String>,
        /// The share at the start, in percent; 10 by default.
        minimum_percent: Option<f64>,
        /// The speed of growth; 1 by default, which is linear.
        aggression: Option<f64>,
    }
    /// `connectionPool`.
    ConnectionPool {
        /// Of every connection.
        tcp: Option<TcpPool>,
        /// Of HTTP.
        http: Option<HttpPool>,
    }
    /// `connectionPool.tcp`.
    TcpPool {
        /// At a time.
        max_connections: Option<i64>,
        /// Timeout for a new connection.
        connect_timeout: Option<String>,
        /// Probes of idle connections.
        tcp_keepalive: Option<TcpKeepalive>,
        /// How long a connection lives.
        max_connection_duration: Option<String>,
        /// How long a connection without traffic lives, if it is not HTTP's.
        idle_timeout: Option<String>,
    }
    /// `connectionPool.tcp.tcpKeepalive`.
    TcpKeepalive {
        /// Unanswered probes until the connection is dead.
        probes: Option<u32>,
        /// Idle time until the first one.
        time: Option<String>,
        /// Time between two.
        interval: Option<String>,
    }
    /// `connectionPool.http`.
    HttpPool {
        /// Requests that wait for a connection.
        http1_max_pending_requests: Option<i64>,
        /// Requests at a time.
        http2_max_requests: Option<i64>,
        /// Requests until a connection is closed; 0 means no limit.
        max_requests_per_connection: Option<i64>,
        /// Retries at a time.
        max_retries: Option<i64>,
        /// How long a connection without requests lives.
        idle_timeout: Option<String>,
        /// `DEFAULT`, `DO_NOT_UPGRADE` or `UPGRADE`.
        h2_upgrade_policy: Option<String>,
        /// The client's version of HTTP is the upstream's.
        use_client_protocol: Option<bool>,
        /// Of a connection.
        max_concurrent_streams: Option<i64>,
    }
    /// `outlierDetection`.
    OutlierDetection {
        /// Removed from Istio.
        consecutive_errors: Option<i64>,
        /// Whether connection errors are counted separately.
        split_external_local_origin_errors: Option<bool>,
        /// Consecutive connection errors, if counted separately.
        consecutive_local_origin_failures: Option<u32>,
        /// Consecutive responses with 502, 503 or 504.
        consecutive_gateway_errors: Option<u32>,
        /// Consecutive responses with any 5xx; 5 by default.
        consecutive_5xx_errors: Option<u32>,
        /// Time between two checks; 10s by default.
        interval: Option<String>,
        /// Ejection time, multiplied by the number of ejections; 30s by default.
        base_ejection_time: Option<String>,
        /// Largest percentage of ejected endpoints; 10 by default.
        max_ejection_percent: Option<i64>,
        /// If fewer endpoints are healthy, all get requests.
        min_health_percent: Option<i64>,
    }
    /// `tls`.
    ClientTls {
        /// `DISABLE` (default), `SIMPLE`, `MUTUAL` or `ISTIO_MUTUAL`.
        mode: Option<String>,
        /// A file on the proxy's machine.
        client_certificate: Option<String>,
        /// A file on the proxy's machine.
        private_key: Option<String>,
        /// A file on the proxy's machine.
        ca_certificates: Option<String>,
        /// A file on the proxy's machine.
        ca_crl: Option<String>,
        /// The Secret of certificate, key and CA.
        credential_name: Option<String>,
        /// Any of these names must be in the certificate.
        subject_alt_names: Vec<String>,
        /// The name that is asked for.
        sni: Option<String>,
        /// Accept any certificate.
        insecure_skip_verify: Option<bool>,
    }
    /// `proxyProtocol`.
    ProxyProtocol {
        /// `V1` (default) or `V2`.
        version: Option<String>,
    }
    /// `retryBudget`.
    RetryBudget {
        /// Percentage of active requests; 20 by default.
        percent: Option<f64>,
        /// Retries that are always allowed; 3 by default.
        min_retry_concurrency: Option<u32>,
    }
}

impl ClientTls {
    /// Whether it asks for TLS, in whatever words.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !matches!(self.mode.as_deref(), None | Some("" | "DISABLE"))
    }
}
