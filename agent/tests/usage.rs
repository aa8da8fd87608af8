//! Invalid values of flags and variables: exit status 2, with the flag and the value named, and nothing done.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);

/// What comes before the flag in question, with `DIR` for a folder that is fine. The admin address is one that nobody
/// has: a value that is wrongly taken for good ends the agent too, but without its flag being named.
const RUN: &str = "run --source dir:DIR --socket DIR/xds.sock --filter DIR/filter.wasm --admin 192.0.2.1:1";

/// The flags that are fine, the flag that is not, and its value.
const WRONG: [(&str, &str, &str); 89] = [
    ("run", "--source", "nonsense"),
    ("run", "--source", "dir:"),
    ("run", "--source", "dir:/no/such/folder"),
    ("run", "--source", "kubernetes:x"),
    (RUN, "--only", "routes"),
    (RUN, "--socket-mode", "0888"),
    (RUN, "--socket-mode", "7777"),
    (RUN, "--socket-group", "no-such-group"),
    (RUN, "--namespace", "Not a name"),
    (RUN, "--gateway-labels", "istio"),
    (RUN, "--gateway-labels", "=x"),
    (RUN, "--gateway-labels", "a=1,a=2"),
    (RUN, "--locality", "a/b/c/d"),
    (RUN, "--locality", "a/*"),
    (RUN, "--listen", "localhost"),
    (RUN, "--listen", "0.0.0.0:80"),
    (RUN, "--port-map", "443"),
    (RUN, "--port-map", "443=0"),
    (RUN, "--port-map", "443=65536"),
    (RUN, "--port-map", "1=3,2=3"),
    (
        "run --source dir:DIR --socket DIR/xds.sock",
        "--filter",
        "/no/such/module",
    ),
    (
        "run --source dir:DIR --socket DIR/xds.sock",
        "--filter",
        "/etc/passwd",
    ),
    (
        "run --source dir:DIR --socket DIR/xds.sock --filter DIR/filter.wasm",
        "--admin",
        "nonsense",
    ),
    (
        "run --source dir:DIR --socket DIR/xds.sock --filter DIR/filter.wasm",
        "--admin",
        "127.0.0.1",
    ),
    (
        "run --source dir:DIR --socket DIR/xds.sock --filter DIR/filter.wasm",
        "--admin",
        "192.0.2.1:1",
    ),
    (
        "run --source dir:DIR --filter DIR/filter.wasm",
        "--socket",
        "/etc/passwd",
    ),
    (
        "run --source dir:DIR --filter DIR/filter.wasm",
        "--socket",
        "/etc/passwd/x",
    ),
    (RUN, "--admin-token-file", "/no/such/token"),
    (RUN, "--admin-token-file", "/dev/null"),
    ("bootstrap", "--admin-port", "65536"),
    ("bootstrap", "--admin-port", "x"),
    ("bootstrap", "--admin-port", "0"),
    ("bootstrap", "--node-id", ""),
    ("bootstrap", "--node-cluster", ""),
    ("check", "--dir", "/no/such/folder"),
    ("check", "--source", "nonsense"),
    ("check", "--source", "dir:/no/such/folder"),
    ("check", "--admin", "nonsense"),
    ("check", "--admin", "127.0.0.1:1"),
    ("check", "--plugin-config", "/no/such/file"),
    ("check", "--plugin-config", "/etc"),
    ("check --dir DIR", "--namespace", "Not a name"),
    ("check --dir DIR", "--gateway-labels", "istio"),
    ("check --dir DIR", "--locality", "a/b/c/d"),
    ("check --dir DIR", "--root-namespace", "Not a name"),
    ("check --dir DIR", "--tenancy", "nonsense"),
    ("check --dir DIR", "--tenancy-policy", "/no/such/policy"),
    ("check --dir DIR", "--tenancy-policy", "/etc/passwd"),
    (
        "check --dir DIR --tenancy single",
        "--tenancy-policy",
        "/no/such/policy",
    ),
    ("check --dir DIR", "--budgets", "hosts"),
    ("check --dir DIR", "--budgets", "people=1"),
    (RUN, "--envoy-limits", "request"),
    (RUN, "--envoy-limits", "reqest=1s"),
    (RUN, "--envoy-limits", "request=5"),
    (RUN, "--state-dir", "/etc/passwd/state"),
    (RUN, "--public-ca", "DIR/none.pem"),
    (
        "explain --dir DIR http://a.example/",
        "--path-normalization",
        "nonsense",
    ),
    ("explain http://a.example/", "--dir", "/no/such/folder"),
    ("explain http://a.example/", "--source", "nonsense"),
    ("explain http://a.example/", "--admin", "127.0.0.1:1"),
    ("explain --batch -", "--dir", "-"),
    ("explain --dir DIR http://a.example/", "--method", "G T"),
    ("explain --dir DIR http://a.example/", "--header", "no colon"),
    ("explain --dir DIR http://a.example/", "--header", ": no name"),
    ("explain --dir DIR http://a.example/", "--header", "a b: c"),
    ("explain --dir DIR http://a.example/", "--protocol", "HTTP/3"),
    ("explain --dir DIR", "--batch", "/no/such/file"),
    ("explain --dir DIR", "--batch", "/etc"),
    ("certs", "--admin", "nonsense"),
    ("certs", "--admin", "127.0.0.1:1"),
    ("certs", "--dir", "/no/such/folder"),
    ("status", "--admin", "nonsense"),
    ("status", "--admin-token-file", "/no/such/token"),
    ("status", "--admin", "127.0.0.1:1"),
    ("man", "--dir", "/etc/passwd/man"),
    ("istio sds", "--namespace", "Not a name"),
    ("istio sds", "--selector", "istio"),
    ("istio sds", "--gateway-deployment", "Not_a_name"),
    ("istio sds", "--service-account", "Not_a_name"),
    ("istio sds", "--istio-version", "latest"),
    ("istio sds", "--output", "xml"),
    ("istio sds", "-f", "/no/such/file"),
    ("istio sds --mesh-config", "--istio-version", "1.30"),
    ("istio full -f DIR", "--istio-version", "1.30"),
    ("istio full -f DIR", "--agent-selector", "istio=ingressgateway"),
    ("istio full -f DIR", "--port-map", "443"),
    ("istio wasm", "--istio-version", "1.30"),
    ("istio wasm", "--port-map", "1=3,2=3"),
    ("istio wasm", "--plugin-config", "/no/such/file"),
];

struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("filter.wasm"), b"\0asm").unwrap();
        Self(folder)
    }

    /// `sealgate` with these words, with `DIR` for the folder.
    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sealgate"));
        let dir = self.0.path().display().to_string();
        command.args(words.split(' ').map(|word| word.replace("DIR", &dir)));
        command.env_remove("POD_NAMESPACE");
        command
    }
}

/// Runs it to its end, which must come.
fn output(command: &mut Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + LIMIT;
    while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    // Too late is no exit status.
    let _ = child.kill();
    child.wait_with_output().unwrap()
}

fn is_refused(output: &Output, flag: &str, value: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{flag} {value}: {stderr}");
    assert!(output.stdout.is_empty(), "{flag} {value}: {output:?}");
    assert!(
        stderr.contains(flag) && stderr.contains(value),
        "{flag} {value}: {stderr}"
    );
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn every_wrong_value_is_named_with_its_flag() {
    let site = Site::new();
    for (words, flag, value) in WRONG {
        is_refused(&output(site.command(words).args([flag, value])), flag, value);
    }
}

#[test]
fn every_flag_of_run_has_a_variable() {
    let site = Site::new();
    let values = [
        ("--source", "nonsense"),
        ("--kube-context", "no-such-context"),
        ("--secret-watch", "nonsense"),
        ("--watch-timeout", "0"),
        ("--socket", "/etc/passwd"),
        ("--socket-mode", "0888"),
        ("--socket-group", "no-such-group"),
        ("--admin", "nonsense"),
        ("--admin-hosts", "a:1"),
        ("--admin-token-file", "/no/such/token"),
        ("--namespace", "Not a name"),
        ("--gateway-labels", "istio"),
        ("--locality", "a/b/c/d"),
        ("--listen", "localhost"),
        ("--port-map", "443"),
        ("--on-demand-from", "many"),
        ("--filter", "/no/such/module"),
        ("--strict-names", "perhaps"),
        ("--refuse-expired", "perhaps"),
        ("--tenancy", "nonsense"),
        ("--root-namespace", "Not a name"),
        ("--allow-local-upstreams", "perhaps"),
        ("--tenancy-policy", "/no/such/policy"),
        ("--budgets", "people=1"),
        ("--envoy-limits", "request=5"),
        ("--state-dir", "/etc/passwd/state"),
        ("--state-keys", "perhaps"),
        ("--log-level", "inof"),
        ("--log-format", "xml"),
        ("--path-normalization", "nonsense"),
        ("--escaped-slashes", "nonsense"),
        ("--only", "nonsense"),
        ("--keep-peer-metadata", "perhaps"),
        ("--public-ca", "/no/such/file"),
    ];
    let help = String::from_utf8(output(&mut site.command("run --help")).stdout).unwrap();
    let flags = help.lines().filter(|line| line.trim_start().starts_with("--"));
    assert_eq!(flags.count(), values.len(), "a flag without a case here: {help}");
    for (flag, value) in values {
        // The flag in question comes from the environment alone.
        let rest = [
            // A context matters to the API alone.
            (
                "--source",
                if flag == "--kube-context" {
                    "kubernetes"
                } else {
                    "dir:DIR"
                },
            ),
            ("--socket", "DIR/xds.sock"),
            ("--filter", "DIR/filter.wasm"),
        ];
        let words: Vec<String> = rest
            .iter()
            .filter(|(other, _)| *other != flag)
            .map(|(other, value)| format!("{other}={value}"))
            .collect();
        let name = flag
            .trim_start_matches('-')
            .replace('-', "_")
            .to_ascii_uppercase();
        let mut command = site.command(&format!("run {}", words.join(" ")));
        is_refused(
            &output(command.env(format!("SEALGATE_{name}"), value)),
            flag,
            value,
        );
    }
}

#[test]
fn a_level_that_there_is_not_is_refused() {
    let site = Site::new();
    for wrong in ["inof", "verbose", "info,sealgate_agent=loud"] {
        let mut command = site.command(RUN);
        is_refused(&output(command.env("SEALGATE_LOG", wrong)), "SEALGATE_LOG", wrong);
    }
}

#[test]
fn a_variable_says_yes_as_people_do() {
    let site = Site::new();
    for (value, code) in [
        ("1", 0),
        ("true", 0),
        ("yes", 0),
        ("on", 0),
        ("0", 0),
        ("false", 0),
        ("no", 0),
        ("2", 2),
    ] {
        let mut command = site.command("check --dir DIR");
        let output = output(command.env("SEALGATE_STRICT_NAMES", value));
        assert_eq!(output.status.code(), Some(code), "{value}: {output:?}");
    }
}

#[test]
fn a_batch_without_a_reader_ends() {
    let site = Site::new();
    let mut command = site.command("explain --batch - --dir DIR");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        let deadline = Instant::now() + LIMIT;
        while stdin.write_all(b"{\"authority\":\"a.example\"}\n").is_ok() {
            assert!(Instant::now() < deadline, "it reads on without a reader");
        }
    });
    let mut line = String::new();
    // The reader is dropped at once, as `head -1` would be.
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.contains("notFound"), "{line}");
    writer.join().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), &b""[..])
    );
}

