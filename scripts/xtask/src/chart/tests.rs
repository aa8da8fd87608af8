//! What can be checked of the rendered file without Helm.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::restricted::{containers, offences};
use super::{CHART, FINGERPRINT, RENDERED, fingerprint, manifest};

fn path(name: &str) -> PathBuf {
    crate::root().unwrap().join(name)
}

fn documents(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(path(name)).unwrap();
    serde_saphyr::from_multiple(&text).unwrap()
}

/// The one document of a kind.
fn of_kind<'d>(documents: &'d [Value], kind: &str) -> &'d Value {
    let found: Vec<&Value> = documents
        .iter()
        .filter(|document| document["kind"] == kind)
        .collect();
    assert_eq!(found.len(), 1, "{kind}");
    found[0]
}

fn pod() -> Value {
    of_kind(&documents(RENDERED), "Deployment")["spec"]["template"]["spec"].clone()
}

#[test]
fn the_rendered_file_is_of_this_chart() {
    let text = fs::read_to_string(path(RENDERED)).unwrap();
    let own = text
        .lines()
        .find_map(|line| line.strip_prefix(FINGERPRINT))
        .unwrap();
    let chart = fingerprint::of(&path(CHART)).unwrap();
    assert_eq!(own, chart, "{RENDERED} is old: run `cargo xtask chart`");
}

#[test]
fn a_fingerprint_notices_a_byte_and_a_name() {
    let folder = std::env::temp_dir().join(format!("sealgate-chart-{}", std::process::id()));
    let write = |name: &str, text: &str| {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("templates")).unwrap();
        fs::write(folder.join("templates").join(name), text).unwrap();
        fingerprint::of(&folder).unwrap()
    };
    let first = write("a.yaml", "a: 1");
    assert_eq!(first, write("a.yaml", "a: 1"));
    assert_ne!(first, write("a.yaml", "a: 2"));
    assert_ne!(first, write("b.yaml", "a: 1"));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn nothing_is_left_of_helm_and_the_namespace_comes_first() {
    let rendered = "---\n# Source: sealgate/templates/a.yaml\nkind: A\nmetadata:\n  labels:\n    \
                    app.kubernetes.io/managed-by: Helm\n    helm.sh/chart: sealgate-1\n    a: b\n\n---\nkind: B\n";
    // The fingerprint needs the chart.
    std::env::set_current_dir(crate::root().unwrap()).unwrap();
    let text = manifest(rendered).unwrap();
    let (_, text) = text.split_once("---\n").unwrap();
    assert_eq!(
        text,
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: istio-system\n---\nkind: A\nmetadata:\n  labels:\n    a: b\n---\nkind: B\n"
    );
    let all = documents(RENDERED);
    assert_eq!(all[0]["kind"], "Namespace");
    for document in &all[1..] {
        let namespace = &document["metadata"]["namespace"];
        let is_of_cluster = document["kind"].as_str().unwrap().starts_with("ClusterRole");
        assert!(*namespace == "istio-system" || is_of_cluster, "{document}");
    }
}

#[test]
fn a_namespace_that_enforces_restricted_takes_the_pods() {
    let pod = pod();
    assert_eq!(containers(&pod).count(), 2);
    assert_eq!(offences(&pod), Vec::<String>::new());
}

#[test]
fn each_rule_of_restricted_can_refuse() {
    let cases = [
        (
            "/initContainers/0/securityContext/privileged",
            json!(true),
            "privileged",
        ),
        (
            "/initContainers/0/securityContext/allowPrivilegeEscalation",
            json!(null),
            "allowPrivilegeEscalation",
        ),
        (
            "/containers/0/securityContext/capabilities",
            json!({}),
            "capabilities.drop",
        ),
        (
            "/containers/0/securityContext/capabilities",
            json!({ "drop": ["ALL"], "add": ["NET_ADMIN"] }),
            "capabilities.add",
        ),
        ("/securityContext/runAsNonRoot", json!(null), "runAsNonRoot"),
        ("/containers/0/securityContext/runAsUser", json!(0), "runAsUser"),
        ("/securityContext/seccompProfile", json!(null), "seccompProfile"),
        ("/containers/0/ports/0/hostPort", json!(80), "hostPort"),
        ("/hostNetwork", json!(true), "hostNetwork"),
        ("/volumes/0/hostPath", json!({ "path": "/" }), "hostPath"),
    ];
    for (place, value, offence) in cases {
        let mut pod = pod();
        let (parent, name) = place.rsplit_once('/').unwrap();
        pod.pointer_mut(parent).unwrap()[name] = value;
        let found = offences(&pod);
        assert!(
            found.iter().any(|found| found.contains(offence)),
            "{place}: {found:?}"
        );
    }
}

