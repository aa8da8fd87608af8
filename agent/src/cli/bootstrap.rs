//! `sealgate bootstrap`: the file `envoy/bootstrap.yaml` with this gateway's values.

use std::fmt::Write as _;

use anyhow::{Result, bail, ensure};

use crate::args::BootstrapArgs;

const TEMPLATE: &str = include_str!("../../../envoy/bootstrap.yaml");
/// `sun_path` less its closing NUL.
const LONGEST_SOCKET_PATH: usize = 107;

/// The bootstrap as YAML.
///
/// # Errors
/// A socket path that Envoy could not connect to, or that is not text.
pub(super) fn render(args: &BootstrapArgs) -> Result<String> {
    let Some(socket) = args.socket.to_str() else {
        bail!("--socket {}: not UTF-8", args.socket.display())
    };
    ensure!(
        socket.len() <= LONGEST_SOCKET_PATH,
        "--socket {socket}: {} bytes, and a Unix socket's path has at most {LONGEST_SOCKET_PATH}",
        socket.len()
    );
    Ok(TEMPLATE
        .replace("\"${SOCKET}\"", &quoted(socket))
        .replace("${NODE_ID}", &quoted(&args.node_id))
        .replace("${NODE_CLUSTER}", &quoted(&args.node_cluster))
        .replace("${ADMIN_PORT}", &args.admin_port.to_string()))
}

/// A YAML double-quoted scalar: JSON's escapes are YAML's.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(socket: &str) -> BootstrapArgs {
        BootstrapArgs {
            socket: socket.into(),
            node_id: "a\"b".into(),
            node_cluster: "c".into(),
            admin_port: 15001,
        }
    }

    #[test]
    fn every_placeholder_is_filled_and_quoted() {
        let text = render(&args("/run/a b.sock")).unwrap_or_default();
        assert!(text.contains(r#"path: "/run/a b.sock""#), "{text}");
        assert!(
            text.contains(r#"id: "a\"b""#) && text.contains("port_value: 15001"),
            "{text}"
        );
        assert!(!text.replace("the ${...} ones", "").contains("${"), "{text}");
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused() {
        assert!(render(&args(&format!("/{}", "x".repeat(107)))).is_err());
        assert!(render(&args(&format!("/{}", "x".repeat(106)))).is_ok());
    }
}
