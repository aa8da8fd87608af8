//! The walkthrough's objects.

/// The Gateway, with more servers if given (YAML list items, indented by two).
#[must_use]
pub fn gateway(credential: &str, more: &str) -> String {
    format!(
        r#"apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: gateway, namespace: istio-system}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - port: {{number: 443, name: https, protocol: HTTPS}}
    hosts: ["*.aliyun.com"]
    tls: {{mode: SIMPLE, credentialName: {credential}}}
  - port: {{number: 80, name: http, protocol: HTTP}}
    hosts: ["*.aliyun.com"]
{more}"#
    )
}

/// Another HTTPS server for [`gateway`].
#[must_use]
pub fn server(host: &str, mode: &str, credential: &str) -> String {
    format!(
        r#"  - port: {{number: 443, name: https, protocol: HTTPS}}
    hosts: ["{host}"]
    tls: {{mode: {mode}, credentialName: {credential}}}
"#
    )
}

/// A VirtualService of `hosts` with these rules (YAML list items).
#[must_use]
pub fn virtual_service(name: &str, hosts: &str, rules: &str) -> String {
    format!(
        r"apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec:
  hosts: [{hosts}]
  gateways: [istio-system/gateway]
  http:
{rules}"
    )
}

/// A Gateway of a namespace, with these servers (YAML list items), and the line that ends a document.
#[must_use]
pub fn gateway_of(namespace: &str, name: &str, servers: &str) -> String {
    format!(
        r"apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
{servers}---
"
    )
}

/// A server without TLS for [`gateway_of`].
#[must_use]
pub fn plain_server(number: u16, host: &str) -> String {
    format!("  - port: {{number: {number}, name: http, protocol: HTTP}}\n    hosts: [\"{host}\"]\n")
}

/// An HTTPS server for [`gateway_of`], with this `tls`.
#[must_use]
pub fn tls_server(host: &str, tls: &str) -> String {
    format!(
        "  - port: {{number: 443, name: https, protocol: HTTPS}}\n    hosts: [\"{host}\"]\n    tls: {{{tls}}}\n"
    )
}

/// A VirtualService of a namespace, with these rules (YAML list items), and the line that ends a document.
#[must_use]
pub fn routes_of(namespace: &str, name: &str, (gateway, host): (&str, &str), rules: &str) -> String {
    format!(
        r#"apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  hosts: ["{host}"]
  gateways: [{gateway}]
  http:
{rules}---
"#
    )
}

/// `/hello` to the welcome.
pub const HELLO: &str = "  - match: [{uri: {exact: /hello}}]
    route: [{destination: {host: welcome.local, port: {number: 80}}}]
";

/// `/status` and `/delay` to httpbin.
pub const HTTPBIN: &str = "  - match: [{uri: {prefix: /status}}, {uri: {prefix: /delay}}]
    route: [{destination: {host: httpbin, port: {number: 8000}}}]
";

/// A ServiceEntry of one port on loopback.
#[must_use]
pub fn entry(name: &str, host: &str, number: u16, port: u16) -> String {
    format!(
        r"apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}}}
spec:
  hosts: [{host}]
  resolution: STATIC
  ports: [{{number: {number}, name: http, protocol: HTTP}}]
  endpoints: [{{address: 127.0.0.1, ports: {{http: {port}}}}}]
"
    )
}

/// The services of both: a ServiceEntry, and a Service with its EndpointSlice.
#[must_use]
pub fn services(welcome: u16, httpbin: u16) -> String {
    format!(
        r"{}---
apiVersion: v1
kind: Service
metadata: {{name: httpbin}}
spec:
  ports: [{{name: http, port: 8000, targetPort: {httpbin}}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: httpbin-1, labels: {{kubernetes.io/service-name: httpbin}}}}
addressType: IPv4
ports: [{{name: http, port: {httpbin}}}]
endpoints: [{{addresses: [127.0.0.1]}}]
",
        entry("welcome", "welcome.local", 80, welcome)
    )
}

/// The same for an API server, which refuses an EndpointSlice on loopback: both by ServiceEntry.
#[must_use]
pub fn services_of_cluster(welcome: u16, httpbin: u16) -> String {
    let httpbin = entry("httpbin", "httpbin.default.svc.cluster.local", 8000, httpbin);
    format!("{}---\n{httpbin}", entry("welcome", "welcome.local", 80, welcome))
}
