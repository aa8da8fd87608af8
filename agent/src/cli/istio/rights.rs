//! What the agent may read: the rules of `envoy/kubernetes/rbac.yaml`, for the ServiceAccount of Istio's gateway.

use serde_json::{Value, json};

use super::error::IstioError;
use super::site::{LABEL, Site};

const RIGHTS: &str = include_str!("../../../../envoy/kubernetes/rbac.yaml");
const GROUP: &str = "rbac.authorization.k8s.io";

/// The right to read Secrets of the gateway's namespace.
///
/// # Errors
/// The file is not what it should be.
pub(super) fn of_secrets(site: &Site, account: &str) -> Result<[Value; 2], IstioError> {
    pair(site, account, "Role", &site.metadata(&site.own_name()))
}

/// The right to read what routes are made of, in all namespaces.
///
/// # Errors
/// The file is not what it should be.
pub(super) fn of_routes(site: &Site, account: &str) -> Result<[Value; 2], IstioError> {
    let name = format!("{}-{}", site.own_name(), site.namespace);
    pair(
        site,
        account,
        "ClusterRole",
        &json!({ "name": name, "labels": { LABEL.0: LABEL.1 } }),
    )
}

/// A role and its binding.
fn pair(site: &Site, account: &str, kind: &str, metadata: &Value) -> Result<[Value; 2], IstioError> {
    let version = format!("{GROUP}/v1");
    let role = json!({
        "apiVersion": version,
        "kind": kind,
        "metadata": metadata,
        "rules": rules(kind)?,
    });
    let binding = json!({
        "apiVersion": version,
        "kind": format!("{kind}Binding"),
        "metadata": metadata,
        "roleRef": { "apiGroup": GROUP, "kind": kind, "name": metadata["name"] },
        "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": site.namespace }],
    });
    Ok([role, binding])
}

fn rules(kind: &str) -> Result<Value, IstioError> {
    let missing = || IstioError::Carried("the agent's rights");
    let objects: Vec<Value> = serde_saphyr::from_multiple(RIGHTS).map_err(|_| missing())?;
    let mut of_kind = objects
        .into_iter()
        .filter(|object| object.get("kind").and_then(Value::as_str) == Some(kind));
    let mut role = of_kind.next().ok_or_else(missing)?;
    role.get_mut("rules").map(Value::take).ok_or_else(missing)
}
