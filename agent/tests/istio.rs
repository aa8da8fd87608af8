//! What `sealgate istio` prints, to the byte: tests with a real istiod use manifests like these.
//! `SEALGATE_WRITE_GOLDEN=1` writes the files; read the diff.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const FOLDER: &str = "tests/istio";
const SITE: &str = "tests/istio/site.yaml";

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn istio(words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sealgate"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("istio")
        .args(words.split_whitespace());
    command
}

fn run(words: &str) -> Output {
    istio(words).stdin(Stdio::null()).output().unwrap()
}

fn printed(words: &str) -> String {
    let output = run(words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{words}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn objects(words: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&printed(words)).unwrap()
}

/// The first object of a kind and name.
fn of<'o>(objects: &'o [Value], kind: &str, name: &str) -> &'o Value {
    let mut all = objects.iter();
    let is_it = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
    all.find(is_it).unwrap()
}

fn is_golden(file: &str, words: &str) {
    let text = printed(words);
    let path = path(FOLDER).join(file);
    if std::env::var_os("SEALGATE_WRITE_GOLDEN").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == golden, "{words}: not {}:\n{text}", path.display());
}

#[test]
fn certificates_by_a_provider_of_the_mesh() {
    is_golden("sds.yaml", &format!("sds -f {SITE}"));
}

#[test]
fn certificates_by_the_fixed_path() {
    is_golden("sds-1.30.yaml", &format!("sds --istio-version 1.30 -f {SITE}"));
}

#[test]
fn the_mesh_configuration() {
    is_golden("mesh-config.yaml", "sds --mesh-config");
}

#[test]
fn everything_by_the_agent() {
    is_golden("full.yaml", &format!("full -f {SITE}"));
}

#[test]
fn everything_by_the_filter() {
    let words = format!("wasm -f {SITE} --plugin-config {FOLDER}/plugin.yaml");
    is_golden("wasm.yaml", &words);
}

#[test]
fn json_is_one_list_of_the_same() {
    let words = format!("full -f {SITE}");
    let list: Value = serde_json::from_str(&printed(&format!("{words} --output json"))).unwrap();
    assert_eq!(list["kind"], "List");
    assert_eq!(list["items"].as_array(), Some(&objects(&words)));
}

#[test]
fn standard_input_is_a_file() {
    let file = fs::File::open(path(SITE)).unwrap();
    let output = istio("sds -f -").stdin(file).output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        printed(&format!("sds -f {SITE}"))
    );
}

#[test]
fn flags_are_followed() {
    let words = "sds --namespace edge --selector app=gw,tier=edge --gateway-deployment gw --service-account gw \
                 --image example.com/agent:1";
    let objects = objects(words);
    let deployment = of(&objects, "Deployment", "gw");
    let pod = &deployment["spec"]["template"]["spec"];
    assert!(deployment["metadata"]["labels"].is_null(), "it is Istio's");
    assert_eq!(pod["initContainers"][0]["image"], "example.com/agent:1");
    let binding = of(&objects, "RoleBinding", "sealgate-gw");
    assert_eq!(binding["subjects"][0]["name"], "gw");
    assert!(
        objects
            .iter()
            .all(|object| object["metadata"]["namespace"] == "edge")
    );
    let filter = objects_of_wasm("--selector app=gw,tier=edge --image example.com/filter:1");
    let labels = serde_json::json!({ "app": "gw", "tier": "edge" });
    assert_eq!(
        of(&filter, "EnvoyFilter", "sealgate")["spec"]["workloadSelector"]["labels"],
        labels
    );
    let plugin = &of(&filter, "WasmPlugin", "sealgate")["spec"];
    assert_eq!(
        (&plugin["url"], &plugin["selector"]["matchLabels"]),
        (&Value::from("oci://example.com/filter:1"), &labels)
    );
}

fn objects_of_wasm(words: &str) -> Vec<Value> {
    objects(&format!("wasm {words}"))
}

