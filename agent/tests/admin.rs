//! The admin interface of a running agent, as seen by anyone who can reach its port.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);

struct Agent {
    child: Child,
    folder: TempDir,
    admin: SocketAddr,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Agent {
    /// An agent whose admin interface is at a port of this address.
    fn start(address: &str, flags: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("objects")).unwrap();
        fs::write(folder.path().join("filter.wasm"), b"\0asm").unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let child = Command::new(env!("CARGO_BIN_EXE_sealgate"))
            .arg("run")
            .arg(format!("--source=dir:{}", path("objects")))
            .arg(format!("--socket={}", path("xds.sock")))
            .arg(format!("--filter={}", path("filter.wasm")))
            .arg(format!("--admin={address}:{port}"))
            .args(flags)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let agent = Self {
            child,
            folder,
            admin: SocketAddr::from(([127, 0, 0, 1], port)),
        };
        let deadline = Instant::now() + LIMIT;
        while !TcpStream::connect(agent.admin)
            .is_ok_and(|stream| answer(stream, "GET /readyz HTTP/1.0\r\n\r\n").contains(" 200 "))
        {
            assert!(
                Instant::now() < deadline,
                "it does not get ready: {}",
                agent.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        agent
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    fn ask(&self, request: &str) -> String {
        answer(TcpStream::connect(self.admin).unwrap(), request)
    }
}

/// Everything that comes until the connection ends.
fn answer(mut stream: TcpStream, request: &str) -> String {
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn half_a_request_is_let_go() {
    let agent = Agent::start("127.0.0.1", &[]);
    for half in ["", "GET /", "GET /readyz HTTP/1.1\r\nhost: a"] {
        let began = Instant::now();
        let mut stream = TcpStream::connect(agent.admin).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(half.as_bytes()).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(
            began.elapsed() < Duration::from_secs(8),
            "{half:?}: {:?}",
            began.elapsed()
        );
    }
}

#[test]
fn a_name_that_anybody_may_point_here_reads_nothing() {
    let agent = Agent::start("127.0.0.1", &["--admin-hosts=gateway.internal"]);
    let ask = |headers: &str| {
        agent.ask(&format!(
            "GET /api/status HTTP/1.1\r\n{headers}connection: close\r\n\r\n"
        ))
    };
    for good in [
        "host: localhost:1\r\n",
        "host: [::1]\r\n",
        "host: gateway.internal\r\n",
    ] {
        let answer = ask(good);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{good}: {answer}");
        let allows = answer.to_ascii_lowercase().contains("access-control-");
        assert!(!allows, "another origin may read it: {answer}");
    }
    let rebound = ask("host: evil.example\r\n");
    assert!(
        rebound.starts_with("HTTP/1.1 421 ") && rebound.contains("--admin-hosts"),
        "{rebound}"
    );
    let foreign = ask("host: localhost\r\norigin: https://evil.example\r\n");
    assert!(foreign.starts_with("HTTP/1.1 403 "), "{foreign}");
}

#[test]
fn the_page_may_load_nothing_from_elsewhere_and_is_sent_once() {
    let agent = Agent::start("127.0.0.1", &[]);
    let ask = |path: &str, headers: &str| {
        agent.ask(&format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}connection: close\r\n\r\n"
        ))
    };
    for path in ["/", "/app.js", "/page.css"] {
        let answer = ask(path, "");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        for word in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "nosniff",
        ] {
            assert!(answer.contains(word), "{path} without {word}");
        }
        let tag = answer
            .lines()
            .find_map(|line| line.strip_prefix("etag: "))
            .unwrap();
        let again = ask(path, &format!("if-none-match: {tag}\r\n"));
        assert!(again.starts_with("HTTP/1.1 304 "), "{path}: {again}");
    }
    for path in ["/missing.js", "/..%2fadmin.rs", "/%2e%2e"] {
        assert!(ask(path, "").starts_with("HTTP/1.1 404 "), "{path}");
    }
}

#[test]
fn no_answer_is_lent_to_others_or_kept_when_it_changes() {
    let agent = Agent::start("127.0.0.1", &[]);
    let ask = |path: &str, host: &str| agent.ask(&format!("GET {path} HTTP/1.0\r\nhost: {host}\r\n\r\n"));
    for (path, host, code, cache) in [
        ("/", "localhost", 200, "no-cache"),
        ("/healthz", "localhost", 200, ""),
        ("/missing.js", "localhost", 404, ""),
        ("/metrics", "localhost", 200, "no-store"),
        ("/api/status", "localhost", 200, "no-store"),
        ("/api/objects", "localhost", 200, "no-store"),
        ("/api/explain", "localhost", 400, "no-store"),
        ("/api/missing", "localhost", 404, "no-store"),
        ("/api/status", "evil.example", 421, "no-store"),
    ] {
        let answer = ask(path, host);
        assert!(answer.contains(&format!(" {code} ")), "{path}: {answer}");
        let (head, _) = answer.split_once("\r\n\r\n").unwrap();
        for line in [
            "cross-origin-resource-policy: same-origin",
            "x-content-type-options: nosniff",
        ] {
            let count = head.lines().filter(|own| *own == line).count();
            assert_eq!(count, 1, "{path}: {line}: {head}");
        }
        let told = head.lines().find_map(|line| line.strip_prefix("cache-control: "));
        assert_eq!(told.unwrap_or_default(), cache, "{path}: {head}");
    }
}

#[test]
fn what_is_served_is_told_whole_and_then_what_changed() {
    let agent = Agent::start("127.0.0.1", &[]);
    let rows = |path: &str| {
        let answer = agent.ask(&format!("GET {path} HTTP/1.0\r\n\r\n"));
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let rows = body
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        rows.collect::<Vec<_>>()
    };
    let objects = agent.folder.path().join("objects");
    let write = |name: &str| {
        let text = format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}}}\nspec: {{hosts: [{name}.test], http: [{{directResponse: {{status: 200}}}}]}}\n"
        );
        fs::write(objects.join(format!("{name}.yaml")), text).unwrap();
    };
    let named = |rows: &[serde_json::Value], kind: &str| {
        let own = rows.iter().filter_map(|row| row[kind]["name"].as_str());
        own.map(str::to_owned).collect::<Vec<_>>()
    };
    let until = |path: &str, kind: &str, expected: &[&str]| {
        let deadline = Instant::now() + LIMIT;
        loop {
            let rows = rows(path);
            if named(&rows, kind) == expected {
                return rows;
            }
            assert!(Instant::now() < deadline, "{rows:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    fs::write(
        objects.join("secret.yaml"),
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {tls.key: hush, tls.crt: hush}\n",
    )
    .unwrap();
    write("one");
    let all = until("/api/objects", "object", &["one"]);
    assert_eq!(all.last().unwrap()["end"], all.len(), "{all:?}");
    assert!(!format!("{all:?}").contains("hush"), "{all:?}");
    let generation = all[0]["begin"]["generation"].as_u64().unwrap();
    let since = format!("/api/objects?since={generation}");
    write("two");
    let changed = until(&since, "object", &["two"]);
    assert_eq!(changed[0]["begin"]["since"], generation, "{changed:?}");
    fs::remove_file(objects.join("one.yaml")).unwrap();
    until(&since, "gone", &["one"]);
    let unknown = rows("/api/objects?since=7");
    assert!(unknown[0]["begin"]["since"].is_null(), "{unknown:?}");
}

#[test]
fn a_few_pages_are_told_of_changes_and_probes_are_answered() {
    let agent = Agent::start("127.0.0.1", &[]);
    let listen = || {
        let mut stream = TcpStream::connect(agent.admin).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
            .write_all(b"GET /api/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        while !text.contains("event: change") && !text.contains(" 503 ") {
            let mut piece = [0; 1024];
            let count = stream.read(&mut piece).unwrap();
            text.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
        (stream, text)
    };
    let eight: Vec<_> = (0..8).map(|_| listen()).collect();
    assert!(
        eight.iter().all(|(_, text)| text.contains("text/event-stream")),
        "{eight:?}"
    );
    // The next stream begins soon, and has a connection of its own.
    let (_, text) = &eight[0];
    assert!(
        text.contains("retry: 500\n") && text.contains("connection: close\r\n"),
        "{text}"
    );
    assert!(listen().1.contains(" 503 "));
    assert!(agent.ask("GET /readyz HTTP/1.0\r\n\r\n").contains(" 200 "));
    drop(eight);
    let deadline = Instant::now() + LIMIT;
    while listen().1.contains(" 503 ") {
        assert!(Instant::now() < deadline, "no place becomes free");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn an_address_that_others_reach_is_warned_of() {
    let warns = |agent: &Agent| {
        let log = agent.log();
        log.lines()
            .any(|line| line.contains("WARN") && line.contains("requires no token"))
    };
    assert!(warns(&Agent::start("0.0.0.0", &[])));
    assert!(!warns(&Agent::start("127.0.0.1", &[])));
    let (_folder, flag) = token_file();
    assert!(!warns(&Agent::start("0.0.0.0", &[&flag])), "it asks for a token");
}

const TOKEN: &str = "a-token-of-the-test";

/// A file with it, and the flag that names the file.
fn token_file() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, TOKEN).unwrap();
    (folder, format!("--admin-token-file={}", path.display()))
}

#[test]
fn a_token_is_asked_for_but_by_probes() {
    let (_folder, flag) = token_file();
    let agent = Agent::start("127.0.0.1", &[&flag]);
    let ask = |path: &str, headers: &str| agent.ask(&format!("GET {path} HTTP/1.0\r\n{headers}\r\n"));
    for path in ["/healthz", "/readyz"] {
        assert!(ask(path, "").contains(" 200 "), "{path}");
    }
    for path in [
        "/",
        "/metrics",
        "/api/status",
        "/api/explain?url=http://a/",
        "/none",
        "/healthz/",
    ] {
        for wrong in ["", "authorization: Bearer a-token-of-another\r\n"] {
            let answer = ask(path, wrong);
            assert!(
                answer.contains(" 401 ") && !answer.contains("synced"),
                "{path}: {answer}"
            );
            assert!(answer.contains("www-authenticate: Bearer"), "{answer}");
        }
    }
    let bearer = format!("authorization: Bearer {TOKEN}\r\n");
    for path in ["/", "/metrics", "/api/status", "/api/explain?url=http://a/"] {
        let answer = ask(path, &bearer);
        assert!(answer.contains(" 200 "), "{path}: {answer}");
    }
    assert!(!agent.log().contains(TOKEN));
}

#[test]
fn commands_send_the_token() {
    let (_folder, flag) = token_file();
    let agent = Agent::start("127.0.0.1", &[&flag]);
    let (_other, other) = token_file();
    let path = other.split_once('=').unwrap().1.to_owned();
    fs::write(&path, "a-token-of-another").unwrap();
    let run = |words: &[&str], flags: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_sealgate"))
            .args(words)
            .arg(format!("--admin={}", agent.admin))
            .args(flags)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for words in [
        &["status"][..],
        &["certs"],
        &["check"],
        &["explain", "http://a.example/"],
    ] {
        for flags in [&[][..], &[&*other]] {
            let (code, said) = run(words, flags);
            assert!(
                code == Some(2) && said.contains("--admin-token-file"),
                "{words:?}: {said}"
            );
        }
        let (code, said) = run(words, &[&flag]);
        assert!(
            code == Some(1) || words == ["check"] && code == Some(0),
            "{words:?}: {code:?} {said}"
        );
        assert!(said.is_empty(), "{said}");
    }
}

/// `--dir` asks no agent, so the variable means nothing to it.
#[test]
fn commands_ask_the_agent_of_the_variable() {
    let agent = Agent::start("0.0.0.0", &[]);
    let run = |variable: &str, words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_sealgate"))
            .args(words)
            .env("SEALGATE_ADMIN", variable)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let dir = format!("--dir={}", agent.folder.path().join("objects").display());
    let all = format!("0.0.0.0:{}", agent.admin.port());
    let flag = format!("--admin={}", agent.admin);
    for words in [["status"], ["certs"]] {
        let [command] = words;
        assert_eq!(run(&all, &words), (Some(1), String::new()), "{command}");
        assert_eq!(
            run("off", &[command, &flag]),
            (Some(1), String::new()),
            "{command}"
        );
        for wrong in ["off", "nonsense"] {
            let (code, said) = run(wrong, &words);
            let wanted = format!("sealgate: SEALGATE_ADMIN={wrong}: ");
            assert!(code == Some(2) && said.starts_with(&wanted), "{command}: {said}");
        }
    }
    assert_eq!(run("off", &["certs", &dir]), (Some(1), String::new()));
}

#[test]
fn a_part_of_the_status_is_what_was_asked_for() {
    let agent = Agent::start("127.0.0.1", &[]);
    let ask = |path: &str| agent.ask(&format!("GET {path} HTTP/1.0\r\n\r\n"));
    let answer = ask("/api/status?fields=synced,credentials&limit=10&state=refused");
    assert!(
        answer.ends_with("{\"credentials\":[],\"next\":{},\"synced\":true}"),
        "{answer}"
    );
    for (bad, word) in [
        ("/api/status?fields=colour", "colour"),
        ("/api/status?limit=none", "limit=none"),
        ("/api/objects?since=foo", "since=foo: expected a generation"),
        ("/api/objects?colour=red", "colour"),
        ("/api/explain", "expected either question, or url"),
        ("/api/explain?url=http://a/&colour=red", "colour"),
        (
            "/api/explain?url=http://a/&peerCertificate=x",
            "it contains no certificate",
        ),
    ] {
        let answer = ask(bad);
        assert!(
            answer.contains(" 400 ") && answer.contains(word),
            "{bad}: {answer}"
        );
    }
}
