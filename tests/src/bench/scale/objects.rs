//! The objects: the same for files and for an API server.

use serde_json::{Value, json};

/// The gateway's namespace: Gateways and Secrets.
pub(super) const EDGE: &str = "istio-system";
/// Where VirtualServices and services are.
pub(super) const APPS: &str = "default";
/// The Gateway of port 80.
pub(super) const PLAIN: &str = "plain";

/// A TLS host.
pub(super) fn host(at: usize) -> String {
    format!("h-{at:05}.scale.example")
}

/// A host of port 80.
pub(super) fn plain_host(name: &str) -> String {
    format!("{name}.plain.example")
}

/// The Gateway of a TLS host, and its Secret.
pub(super) fn edge(at: usize) -> String {
    format!("h-{at:05}")
}

/// A route's own name, and its service's.
pub(super) fn name(at: usize) -> String {
    format!("r-{at:05}")
}

/// The path of requests to a route.
pub(super) fn path(name: &str) -> String {
    format!("/{name}/")
}

/// The name of an [`entry`] in routes.
pub(super) fn entry_host(name: &str) -> String {
    format!("{name}.scale.local")
}

/// The name of a [`service`] in routes.
pub(super) fn service_host(name: &str) -> String {
    format!("{name}.{APPS}.svc.cluster.local")
}

pub(super) fn istio(kind: &str, namespace: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    })
}

/// One TLS server, whose Secret has the Gateway's name.
pub(super) fn gateway(name: &str, host: &str) -> Value {
    let server = json!({
        "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
        "hosts": [host],
        "tls": {"mode": "SIMPLE", "credentialName": name},
    });
    let spec = json!({"selector": {"istio": "ingressgateway"}, "servers": [server]});
    istio("Gateway", EDGE, name, spec)
}

/// Port 80, for every [`plain_host`].
pub(super) fn plain_gateway() -> Value {
    let server = json!({
        "port": {"number": 80, "name": "http", "protocol": "HTTP"},
        "hosts": [plain_host("*")],
    });
    let spec = json!({"selector": {"istio": "ingressgateway"}, "servers": [server]});
    istio("Gateway", EDGE, PLAIN, spec)
}

/// A route's host and path, and its destination.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) name: String,
    pub(super) gateway: String,
    pub(super) host: String,
    /// The service's name in routes.
    pub(super) service: String,
}

impl Route {
    /// A route of a TLS host to the ServiceEntry of the same name.
    pub(super) fn new(name: &str, at: usize) -> Self {
        Self {
            name: name.to_owned(),
            gateway: edge(at),
            host: host(at),
            service: entry_host(name),
        }
    }

    /// A route of port 80.
    pub(super) fn plain(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            gateway: PLAIN.to_owned(),
            host: plain_host(name),
            service: entry_host(name),
        }
    }

    /// The path of requests to it.
    pub(super) fn path(&self) -> String {
        path(&self.name)
    }

    /// The VirtualService; answers carry the version.
    pub(super) fn object(&self, version: &str) -> Value {
        let rule = json!({
            "match": [{"uri": {"prefix": self.path()}}],
            "headers": {"response": {"set": {VERSION: version}}},
            "route": [{"destination": {"host": self.service, "port": {"number": 80}}}],
        });
        let gateway = format!("{EDGE}/{}", self.gateway);
        let spec = json!({"hosts": [self.host], "gateways": [gateway], "http": [rule]});
        istio("VirtualService", APPS, &self.name, spec)
    }
}

/// The header that says which version of a VirtualService answers.
pub(super) const VERSION: &str = "x-version";

/// A ServiceEntry with one endpoint on loopback.
pub(super) fn entry(name: &str, port: u16) -> Value {
    let spec = json!({
        "hosts": [entry_host(name)],
        "resolution": "STATIC",
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "endpoints": [{"address": "127.0.0.1", "ports": {"http": port}}],
    });
    istio("ServiceEntry", APPS, name, spec)
}

/// A DestinationRule for an [`entry`]: with every part that costs a cluster something, and two subsets.
pub(super) fn policy(name: &str) -> Value {
    let spec = json!({
        "host": entry_host(name),
        "trafficPolicy": {
            "loadBalancer": {"simple": "ROUND_ROBIN"},
            "connectionPool": {
                "tcp": {"maxConnections": 1000, "connectTimeout": "3s", "tcpKeepalive": {"time": "60s"}},
                "http": {"http1MaxPendingRequests": 500, "idleTimeout": "30s", "maxRetries": 5},
            },
            "outlierDetection": {"consecutive5xxErrors": 5, "interval": "5s", "baseEjectionTime": "30s"},
        },
        "subsets": [
            {"name": "v1", "labels": {"version": "v1"}},
            {"name": "v2", "labels": {"version": "v2"}, "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}}},
        ],
    });
    istio("DestinationRule", APPS, name, spec)
}

/// A Service, whose endpoints are a [`slice`]'s.
pub(super) fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": APPS},
        "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    })
}

/// The EndpointSlice of a Service. An API server takes none on loopback.
pub(super) fn slice(name: &str, address: &str, port: u16) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{name}-1"),
            "namespace": APPS,
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port}],
        "endpoints": [{"addresses": [address]}],
    })
}