/// What is not done is said, and the rest is.
#[test]
fn mirrors_are_said_to_have_no_effect() {
    let folder = tempfile::TempDir::new().unwrap();
    let text = fs::read_to_string(path(SITE)).unwrap();
    let mirrored = text.replacen(
        "    rewrite: {uri: /}",
        "    mirror: {host: m.default.svc.cluster.local, port: {number: 80}}\n    rewrite: {uri: /}",
        1,
    );
    let file = folder.path().join("site.yaml");
    fs::write(&file, mirrored).unwrap();
    let output = run(&format!("full -f {}", file.display()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let wanted = "VirtualService default/app: spec.http[0].mirror: has no effect";
    assert_eq!(said.matches("has no effect").count(), 1, "{said}");
    assert!(said.contains(wanted), "{said}");
}

/// Its Gateway may be in a file that was forgotten. Those of other gateways and of meshes are not meant.
#[test]
fn a_virtual_service_without_its_gateway_is_named() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut text = fs::read_to_string(path(SITE)).unwrap();
    for (name, gateways) in [
        ("mynginx", "[mesh, istio-system/mysdsgateway]"),
        ("inside", "[mesh]"),
    ] {
        text = format!(
            "{text}---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}}}\n\
             spec: {{hosts: [nginx.example], gateways: {gateways}, http: [{{redirect: {{uri: /}}}}]}}\n"
        );
    }
    let file = folder.path().join("site.yaml");
    fs::write(&file, text).unwrap();
    let plugin = format!("wasm --plugin-config {FOLDER}/plugin.yaml");
    for form in ["full", &*plugin] {
        let output = run(&format!("{form} -f {}", file.display()));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{form}: {said}");
        let wanted = "sealgate: VirtualService default/mynginx is not printed: none of its Gateways is in the input \
                      (istio-system/mysdsgateway)";
        assert!(said.lines().any(|line| line == wanted), "{form}: {said}");
        assert_eq!(said.matches("is not printed").count(), 1, "{form}: {said}");
        let objects = String::from_utf8(output.stdout).unwrap();
        assert!(!objects.contains("mynginx"), "{form}: {objects}");
        let before = "before you apply this, add the agent to istiod's mesh configuration";
        assert_eq!(said.contains(before), form == "full", "{form}: {said}");
    }
}

/// istiod cannot add its own cluster's breakers to what it is told.
#[test]
fn many_names_by_the_fixed_path_get_wider_breakers() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("many.json");
    let servers: Vec<Value> = (0..600)
        .map(|at| {
            serde_json::json!({
                "port": { "number": 443, "name": format!("h{at}"), "protocol": "HTTPS" },
                "hosts": [format!("h{at}.example")],
                "tls": { "mode": "SIMPLE", "credentialName": format!("h{at}") },
            })
        })
        .collect();
    let gateway = serde_json::json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": { "name": "many" },
        "spec": { "selector": { "istio": "ingressgateway" }, "servers": servers },
    });
    fs::write(&file, gateway.to_string()).unwrap();
    let many = objects(&format!("sds --istio-version 1.30 -f {}", file.display()));
    let filter = of(&many, "EnvoyFilter", "sealgate-sds");
    assert_eq!(
        filter["spec"]["configPatches"][0]["patch"]["value"]["name"],
        "sds-external"
    );
    let few = objects(&format!("sds --istio-version 1.30 -f {SITE}"));
    assert!(few.iter().all(|object| object["kind"] != "EnvoyFilter"));
}

/// The filter would reject it, and Istio would only say so in a log.
#[test]
fn a_plugin_config_that_the_filter_rejects_is_rejected_before() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("plugin.yaml");
    for (config, place) in [
        ("routing: {unmatched: maybe}", "routing.unmatched: "),
        ("routing: {virtualService: []}", "routing.virtualService: "),
        (
            "routing: {virtualServices: [{hosts: [a.example], http: [{redirect: {}}]}]}",
            "routing.virtualServices[0]",
        ),
    ] {
        fs::write(&file, config).unwrap();
        let output = run(&format!("wasm --plugin-config {}", file.display()));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{config}: {said}");
        assert_eq!(output.stdout, b"", "{config}");
        assert!(
            said.contains(&format!("plugin.yaml: {place}")),
            "{config}: {said}"
        );
    }
}

