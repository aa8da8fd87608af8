//! Files that nobody should write. Each is rejected quickly and with little memory, with a stable code, the object and
//! the reason; everything else continues to work, in `check` and in a running agent.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// In KiB: of the address space, which is more than what is used.
const MEMORY: &str = "1500000";
const LIMIT: Duration = Duration::from_secs(30);

const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n";
const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n";
const ISTIO: &str = "apiVersion: networking.istio.io/v1\nmetadata: {name: a}\n";
/// A Gateway, and what `/api/status` shows of it.
const GOOD: &str = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: good}\nspec:\n  \
    selector: {istio: ingressgateway}\n  \
    servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [good.example]}]\n";

/// The name of a file, what it holds, and the finding: code, object, field and a part of the reason.
type Case = (&'static str, String, [&'static str; 4]);

fn cases() -> Vec<Case> {
    let of = |start: &str, rest: &str| format!("{start}{rest}");
    let yaml = |name, text, reason| (name, text, ["invalid-yaml", "", "", reason]);
    let object = |name, text, object, field, reason| (name, text, ["invalid-object", object, field, reason]);
    let (secret, service) = ("Secret istio-system/a", "Service default/a");
    vec![
        yaml("bomb.yaml", bomb(), "budget"),
        yaml("deep-list.yaml", "[".repeat(1_000_000), "recursion limit"),
        yaml("deep-map.yaml", "{a: ".repeat(100_000), "recursion limit"),
        yaml("deep-block.yaml", "- ".repeat(50_000) + "x\n", "budget"),
        yaml(
            "deep.json",
            "[".repeat(100_000) + &"]".repeat(100_000),
            "recursion limit",
        ),
        yaml("deep-lists.json", nested_lists(60), "budget"),
        yaml(
            "twice.yaml",
            of(SECRET, "data: {}\ndata: {}\n"),
            "line 5 column 1: duplicate mapping key: data",
        ),
        yaml(
            "key-twice.yaml",
            of(SECRET, "data: {tls.crt: eA==, tls.crt: eA==}\n"),
            "duplicate mapping key",
        ),
        yaml("unclosed.yaml", of(SECRET, "data: {\n"), ""),
        yaml("alias.yaml", "a: *nothing\n".to_owned(), "unknown anchor"),
        (
            "scalar.yaml",
            "just text\n".to_owned(),
            ["not-an-object", "", "", "no kind"],
        ),
        (
            "list.yaml",
            "- a\n- b\n".to_owned(),
            ["not-an-object", "", "", "no kind"],
        ),
        (
            "no-kind.yaml",
            "apiVersion: v1\nmetadata: {name: a}\n".to_owned(),
            ["not-an-object", "", "", "no kind"],
        ),
        (
            "new.yaml",
            of(
                "apiVersion: networking.istio.io/v9\n",
                "kind: Gateway\nmetadata: {name: a}\n",
            ),
            ["skipped-kind", "", "", "networking.istio.io/v9 Gateway \"a\""],
        ),
        object(
            "items.yaml",
            "apiVersion: v1\nkind: List\nitems: {}\n".to_owned(),
            "",
            "items",
            "not a list",
        ),
        object(
            "no-metadata.yaml",
            "apiVersion: v1\nkind: Service\n".to_owned(),
            "",
            "metadata",
            "there is none",
        ),
        object(
            "metadata.yaml",
            "apiVersion: v1\nkind: Service\nmetadata: []\n".to_owned(),
            "",
            "metadata.name",
            "name",
        ),
        object(
            "name.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: A/b}\n".to_owned(),
            "",
            "metadata.name",
            "A/b",
        ),
        object(
            "base64.yaml",
            of(SECRET, "data: {tls.crt: '***'}\n"),
            secret,
            "data[tls.crt]",
            "not base64",
        ),
        object("data.yaml", of(SECRET, "data: 5\n"), secret, "data", "not a map"),
        object(
            "value.yaml",
            of(SECRET, "stringData: {tls.key: [x]}\n"),
            secret,
            "stringData[tls.key]",
            "not a string",
        ),
        object(
            "number.yaml",
            of(SERVICE, "spec: {ports: [{port: '80'}]}\n"),
            service,
            "spec.ports[0].port",
            "string",
        ),
        object(
            "large.yaml",
            of(SERVICE, "spec: {ports: [{port: 99999999999999999999}]}\n"),
            service,
            "spec.ports[0].port",
            "expected i32",
        ),
        object(
            "service.yaml",
            of(SERVICE, "spec: []\n"),
            service,
            "spec",
            "sequence",
        ),
        object(
            "spec.yaml",
            of(ISTIO, "kind: VirtualService\nspec: []\n"),
            "VirtualService default/a",
            "spec",
            "sequence",
        ),
        object(
            "rule.yaml",
            of(ISTIO, "kind: DestinationRule\nspec: []\n"),
            "DestinationRule default/a",
            "spec",
            "sequence",
        ),
        object(
            "null.yaml",
            of(ISTIO, "kind: VirtualService\nspec:\n"),
            "VirtualService default/a",
            "spec",
            "null",
        ),
        object(
            "port.yaml",
            of(ISTIO, "kind: Gateway\nspec: {servers: [{port: [443]}]}\n"),
            "Gateway istio-system/a",
            "spec.servers[0].port",
            "sequence",
        ),
    ]
}

/// "Billion laughs": each list holds the former one nine times.
fn bomb() -> String {
    (0..12).fold("a0: &a0 [x]\n".to_owned(), |text, at| {
        let aliases = vec![format!("*a{at}"); 9].join(", ");
        format!("{text}a{0}: &a{0} [{aliases}]\n", at + 1)
    })
}

