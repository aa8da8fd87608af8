//! Bootstraps that take their certificates in other ways than the printed one.

use std::fmt::Write as _;

/// The printed bootstrap with the state of the world instead of Delta.
#[must_use]
pub fn sotw(bootstrap: &str) -> String {
    bootstrap.replace("api_type: DELTA_GRPC", "api_type: GRPC")
}

/// A filter chain that somebody wrote by hand.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a> {
    /// The server name that it is for; none for all.
    pub host: Option<&'a str>,
    /// `DELTA_GRPC` or `GRPC`: each secret has a stream of its own.
    pub api: &'a str,
    /// Its certificates' names on the wire.
    pub certificates: &'a [&'a str],
    /// Its trust bundle's.
    pub trust: Option<&'a str>,
}

impl Chain<'_> {
    fn source(&self, name: &str) -> String {
        format!(
            r#"{{ name: "{name}", sds_config: {{ resource_api_version: V3, initial_fetch_timeout: 5s, api_config_source: {{
            api_type: {}, transport_api_version: V3, grpc_services: [{{ envoy_grpc: {{ cluster_name: sealgate,
            retry_policy: {{ retry_back_off: {{ base_interval: 0.1s, max_interval: 1s }} }} }} }}] }} }} }}"#,
            self.api
        )
    }

    fn yaml(&self) -> String {
        let certificates: Vec<_> = self.certificates.iter().map(|name| self.source(name)).collect();
        let matched = self
            .host
            .map_or(String::new(), |host| format!(r#"server_names: ["{host}"]"#));
        let trust = self.trust.map_or(String::new(), |name| {
            format!("validation_context_sds_secret_config: {}", self.source(name))
        });
        format!(
            r#"
        - filter_chain_match: {{ {matched} }}
          transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context:
                alpn_protocols: [http/1.1]
                tls_certificate_sds_secret_configs: [{}]
                {trust}
          filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: by-hand
                route_config:
                  virtual_hosts:
                    - {{ name: all, domains: ["*"], routes: [{{ match: {{ prefix: / }}, direct_response: {{ status: 200 }} }}] }}
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"#,
            certificates.join(", ")
        )
    }
}

/// The printed bootstrap with a listener on `port` that somebody wrote by hand, and nothing that is discovered but
/// its secrets.
#[must_use]
pub fn by_hand(bootstrap: &str, port: u16, chains: &[Chain<'_>]) -> String {
    let (head, rest) = bootstrap
        .split_once("dynamic_resources:")
        .unwrap_or((bootstrap, ""));
    let (_, resources) = rest.split_once("static_resources:\n").unwrap_or(("", ""));
    let mut text = format!(
        r#"{head}static_resources:
  listeners:
    - name: by-hand
      address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
      listener_filters:
        - name: envoy.filters.listener.tls_inspector
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector
      filter_chains:"#
    );
    for chain in chains {
        text.push_str(&chain.yaml());
    }
    // Writing to a string cannot fail.
    let _ = write!(text, "\n{resources}");
    text
}