/// Exit 1 and a message with the object, its field and the reason; nothing is printed.
#[test]
fn what_cannot_be_served_so_is_named() {
    let folder = tempfile::TempDir::new().unwrap();
    let gateway = |annotation: &str, server: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: g, namespace: ns{annotation}}}\n\
             spec: {{selector: {{istio: ingressgateway}}, servers: [{server}]}}\n"
        )
    };
    let server = |tls: &str| {
        format!("{{port: {{number: 443, name: h, protocol: HTTPS}}, hosts: [a.example], tls: {tls}}}")
    };
    let annotated = |text: &str| format!(", annotations: {{sealgate.dev/identity: '{text}'}}");
    let good = server("{mode: SIMPLE, credentialName: a}");
    for (form, manifest, wanted) in [
        (
            "sds",
            gateway(
                "",
                &server("{mode: SIMPLE, credentialName: kubernetes-gateway://a/b}"),
            ),
            "Gateway ns/g: spec.servers[0].tls.credentialName: ",
        ),
        ("sds", gateway("", "7"), "Gateway ns/g: spec: "),
        (
            "full",
            gateway(
                "",
                &server("{mode: MUTUAL, credentialName: a, insecureSkipVerify: true}"),
            ),
            "Gateway ns/g: spec.servers[0].tls.insecureSkipVerify: ",
        ),
        (
            "full",
            gateway(
                "",
                "{port: {number: 443, name: t, protocol: TLS}, hosts: [a.example], tls: {mode: AUTO_PASSTHROUGH}}",
            ),
            "Gateway ns/g: spec.servers[0].tls.mode: ",
        ),
        (
            "full",
            gateway(
                "",
                &server("{mode: MUTUAL, credentialName: a}").replace("a.example", "\"*\""),
            ),
            "Gateway ns/g: spec.servers[0].hosts: a server that asks for client certificates",
        ),
        (
            "full",
            gateway("", &format!("{good}, {good}")),
            "Gateway ns/g: spec.servers[1].hosts: \"a.example\" at port 443 also belongs to another server",
        ),
        (
            "full",
            gateway(&annotated("{xfcc: appendForward}"), &good),
            "Gateway ns/g: metadata.annotations[sealgate.dev/identity].xfcc: ",
        ),
        (
            "wasm",
            gateway(&annotated("{clientCert: chain}"), &good),
            "Gateway ns/g: metadata.annotations[sealgate.dev/identity].clientCert: ",
        ),
        (
            "wasm",
            format!(
                "{}---\n{}",
                gateway(&annotated("{xfcc: off}"), &good),
                gateway(&annotated("{}"), &good)
                    .replace("name: g,", "name: h,")
                    .replace("a.example", "b.example")
            ),
            "Gateway ns/h: metadata.annotations[sealgate.dev/identity]: it differs from that of Gateway ns/g",
        ),
        (
            "full",
            format!(
                "{}---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: v, namespace: ns}}\n\
                 spec: {{hosts: [a.example], gateways: [g], http: [{{rout: []}}]}}\n",
                gateway("", &good)
            ),
            "VirtualService ns/v: spec.http[0].route: ",
        ),
        (
            "sds",
            gateway("", &good).replace("ingressgateway", "egressgateway"),
            "no Gateway of ",
        ),
    ] {
        let file = folder.path().join("input.yaml");
        fs::write(&file, &manifest).unwrap();
        let output = run(&format!("{form} -f {}", file.display()));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{form} {manifest}: {said}");
        assert!(output.stdout.is_empty());
        assert!(said.contains(wanted), "{form}: {said}, not {wanted}");
    }
}

/// Nothing of a file that is no manifest is shown: it may hold a key.
#[test]
fn what_cannot_be_read_is_2_and_not_shown() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("input.yaml");
    fs::write(&file, "hush: [\n").unwrap();
    let output = run(&format!("sds -f {}", file.display()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("input.yaml") && !said.contains("hush"), "{said}");
}
