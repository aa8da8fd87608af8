//! What the page shows, as JSON.

use std::collections::BTreeMap;

use sealgate_model::preview::Preview;
use sealgate_model::{Code, Finding, FindingStatus};
use serde::Serialize;

use crate::error::DeskError;

/// Findings as in an agent's status.
pub(crate) struct FindingJson;

impl FindingJson {
    pub(crate) fn all(findings: &[Finding]) -> Vec<FindingStatus> {
        findings.iter().map(FindingStatus::from).collect()
    }
}

/// Totals.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    objects: BTreeMap<&'static str, usize>,
    /// Including those whose connections are passed on.
    hosts: usize,
    /// Only those that are tried; counted once for each host.
    rules: usize,
}

impl Summary {
    pub(crate) fn new(preview: &Preview) -> Self {
        let mut objects = BTreeMap::new();
        for name in preview.names() {
            *objects.entry(name.kind.as_str()).or_default() += 1;
        }
        let hosts = preview.resolver().hosts();
        let rules: Vec<usize> = hosts.map(|(_, routes)| routes.rules).collect();
        Self {
            objects,
            hosts: rules.len(),
            rules: rules.iter().sum(),
        }
    }
}

/// Which findings an edit adds and removes.
#[derive(Debug, Serialize)]
pub(crate) struct EditSummary {
    /// Findings that appear.
    new: Vec<FindingStatus>,
    /// Findings that disappear.
    gone: Vec<FindingStatus>,
    /// Whether it has a Secret, of which no certificate is read.
    secrets: bool,
}

impl EditSummary {
    pub(crate) fn new(base: &Preview, edited: &Preview, secrets: bool) -> Self {
        Self {
            secrets,
            new: FindingJson::all(&edited.findings_beyond(base)),
            gone: FindingJson::all(&base.findings_beyond(edited)),
        }
    }
}

/// The explanation of a code.
#[derive(Debug, Serialize)]
struct CodeJson {
    code: Code,
    section: &'static str,
    means: &'static str,
    remedy: &'static str,
}

/// What each code of a finding means, and what to do.
///
/// # Errors
/// None that can happen.
pub fn codes() -> Result<String, DeskError> {
    let all = Code::ALL.iter().map(|code| {
        let own = code.explanation();
        CodeJson {
            code: *code,
            section: own.section.title(),
            means: own.means,
            remedy: own.remedy,
        }
    });
    Ok(serde_json::to_string(&all.collect::<Vec<_>>())?)
}

#[cfg(test)]
mod tests {
    use sealgate_model::preview::GatewayOptions;
    use serde_json::json;

    use super::*;

    const TEXT: &str = r#"
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
    - port: { number: 80, name: http, protocol: HTTP }
      hosts: ["*.example"]
    - port: { number: 443, name: tls, protocol: TLS }
      hosts: ["*.example"]
      tls: { mode: PASSTHROUGH }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop }
spec:
  hosts: [shop.example, www.example]
  gateways: [istio-system/edge]
  http:
    - match: [{ uri: { prefix: /cart } }]
      directResponse: { status: 200 }
    - directResponse: { status: 404 }
    - directResponse: { status: 500 }
  tls:
    - match: [{ sniHosts: [shop.example] }]
      route: [{ destination: { host: shop.local, port: { number: 443 } } }]
"#;

    #[test]
    fn hosts_are_counted_with_the_rules_that_are_tried_and_with_connections() {
        let preview = Preview::of_manifests(TEXT, &GatewayOptions::default()).unwrap();
        let summary = serde_json::to_value(Summary::new(&preview)).unwrap();
        let expected = json!({ "objects": { "Gateway": 1, "VirtualService": 1 }, "hosts": 3, "rules": 4 });
        assert_eq!(summary, expected);
    }
}
