//! The command line as scripts see it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

fn sealgate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sealgate"))
        .args(arguments)
        .output()
        .unwrap()
}

const SITE: &str = r#"
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gateway, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*.example"]}
  - {port: {number: 8080, name: http, protocol: HTTP}, hosts: ["*.example"], tls: {httpsRedirect: true}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec:
  hosts: [a.example]
  gateways: [istio-system/gateway]
  http:
  - match: [{uri: {exact: /hello}}]
    route: [{destination: {host: nginx, port: {number: 80}}}]
"#;

fn site() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("site.yaml"), SITE).unwrap();
    folder
}

#[test]
fn usage_errors_are_2_and_help_is_0() {
    assert_eq!(sealgate(&["--help"]).status.code(), Some(0));
    for command in [
        "run",
        "bootstrap",
        "check",
        "explain",
        "status",
        "certs",
        "istio",
        "completions",
        "man",
    ] {
        assert_eq!(sealgate(&[command, "--help"]).status.code(), Some(0), "{command}");
    }
    for bad in [
        &["nonsense"][..],
        &["run"],
        &[
            "run",
            "--source",
            "dir:/no/such/folder",
            "--socket",
            "/tmp/sealgate-test.sock",
        ],
        &["run", "--source", "dir:/tmp", "--port-map", "x"],
        &["check", "--dir", "/no/such/folder"],
        &["certs", "--admin", "127.0.0.1:1"],
        &["status", "--admin", "127.0.0.1:1"],
        &["explain", "http://a.example/"],
        &["check", "--dir", "/tmp", "--admin", "127.0.0.1:1"],
        &["completions", "tcsh"],
    ] {
        let output = sealgate(bad);
        assert_eq!(output.status.code(), Some(2), "{bad:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{bad:?}");
    }
}

#[test]
fn the_version_names_the_envoy_that_is_tested() {
    let output = sealgate(&["--version"]);
    let said = String::from_utf8(output.stdout).unwrap();
    let envoy = include_str!("../../envoy/version").trim_end();
    let wanted = format!("sealgate {} (commit ", env!("CARGO_PKG_VERSION"));
    assert!(said.starts_with(&wanted), "{said}");
    assert!(
        said.ends_with(&format!(", tested with Envoy {envoy})\n")),
        "{said}"
    );
}

#[test]
fn a_batch_is_answered_line_by_line() {
    let folder = site();
    let mut child = Command::new(env!("CARGO_BIN_EXE_sealgate"))
        .args(["explain", "--batch", "-", "--dir"])
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = b"{\"id\":1,\"scheme\":\"http\",\"authority\":\"a.example\",\"path\":\"/hello\"}\nnonsense\n\
        {\"id\":2,\"port\":8080,\"scheme\":\"http\",\"authority\":\"a.example:8080\",\"path\":\"/x\"}\n\
        {\"id\":3,\"authority\":\"a.example\"}\n";
    child.stdin.take().unwrap().write_all(lines).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let answers: Vec<Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    assert_eq!(answers.len(), 4);
    assert_eq!(
        answers[0]["decision"]["cluster"],
        "outbound|80||nginx.default.svc.cluster.local"
    );
    assert!(answers[1]["error"].is_string() && answers[1]["id"].is_null());
    assert_eq!(answers[2]["decision"]["location"], "https://a.example:8080/x");
    assert_eq!(answers[3]["decision"]["reason"], "host");
}

const SHOP: &str = r#"
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.example]
  gateways: [istio-system/gateway]
  http:
  - match: [{uri: {prefix: /cart}, headers: {x-a: {exact: "1"}}}]
    redirect: {uri: /}
  - name: put
    match: [{uri: {exact: /cart/items}, method: {exact: PUT}}, {uri: {prefix: /v2}}]
    redirect: {uri: /}
  - rewrite: {uri: /shop/}
    route: [{destination: {host: nginx, port: {number: 80}}, headers: {request: {set: {b: c}, remove: [d, e]}}}]
"#;

