//! `sealgate bootstrap`: the file `envoy/bootstrap.yaml` with this gateway's values.

use std::fmt::Write as _;

use anyhow::{Result, bail, ensure};

use crate::args::{BootstrapArgs, ClusterStats};

const TEMPLATE: &str = include_str!("../../../envoy/bootstrap.yaml");
/// `sun_path` less its closing NUL.
const LONGEST_SOCKET_PATH: usize = 107;
/// What the counters of destinations begin with, and of nothing else.
const OF_DESTINATIONS: &str = "cluster.outbound|";
/// Those that are worth their memory.
const FEW: [&str; 6] = [
    "upstream_rq_total",
    "upstream_rq_5xx",
    "upstream_rq_active",
    "upstream_cx_active",
    "upstream_cx_connect_fail",
    "membership_healthy",
];

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
    Ok(without_head(TEMPLATE)
        .replace("\"${SOCKET}\"", &quoted(socket))
        .replace("${NODE_ID}", &quoted(&args.node_id))
        .replace("${NODE_CLUSTER}", &quoted(&args.node_cluster))
        .replace("${ADMIN_PORT}", &args.admin_port.to_string())
        .replace(" ${STATS_CONFIG}", &stats_config(args.cluster_stats)))
}

/// The template without its first comment, which is about the template.
fn without_head(template: &str) -> String {
    let lines = template.split_inclusive('\n');
    lines.skip_while(|line| line.starts_with('#')).collect()
}

/// `envoy.config.metrics.v3.StatsConfig`, to stand behind its name. Of a `StatsMatcher` one list is all there can be:
/// so what is kept is whatever is not of a destination, and some of what is.
fn stats_config(kept: ClusterStats) -> String {
    let few: &[&str] = match kept {
        ClusterStats::All => return " {}".to_owned(),
        ClusterStats::Few => &FEW,
        ClusterStats::None => &[],
    };
    let others = quoted(&all_but(OF_DESTINATIONS));
    let mut text = format!(
        "\n  stats_matcher:\n    inclusion_list:\n      patterns:\n        - safe_regex: {{ regex: {others} }}"
    );
    for name in few {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n        - suffix: {}", quoted(&format!(".{name}")));
    }
    text
}

/// A regular expression for all that does not begin with this. RE2 cannot look ahead, so it leaves the prefix at any of
/// its letters.
fn all_but(prefix: &str) -> String {
    prefix.chars().rev().fold(String::new(), |rest, letter| {
        let goes_on = if rest.is_empty() {
            String::new()
        } else {
            format!("|[{letter}]({rest})?")
        };
        format!("[^{letter}].*{goes_on}")
    })
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
            cluster_stats: ClusterStats::Few,
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
        assert!(text.starts_with("node:\n") && !text.contains("${"), "{text}");
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused() {
        assert!(render(&args(&format!("/{}", "x".repeat(107)))).is_err());
        assert!(render(&args(&format!("/{}", "x".repeat(106)))).is_ok());
    }
    #[test]
    fn all_but_a_prefix_is_all_but_that() {
        let others =
            regex_automata::meta::Regex::new(&format!("^(?:{})$", all_but(OF_DESTINATIONS))).unwrap();
        for kept in [
            "server.live",
            "cluster_manager.cds.update_success",
            "cluster.sealgate.upstream_rq_total",
            "cluster.outbound",
            "cluster.outboundx",
            "cluste",
            "http.gateway-443.downstream_rq_2xx",
            "listener.cluster.outbound|80||a",
        ] {
            assert!(others.is_match(kept), "{kept}");
        }
        for dropped in ["cluster.outbound|", "cluster.outbound|80||a.b.upstream_cx_total"] {
            assert!(!others.is_match(dropped), "{dropped}");
        }
    }

    #[test]
    fn what_is_counted_is_chosen() {
        let with = |cluster_stats| {
            let args = BootstrapArgs {
                cluster_stats,
                ..args("/a")
            };
            render(&args).unwrap_or_default()
        };
        assert!(with(ClusterStats::All).contains("\nstats_config: {}\n"));
        let few = with(ClusterStats::Few);
        assert!(
            few.contains("\n        - suffix: \".membership_healthy\"\n"),
            "{few}"
        );
        let none = with(ClusterStats::None);
        assert!(
            none.contains("- safe_regex:") && !none.contains("- suffix"),
            "{none}"
        );
    }
}