#[test]
fn both_containers_cannot_write_and_the_agent_alone_has_a_token() {
    let pod = pod();
    for container in containers(&pod) {
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    }
    assert_eq!(pod["automountServiceAccountToken"], false);
    let with_token = containers(&pod).filter(|container| {
        let mounts = container["volumeMounts"].as_array().unwrap();
        mounts.iter().any(|mount| mount["name"] == "token")
    });
    let names: Vec<&Value> = with_token.map(|container| &container["name"]).collect();
    assert_eq!(names, ["agent"]);
}

#[test]
fn the_rights_are_those_of_rbac_yaml() {
    let (own, plain) = (documents(RENDERED), documents("envoy/kubernetes/rbac.yaml"));
    for kind in ["Role", "ClusterRole"] {
        let rules = &of_kind(&own, kind)["rules"];
        assert!(rules.as_array().is_some_and(|rules| !rules.is_empty()));
        assert_eq!(rules, &of_kind(&plain, kind)["rules"], "{kind}");
    }
}

#[test]
fn a_pod_has_time_to_drain_before_it_is_killed() {
    let pod = pod();
    let variables = pod["containers"][0]["env"].as_array().unwrap();
    let most = variables
        .iter()
        .find(|variable| variable["name"] == "DRAIN_MOST")
        .unwrap();
    let most: u64 = most["value"].as_str().unwrap().parse().unwrap();
    assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() >= most + 10);
}

#[test]
fn the_chart_has_the_workspaces_version() {
    let chart = &documents(&format!("{CHART}/Chart.yaml"))[0];
    for name in ["version", "appVersion"] {
        assert_eq!(chart[name], env!("CARGO_PKG_VERSION"), "{name}");
    }
}

#[test]
fn the_chart_has_the_bootstrap_of_the_agent() {
    let template = fs::read_to_string(path("envoy/bootstrap.yaml")).unwrap();
    let own = fs::read_to_string(path(&format!("{CHART}/files/bootstrap.yaml"))).unwrap();
    let mut rest = own.lines();
    // The first comment is about the template.
    let lines = template.lines().skip_while(|line| line.starts_with('#'));
    for line in lines.filter(|line| !line.contains("${")) {
        assert!(
            rest.any(|own| own == line),
            "{line:?} is missing: `sealgate bootstrap > {CHART}/files/bootstrap.yaml`"
        );
    }
}

#[test]
fn the_schema_knows_every_value_and_no_other() {
    let values = &documents(&format!("{CHART}/values.yaml"))[0];
    let text = fs::read_to_string(path(&format!("{CHART}/values.schema.json"))).unwrap();
    let mut schema: Value = serde_json::from_str(&text).unwrap();
    // Helm's own.
    schema["properties"].as_object_mut().unwrap().remove("global");
    same(values, &schema, "");
}

/// Every field of the values is in the schema, and vice versa.
fn same(values: &Value, schema: &Value, place: &str) {
    let (Some(values), Some(fields)) = (values.as_object(), schema["properties"].as_object()) else {
        return;
    };
    assert_eq!(schema["additionalProperties"], false, "{place}");
    for name in values.keys() {
        assert!(fields.contains_key(name), "{place}.{name} is not in the schema");
    }
    for (name, field) in fields {
        let is_optional = place.ends_with(".resources");
        assert!(
            is_optional || values.contains_key(name),
            "{place}.{name} has no default"
        );
        if let Some(value) = values.get(name) {
            same(value, field, &format!("{place}.{name}"));
        }
    }
}

/// Helm would install them with the chart, and never update them; in a cluster with Istio, they belong to Istio.
#[test]
fn the_chart_holds_no_definitions() {
    assert!(!path(CHART).join("crds").exists());
    let all = documents(RENDERED);
    assert!(
        all.iter()
            .all(|document| document["kind"] != "CustomResourceDefinition")
    );
}