#[test]
fn an_explanation_names_the_host_and_the_condition_that_each_block_failed() {
    let folder = site();
    fs::write(folder.path().join("shop.yaml"), SHOP).unwrap();
    let dir = folder.path().display().to_string();
    let url = "http://SHOP.example/cart/items?a=1";
    let output = sealgate(&["explain", "--dir", &dir, url]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let expected = r#"request   GET http://SHOP.example/cart/items?a=1 on port 80
host      shop.example is the exact name of a virtual host
tried     VirtualService default/shop http[0].match[0]        headers[x-a]: exact "1", the request has none
          VirtualService default/shop http[1].match[0] "put"  method: exact "PUT" does not match "GET"
          VirtualService default/shop http[1].match[1] "put"  uri: prefix "/v2" does not match "/cart/items"
decided   VirtualService default/shop http[2]: it matches every request
decision  route
          authority                SHOP.example
          cluster                  outbound|80||nginx.default.svc.cluster.local
          destinations[0].cluster  outbound|80||nginx.default.svc.cluster.local
          destinations[0].weight   100
          path                     /shop/cart/items?a=1
          requestHeaders.remove    d
          requestHeaders.remove    e
          requestHeaders.set       b: c
          retries.attempts         2
          retries.retryOn          connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes
"#;
    assert_eq!(text, expected);
    let output = sealgate(&["explain", "--json", "--dir", &dir, url]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["host"]["by"], &told["matched"]["rule"]),
        (&"exact".into(), &2.into())
    );
    let conditions: Vec<_> = told["earlier"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trial| &trial["field"])
        .collect();
    assert_eq!(conditions, ["headers[x-a]", "method", "uri"]);
}

#[test]
fn an_explanation_says_why_nothing_is_found() {
    let folder = site();
    let dir = folder.path().display().to_string();
    for (url, line) in [
        (
            "http://elsewhere/",
            "host      no virtual host on port 80 matches elsewhere",
        ),
        (
            "https://a.example/",
            "host      no virtual host on port 443 matches a.example",
        ),
        ("http://a.example/x", "decided   by default: no rule matches"),
        (
            "http://b.example:8080/",
            "host      b.example matches *.example, and no exact name or longer wildcard; its server \
             redirects to HTTPS before any rule",
        ),
    ] {
        let output = sealgate(&["explain", "--dir", &dir, url]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.lines().any(|own| own == line), "{url}: {text}");
    }
}

#[test]
fn a_url_is_of_http() {
    let folder = site();
    let dir = folder.path().display().to_string();
    let output = sealgate(&["explain", "--dir", &dir, "ftp://a.example/hello"]);
    let said = String::from_utf8(output.stderr).unwrap();
    let wanted = "sealgate: URL ftp://a.example/hello: the scheme must be http or https\n";
    assert_eq!((output.status.code(), &*said), (Some(2), wanted));
}

#[test]
fn the_version_of_http_decides_what_becomes_of_a_url() {
    let folder = site();
    fs::write(folder.path().join("shop.yaml"), SHOP).unwrap();
    let dir = folder.path().display().to_string();
    // Envoy's parser of HTTP/1.1 knows 34 methods, and HTTP/2 takes any word.
    for (protocol, line) in [
        ("HTTP/1.1", "decided   Envoy, before any rule"),
        (
            "http/2",
            "decided   VirtualService default/shop http[2]: it matches every request",
        ),
    ] {
        let url = "http://shop.example/cart";
        let output = sealgate(&[
            "explain",
            "--dir",
            &dir,
            "--method",
            "BREW",
            "--protocol",
            protocol,
            url,
        ]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.lines().any(|own| own == line), "{protocol}: {text}");
    }
}

#[test]
fn manifests_come_from_standard_input_too() {
    let folder = site();
    let dir = folder.path().display().to_string();
    let piped = |words: &[&str], text: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sealgate"))
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    for words in [
        &["explain", "http://a.example/hello"][..],
        &["check", "--json"],
        &["check"],
    ] {
        let there = sealgate(&[words, &["--dir", &dir]].concat());
        let here = piped(&[words, &["--dir", "-"]].concat(), SITE);
        assert_eq!(
            (here.status, here.stdout),
            (there.status, there.stdout),
            "{words:?}"
        );
    }
    let twice = piped(
        &["check", "--json", "--dir", "-"],
        &format!("{SITE}---{SITE}---\na: ["),
    );
    assert_eq!(twice.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&twice.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    for code in ["duplicate-object", "invalid-yaml"] {
        let found = findings.iter().find(|own| own["code"] == code).unwrap();
        assert!(found.to_string().contains("standard input"), "{found}");
    }
}

#[test]
fn every_shell_and_man_know_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = sealgate(&["completions", shell]);
        let script = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{shell}");
        for word in ["explain", "peer-certificate", "port-map", "completions"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let page = String::from_utf8(sealgate(&["man"]).stdout).unwrap();
    assert!(
        page.contains(".TH sealgate 1") && page.contains("sealgate\\-explain(1)"),
        "{page}"
    );
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("man");
    let output = sealgate(&["man", "--dir", dir.to_str().unwrap()]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    for (page, word) in [
        ("sealgate.1", "completions"),
        ("sealgate-run.1", "port\\-map"),
        ("sealgate-istio-sds.1", "selector"),
    ] {
        let text = fs::read_to_string(dir.join(page)).unwrap();
        assert!(text.contains(word), "{page}: {text}");
    }
}

/// An agent that says this of itself, once.
fn agent(synced: bool, source: &Value) -> SocketAddr {
    let status = serde_json::json!({
        "synced": synced, "source": source, "publications": 0, "gateways": [], "credentials": [], "proxies": [],
        "refusals": [],
    });
    let status = status.to_string();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        let length = status.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{status}"
        )
        .unwrap();
    });
    address
}