fn nested_lists(depth: usize) -> String {
    let start = r#"{"apiVersion": "v1", "kind": "List", "items": ["#;
    format!("{}{}", start.repeat(depth), "]}".repeat(depth))
}

/// Runs with bounded memory, and says how long it took.
fn bounded(arguments: &[&str]) -> (Output, Duration) {
    let start = Instant::now();
    let output = Command::new("sh")
        .args([
            "-c",
            "ulimit -v $0; exec \"$@\"",
            MEMORY,
            env!("CARGO_BIN_EXE_sealgate"),
        ])
        .args(arguments)
        .output()
        .unwrap();
    (output, start.elapsed())
}

fn findings(folder: &Path) -> Vec<Value> {
    let (output, took) = bounded(&["check", "--json", "--dir", folder.to_str().unwrap()]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code().is_some_and(|code| code < 2),
        "{:?} {stderr}",
        output.status
    );
    assert!(took < LIMIT, "{took:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["findings"].as_array().unwrap().clone()
}

fn is(finding: &Value, file: &str, [code, object, field, reason]: [&str; 4]) -> bool {
    let file = format!("File {file}");
    let object = if object.is_empty() { &file } else { object };
    finding["code"] == code
        && finding["object"] == object
        && finding["field"].as_str().unwrap_or_default() == field
        && finding["message"]
            .as_str()
            .is_some_and(|message| message.contains(reason) && message.len() < 400)
}

#[test]
fn each_is_refused_by_name_and_reason() {
    let mut wrong = Vec::new();
    for (name, text, expected) in cases() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join(name), text).unwrap();
        fs::write(folder.path().join("good.yaml"), GOOD).unwrap();
        let findings = findings(folder.path());
        if !findings.iter().any(|finding| is(finding, name, expected)) {
            wrong.push((name, findings));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_only_large_is_taken() {
    let folder = TempDir::new().unwrap();
    let documents = (0..10_000).map(|at| {
        format!(
            "---\n{}spec: {{ports: [{{port: 80}}]}}\n",
            SERVICE.replace("name: a", &format!("name: s{at}"))
        )
    });
    fs::write(
        folder.path().join("documents.yaml"),
        documents.collect::<String>(),
    )
    .unwrap();
    let annotation = format!("{{name: a, annotations: {{x: {}}}}}", "y".repeat(4 << 20));
    fs::write(
        folder.path().join("annotation.yaml"),
        SECRET.replace("{name: a}", &annotation),
    )
    .unwrap();
    assert_eq!(findings(folder.path()), Vec::<Value>::new());
}

#[test]
fn a_secret_without_keys_is_listed_and_served_by_nobody() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.yaml"), SECRET).unwrap();
    let (output, _) = bounded(&[
        "check",
        "--json",
        "--dir",
        folder.path().join("a.yaml").to_str().unwrap(),
    ]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [credential] = report["credentials"].as_array().unwrap().as_slice() else {
        unreachable!("{report}")
    };
    assert_eq!(
        (&credential["name"], &credential["state"], &credential["reason"]),
        (
            &"istio-system/a".into(),
            &"ignored".into(),
            &"no-certificate-keys".into()
        )
    );
}

/// A running agent, which ends with this value.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn status(port: u16) -> Option<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    stream
        .write_all(b"GET /api/status HTTP/1.0\r\nhost: localhost\r\n\r\n")
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
}

/// Waits until the status is so.
fn eventually(port: u16, what: &str, is: impl Fn(&Value) -> bool) {
    let deadline = Instant::now() + LIMIT;
    let mut last = None;
    while Instant::now() < deadline {
        last = status(port);
        if last.as_ref().is_some_and(&is) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    unreachable!("{what}: {last:?}")
}

#[test]
fn a_running_agent_names_them_all_and_goes_on() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("objects");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("good.yaml"), GOOD).unwrap();
    let module = folder.path().join("filter.wasm");
    fs::write(&module, b"\0asm").unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let agent = Command::new(env!("CARGO_BIN_EXE_sealgate"))
        .arg("run")
        .arg(format!("--source=dir:{}", dir.display()))
        .arg(format!("--socket={}", folder.path().join("xds.sock").display()))
        .arg(format!("--filter={}", module.display()))
        .arg(format!("--admin=127.0.0.1:{port}"))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _agent = Agent(agent);
    let serves = |host: &str| {
        let host = host.to_owned();
        move |status: &Value| status["gateways"].to_string().contains(&host)
    };
    eventually(port, "the good one is served", serves("good.example"));
    // What is only skipped is no refusal.
    for (name, text, mut expected) in cases()
        .into_iter()
        .filter(|(_, _, expected)| expected[0] != "skipped-kind")
    {
        // One object for each, or the second of a name would be refused for that alone.
        let own = format!("{}-1", name.split('.').next().unwrap());
        let object = expected[1].replace("/a", &format!("/{own}"));
        expected[1] = &object;
        fs::write(
            dir.join(name),
            text.replace("{name: a}", &format!("{{name: {own}}}")),
        )
        .unwrap();
        eventually(port, name, |status| {
            let refusals = status["refusals"].as_array();
            refusals.is_some_and(|all| all.iter().any(|finding| is(finding, name, expected)))
        });
    }
    fs::write(
        dir.join("good.yaml"),
        GOOD.replace("good.example", "better.example"),
    )
    .unwrap();
    eventually(port, "the rest goes on", serves("better.example"));
}
