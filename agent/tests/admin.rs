//! The admin interface of a running agent, as whoever reaches its port sees it.
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
fn an_address_that_others_reach_is_warned_of() {
    let warns = |agent: &Agent| {
        let log = agent.log();
        log.lines()
            .any(|line| line.contains("WARN") && line.contains("asks for no password"))
    };
    assert!(warns(&Agent::start("0.0.0.0", &[])));
    assert!(!warns(&Agent::start("127.0.0.1", &[])));
}