#[test]
fn check_waits_for_no_agent_and_believes_none_that_knows_too_little() {
    let check = |synced, source| {
        let address = agent(synced, &source).to_string();
        let output = sealgate(&["check", "--admin", &address]);
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said, output.stdout.is_empty())
    };
    let up = serde_json::json!({ "up": true, "watches": [] });
    let (code, said, is_silent) = check(false, serde_json::json!({ "up": false, "watches": [] }));
    assert!(
        code == Some(2) && is_silent && said.contains("first list is not complete"),
        "{said}"
    );
    let watch =
        |name: &str, state: &str| serde_json::json!({ "name": name, "state": state, "message": "403" });
    let down = serde_json::json!({ "up": false, "watches": [watch("Gateway", "failed"), watch("Pod", "following")] });
    let (code, said, is_silent) = check(true, down);
    assert!(
        code == Some(0) && !is_silent && said.contains("out of date; Gateway: 403") && !said.contains("Pod"),
        "{said}"
    );
    assert_eq!(check(true, up), (Some(0), String::new(), false));
}

#[test]
fn check_says_what_is_wrong_and_how_much() {
    let folder = site();
    let dir = folder.path().display().to_string();
    assert_eq!(sealgate(&["check", "--dir", &dir]).status.code(), Some(0));
    fs::create_dir(folder.path().join("keyless")).unwrap();
    fs::write(folder.path().join("keyless/tls.crt"), "x").unwrap();
    let output = sealgate(&["check", "--json", "--dir", &dir]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let finding = findings
        .iter()
        .find(|finding| finding["code"] == "no-key")
        .unwrap();
    assert_eq!(
        (&finding["object"], &finding["field"]),
        (&"Secret istio-system/keyless".into(), &"data[tls.key]".into())
    );
    assert!(
        findings
            .iter()
            .any(|finding| finding["code"] == "unknown-destination")
    );
    assert_eq!(report["credentials"][0]["state"], "refused");
}

#[test]
fn check_says_that_there_is_nothing_and_leaves_no_space_behind_a_line() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().display().to_string();
    let check = || {
        let output = sealgate(&["check", "--dir", &dir]);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let said = format!("sealgate: --dir {dir}: no manifests and no certificates found\n");
    let counts = "0 errors, 0 warnings\n".to_owned();
    assert_eq!(check(), (Some(0), counts, said));
    fs::create_dir(folder.path().join("keyless")).unwrap();
    fs::write(folder.path().join("keyless/tls.crt"), "x").unwrap();
    let (code, text, said) = check();
    assert_eq!((code, &*said), (Some(1), ""), "{text}");
    assert!(text.lines().all(|line| line.trim_end() == line), "{text}");
}

#[test]
fn check_says_of_a_plugins_configuration_what_the_filter_would() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("plugin.yaml");
    let check = |text: &str, more: &[&str]| {
        fs::write(&path, text).unwrap();
        sealgate(&[&["check", "--plugin-config", path.to_str().unwrap()], more].concat())
    };
    for good in [
        "",
        "{}",
        "identity: {xfcc: off}\nrouting: {unmatched: reject, virtualServices: []}\n",
    ] {
        assert_eq!(check(good, &[]).status.code(), Some(0), "{good}");
    }
    let bad = "identity: {colour: red}\nrouting: {unmatched: drop}\n";
    let output = check(bad, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["credentials"], serde_json::json!([]));
    let findings = report["findings"].as_array().unwrap();
    let fields: Vec<_> = findings
        .iter()
        .map(|finding| {
            assert_eq!(
                (&finding["severity"], &finding["code"]),
                (&"error".into(), &"bad-plugin-config".into())
            );
            assert_eq!(finding["object"], format!("File {}", path.display()));
            finding["field"].as_str().unwrap()
        })
        .collect();
    assert_eq!(fields, ["identity.colour", "routing.unmatched"]);
    let text = String::from_utf8(check(bad, &[]).stdout).unwrap();
    assert!(
        text.contains(": identity.colour: this key is not known; the known ones are headers, prefix,"),
        "{text}"
    );
    assert!(text.ends_with("2 errors, 0 warnings\n"), "{text}");
    let text = String::from_utf8(check("identity: {colour: red}\n", &[]).stdout).unwrap();
    assert!(text.ends_with("\n1 error, 0 warnings\n"), "{text}");
    let file = fs::File::open(&path).unwrap();
    let mut piped = Command::new(env!("CARGO_BIN_EXE_sealgate"));
    let piped = piped
        .args(["check", "--plugin-config", "-"])
        .stdin(file)
        .output()
        .unwrap();
    let text = String::from_utf8(piped.stdout).unwrap();
    assert!(
        text.starts_with("error: File standard input: identity.colour: "),
        "{text}"
    );
    let doubted = check("identity: {clientCert: chain}", &["--json"]);
    let report: Value = serde_json::from_slice(&doubted.stdout).unwrap();
    assert_eq!(doubted.status.code(), Some(0));
    assert_eq!(
        (&report["findings"][0]["code"], &report["findings"][0]["severity"]),
        (&"needs-envoy".into(), &"warning".into())
    );
    let both = sealgate(&["check", "--plugin-config", "a", "--dir", "b"]);
    assert_eq!(
        (both.status.code(), sealgate(&["check"]).status.code()),
        (Some(2), Some(2))
    );
}

