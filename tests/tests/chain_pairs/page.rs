//! `docs/reference/connections.md`, from the observed results.

use std::collections::{BTreeMap, BTreeSet};

use sealgate_tests::clients::SeenRequest;

use super::oracle::{Caller, Variant};

/// What was seen on one connection.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    sni: String,
    caller: Caller,
    /// By host as it is spelled in the servers; nothing if there was no connection.
    statuses: BTreeMap<String, u16>,
}

impl Seen {
    pub(crate) fn new(sni: Option<&[u8]>, caller: Caller, seen: &[(String, SeenRequest)]) -> Self {
        let sni = match sni {
            None => "none".to_owned(),
            Some(long) if long.len() > 100 => format!("{} bytes", long.len()),
            Some(sni) => format!("`{}`", String::from_utf8_lossy(sni)),
        };
        Self {
            sni,
            caller,
            statuses: seen
                .iter()
                .map(|(host, answer)| (host.clone(), answer.status))
                .collect(),
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Page(String);

const HEAD: &str = "# Connections and hosts

Which hosts are answered on which connection. A test (`tests/tests/chain_pairs.rs`) observes this with the real Envoy; it writes this
page with `SEALGATE_WRITE_DOCS=1`, and fails if the page is out of date.

The rule: Envoy selects a filter chain, and with it a server, by the server name that the client sends (SNI). The rules of a host
answer a request on the connection if that server is the host's own, or if both servers require the same of clients: the same mode,
trust bundle, required names, TLS versions and cipher suites. Otherwise the request gets 421. A host that belongs to no server gets
404. Over plain HTTP, only plain servers' hosts are served, and upstreams get no headers about clients.

Envoy compares server names without regard to case, and treats a name with a trailing dot as a different name. `Host` is compared
without regard to case, port and a trailing dot: all spellings of a host got the same answer. The test identified each chain by the
certificate in the handshake, and checked that upstreams were told what that chain had verified about the client.

A and B are certificate authorities: Alice and Bob have certificates from A, Carol has one from B, and Nobody has none. \"By name\"
means `subjectAltNames` with Alice's name. A dash means that the server name or client gets no connection.

In each section, the first table has a row for each chain; the second lists the server names that select it.
";

impl Page {
    /// A section.
    pub(crate) fn add(&mut self, variant: Variant, all: &[Seen]) {
        if self.0.is_empty() {
            HEAD.clone_into(&mut self.0);
        }
        let hosts = variant.hosts();
        let mut lines = format!("\n## {}\n\n| chain | clients |", variant.title());
        hosts.iter().for_each(|host| lines += &format!(" `{host}` |"));
        lines += &format!("\n{}\n", "|---".repeat(hosts.len() + 2) + "|");
        let mut chains: BTreeMap<String, (BTreeSet<Caller>, BTreeSet<String>)> = BTreeMap::new();
        let mut names: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for seen in all {
            let found = variant.chain(Some(seen.sni.trim_matches('`').as_bytes()));
            let found = if seen.sni == "none" {
                variant.chain(None)
            } else {
                found
            };
            let chain = found.filter(|_| !seen.statuses.is_empty());
            let chain = chain.map(|own| format!("`{}`: {}", own.pattern, own.mode.words()));
            let row: Vec<_> = hosts
                .iter()
                .filter_map(|host| seen.statuses.get(*host))
                .map(u16::to_string)
                .collect();
            names.entry(&seen.sni).or_default().extend(chain.clone());
            if let Some(chain) = chain {
                let (callers, rows) = chains.entry(chain).or_default();
                callers.insert(seen.caller);
                rows.insert(row.join(" | "));
            }
        }
        for (chain, (callers, rows)) in &chains {
            let callers: Vec<_> = callers.iter().map(|caller| format!("{caller:?}")).collect();
            // One, if all clients and spellings had the same answers.
            for row in rows {
                lines += &format!("| {chain} | {} | {row} |\n", callers.join(", "));
            }
        }
        lines += "\n| chain | server names that find it |\n|---|---|\n";
        let mut finders: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (name, chains) in names {
            let chains: Vec<_> = chains.into_iter().collect();
            let chains = if chains.is_empty() {
                "-".to_owned()
            } else {
                chains.join("; ")
            };
            finders.entry(chains).or_default().push(name);
        }
        for (chains, names) in finders {
            lines += &format!("| {chains} | {} |\n", names.join(", "));
        }
        self.0 += &lines;
    }

    /// All of it.
    pub(crate) fn text(&self) -> String {
        self.0.clone()
    }
}