#[test]
fn no_reader_is_no_error() {
    let site = Site::new();
    // Without a manifest, `check` would say so.
    let manifest = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\n\
        spec: {selector: {istio: ingressgateway}, servers: [\
        {port: {number: 80, name: h, protocol: HTTP}, hosts: [a.example]}]}\n";
    fs::write(site.0.path().join("gateway.yaml"), manifest).unwrap();
    for words in [
        "check --dir DIR",
        "check --json --dir DIR",
        "bootstrap",
        "--help",
        "run --help",
    ] {
        let mut child = site
            .command(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), stderr.as_ref()), (Some(0), ""), "{words}");
    }
}

#[test]
fn each_bad_line_of_a_batch_is_answered_and_the_rest_goes_on() {
    let site = Site::new();
    let long = format!("{{\"authority\":\"{}\"}}", "a".repeat(5 << 20));
    let bad: [&[u8]; 16] = [
        b"nonsense",
        b"\xff\xfe",
        b"{\"authority\":\"\xff\"}",
        b"{\"id\":1}",
        b"null",
        b"[]",
        b"[1,443,\"http\",\"GET\",\"a.example\",\"/\",[],0.5]",
        &[b'['; 100_000],
        b"{\"authority\":5}",
        b"{\"authority\":\"a\",\"port\":65536}",
        b"{\"authority\":\"a\",\"draw\":1}",
        b"{\"authority\":\"a\",\"draw\":-0.1}",
        b"{\"authority\":\"a\",\"delayDraw\":1}",
        b"{\"authority\":\"a\",\"abortDraw\":-1}",
        b"{\"authority\":\"a\",\"protocol\":\"HTTP/3\"}",
        b"{\"authority\":\"a\",\"unknown\":1}",
    ];
    let good: [&[u8]; 3] = [
        long.as_bytes(),
        b"{\"authority\":\"\"}",
        b"{\"id\":9,\"authority\":\"a\\u0000b\"}",
    ];
    let lines: Vec<&[u8]> = bad.into_iter().chain(good).collect();
    fs::write(site.0.path().join("batch"), lines.join(&b'\n')).unwrap();
    let output = output(&mut site.command("explain --dir DIR --batch DIR/batch"));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), lines.len());
    for (line, answer) in bad.iter().zip(&answers) {
        let line = String::from_utf8_lossy(line.get(..line.len().min(80)).unwrap_or_default());
        assert!(
            answer["error"].is_string() && answer["id"].is_null(),
            "{line}: {answer}"
        );
    }
    // The last is no host: Envoy refuses it before any rule.
    for (answer, reason) in answers.iter().skip(bad.len()).zip(["host", "host", "authority"]) {
        assert_eq!(answer["decision"]["reason"], reason, "{answer}");
    }
    assert_eq!(answers.last().unwrap()["id"], 9);
}