#[test]
fn check_says_who_would_have_what() {
    let folder = site();
    let dir = folder.path().display().to_string();
    let check = |flags: &[&str]| sealgate(&[&["check", "--dir", &dir], flags].concat()).stdout;
    let report: Value = serde_json::from_slice(&check(&["--tenancy=namespaces", "--json"])).unwrap();
    let tenancy = &report["tenancy"];
    assert_eq!(tenancy["mode"], "namespaces");
    assert_eq!(tenancy["operators"], serde_json::json!(["istio-system"]));
    let claims = tenancy["claims"].as_array().unwrap();
    let of = |what: &str, host: &str| {
        let found = claims
            .iter()
            .find(|claim| claim["what"] == what && claim["host"] == host);
        found.map_or("", |claim| claim["holder"].as_str().unwrap())
    };
    assert_eq!(
        (of("server", "*.example"), of("routes", "a.example")),
        ("istio-system", "default")
    );
    let text = String::from_utf8(check(&["--tenancy=namespaces"])).unwrap();
    assert!(text.contains("\nserver 80 *.example: istio-system\n"), "{text}");
    // A single team is told nothing of it.
    let text = String::from_utf8(check(&[])).unwrap();
    assert!(!text.contains("server 80"), "{text}");
}

#[test]
fn a_files_name_begins_no_line_of_its_own() {
    let folder = site();
    let name = "a\nerror: File forged: x\u{1b}[2K\r.yaml";
    fs::write(folder.path().join(name), "a: [").unwrap();
    let filter = folder.path().join("filter.wasm");
    fs::write(&filter, b"\0asm").unwrap();
    let path = folder.path().display().to_string();
    let checked = sealgate(&["check", "--dir", &path]);
    let log = fs::File::create(folder.path().join("log")).unwrap();
    let mut agent = Command::new(env!("CARGO_BIN_EXE_sealgate"))
        .args(["run", "--admin=off", &format!("--source=dir:{path}")])
        .arg(format!("--socket={path}/xds.sock"))
        .arg(format!("--filter={}", filter.display()))
        .stderr(log)
        .spawn()
        .unwrap();
    let read = || fs::read_to_string(folder.path().join("log")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !read().contains("ready") && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    agent.kill().unwrap();
    agent.wait().unwrap();
    for text in [String::from_utf8(checked.stdout).unwrap(), read()] {
        assert!(text.contains("invalid-yaml"), "{text}");
        let forged = text.lines().any(|line| line.starts_with("error: File forged"));
        assert!(!forged && !text.contains(['\u{1b}', '\r']), "{text}");
    }
}
