//! `connectionPool`.

use sealgate_core::config::{ConnectionPool, HttpPool, TcpKeepalive, TcpPool};

use super::PolicyProblems;
use crate::resolved::{PoolLimits, Probes, UpstreamHttp};

pub(super) fn lower(own: &ConnectionPool, problems: &mut PolicyProblems) -> PoolLimits {
    let limits = own
        .tcp
        .as_ref()
        .map(|tcp| of_tcp(tcp, problems))
        .unwrap_or_default();
    match &own.http {
        Some(http) => of_http(http, limits, problems),
        None => limits,
    }
}

fn of_tcp(own: &TcpPool, problems: &mut PolicyProblems) -> PoolLimits {
    let mut duration = |field, text: &Option<String>| {
        problems.duration(&format!("connectionPool.tcp.{field}"), text.as_ref(), 1.0)
    };
    let connect = duration("connectTimeout", &own.connect_timeout);
    let lifetime = duration("maxConnectionDuration", &own.max_connection_duration);
    problems.no_effect(
        "connectionPool.tcp.idleTimeout",
        own.idle_timeout.is_some(),
        "Sealgate does not support this field: use `http.idleTimeout`, or for TCP routes `--envoy-limits tcp-idle`",
    );
    PoolLimits {
        connections: problems.count("connectionPool.tcp.maxConnections", own.max_connections, 1),
        connect,
        lifetime,
        keepalive: own.tcp_keepalive.as_ref().map(|own| probes(own, problems)),
        ..PoolLimits::default()
    }
}

/// Beyond these, Linux does not set the socket's options, and Envoy makes no connection.
const MOST_PROBES: u32 = 127;
const MOST_SECONDS: u32 = 32_767;

fn probes(own: &TcpKeepalive, problems: &mut PolicyProblems) -> Probes {
    let mut seconds = |field, text: &Option<String>| {
        let field = format!("connectionPool.tcp.tcpKeepalive.{field}");
        let duration = problems.duration(&field, text.as_ref(), 1000.0)?;
        let seconds = u32::try_from(duration.as_secs()).ok();
        let seconds = seconds.filter(|seconds| *seconds <= MOST_SECONDS);
        if seconds.is_none() {
            problems.refuse(field, format!("at most {MOST_SECONDS}s, as Linux allows"));
        }
        seconds
    };
    let (idle_s, interval_s) = (seconds("time", &own.time), seconds("interval", &own.interval));
    let count = own.probes.filter(|count| *count > 0);
    if count.is_some_and(|count| count > MOST_PROBES) {
        let message = format!("at most {MOST_PROBES}, as Linux allows");
        problems.refuse("connectionPool.tcp.tcpKeepalive.probes", message);
    }
    Probes {
        idle_s,
        interval_s,
        count,
    }
}

fn of_http(own: &HttpPool, limits: PoolLimits, problems: &mut PolicyProblems) -> PoolLimits {
    let mut count =
        |field, value, least| problems.count(&format!("connectionPool.http.{field}"), value, least);
    let pending = count("http1MaxPendingRequests", own.http1_max_pending_requests, 1);
    let requests = count("http2MaxRequests", own.http2_max_requests, 1);
    let requests_per_connection = count("maxRequestsPerConnection", own.max_requests_per_connection, 1);
    let retries = count("maxRetries", own.max_retries, 1);
    let streams = count("maxConcurrentStreams", own.max_concurrent_streams, 1);
    let idle = own.idle_timeout.as_ref();
    PoolLimits {
        pending,
        requests,
        requests_per_connection,
        retries,
        streams,
        idle: problems.duration("connectionPool.http.idleTimeout", idle, 0.0),
        version: version(own, problems),
        ..limits
    }
}

fn version(own: &HttpPool, problems: &mut PolicyProblems) -> Option<UpstreamHttp> {
    let upgraded = match own.h2_upgrade_policy.as_deref() {
        None | Some("" | "DEFAULT" | "DO_NOT_UPGRADE") => None,
        Some("UPGRADE") => Some(UpstreamHttp::Two),
        Some(other) => {
            let message = format!("{other:?}: DEFAULT, DO_NOT_UPGRADE or UPGRADE");
            problems.refuse("connectionPool.http.h2UpgradePolicy", message);
            None
        }
    };
    let is_clients = own.use_client_protocol == Some(true);
    if is_clients && upgraded.is_some() {
        problems.refuse(
            "connectionPool.http.useClientProtocol",
            "with h2UpgradePolicy UPGRADE it cannot be",
        );
    }
    upgraded.or(is_clients.then_some(UpstreamHttp::Client))
}
