//! Which chain Envoy chooses, whom it lets in, and how a host is answered on it: the documented rule, implemented
//! independently.

/// What a server asks of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Simple,
    /// TLS 1.3 alone: another policy, though no certificate is asked for.
    Newest,
    MutualA,
    MutualB,
    Optional,
    /// Of authority A, by the name of Alice.
    Alice,
}

/// Who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Caller {
    Nobody,
    /// Of authority A.
    Alice,
    /// Of authority A.
    Bob,
    /// Of authority B.
    Carol,
}

pub(crate) const CLIENTS: [Caller; 4] = [Caller::Nobody, Caller::Alice, Caller::Bob, Caller::Carol];

impl Caller {
    /// The name in the certificate.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nobody => "",
            Self::Alice => "alice.test",
            Self::Bob => "bob.test",
            Self::Carol => "carol.test",
        }
    }
}

impl Mode {
    /// The fields of `tls`.
    pub(crate) fn fields(self) -> &'static str {
        match self {
            Self::Simple => "mode: SIMPLE, ",
            Self::Newest => "mode: SIMPLE, minProtocolVersion: TLSV1_3, ",
            Self::MutualA => "mode: MUTUAL, caCertCredentialName: clients-a, ",
            Self::MutualB => "mode: MUTUAL, caCertCredentialName: clients-b, ",
            Self::Optional => "mode: OPTIONAL_MUTUAL, caCertCredentialName: clients-a, ",
            Self::Alice => "mode: MUTUAL, caCertCredentialName: clients-a, subjectAltNames: [alice.test], ",
        }
    }

    /// In words of the page.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Simple => "SIMPLE",
            Self::Newest => "SIMPLE, TLS 1.3",
            Self::MutualA => "MUTUAL, A",
            Self::MutualB => "MUTUAL, B",
            Self::Optional => "OPTIONAL_MUTUAL, A",
            Self::Alice => "MUTUAL, A, by name",
        }
    }

    /// Whether a client gets in.
    pub(crate) fn takes(self, caller: Caller) -> bool {
        match self {
            Self::Simple | Self::Newest => true,
            Self::MutualA => matches!(caller, Caller::Alice | Caller::Bob),
            Self::MutualB => caller == Caller::Carol,
            Self::Optional => caller != Caller::Carol,
            Self::Alice => caller == Caller::Alice,
        }
    }
}

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostSpec {
    /// Its Secret.
    pub(crate) name: &'static str,
    /// Its host.
    pub(crate) pattern: &'static str,
    pub(crate) mode: Mode,
}

const fn host(name: &'static str, pattern: &'static str, mode: Mode) -> HostSpec {
    HostSpec { name, pattern, mode }
}

/// Those of every variant.
pub(crate) const SERVERS: [HostSpec; 11] = [
    host("s", "s.test", Mode::Simple),
    host("t", "t.test", Mode::Simple),
    host("v", "v.test", Mode::Newest),
    host("m", "m.test", Mode::MutualA),
    host("n", "n.test", Mode::MutualB),
    host("o", "o.test", Mode::Optional),
    host("a", "a.test", Mode::Alice),
    host("w", "*.w.test", Mode::Simple),
    host("mw", "m.w.test", Mode::MutualA),
    host("x", "*.x.test", Mode::MutualA),
    host("sx", "s.x.test", Mode::Simple),
];

/// Hosts of the plain port; one of them is also a host with TLS.
pub(crate) const PLAIN: [&str; 2] = ["p.test", "m.test"];

/// Hosts that are asked for and are no server's name.
pub(crate) const MORE_HOSTS: [&str; 5] = ["q.w.test", "q.x.test", "w.test", "p.test", "nobody.example"];

/// What stands beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// Nothing.
    Alone,
    /// `*` with this mode.
    AnySimple,
    AnyMutual,
    AnyOptional,
    /// The SIMPLE servers share a chain.
    OnDemand,
}

impl Variant {
    pub(crate) const ALL: [Self; 5] = [
        Self::Alone,
        Self::AnySimple,
        Self::AnyMutual,
        Self::AnyOptional,
        Self::OnDemand,
    ];

    /// In words of the page.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Alone => "No server for `*`",
            Self::AnySimple => "A server for `*`, SIMPLE",
            Self::AnyMutual => "A server for `*`, MUTUAL with authority B",
            Self::AnyOptional => "A server for `*`, OPTIONAL_MUTUAL with authority A",
            Self::OnDemand => "Certificates on demand",
        }
    }

    pub(crate) fn servers(self) -> Vec<HostSpec> {
        let any = match self {
            Self::Alone | Self::OnDemand => None,
            Self::AnySimple => Some(Mode::Simple),
            Self::AnyMutual => Some(Mode::MutualB),
            Self::AnyOptional => Some(Mode::Optional),
        };
        let any = any.map(|mode| host("any", "*", mode));
        SERVERS.into_iter().chain(any).collect()
    }

    /// The hosts that are asked for.
    pub(crate) fn hosts(self) -> Vec<&'static str> {
        let named = SERVERS
            .iter()
            .map(|host| host.pattern)
            .filter(|host| !host.starts_with('*'));
        named.chain(MORE_HOSTS).collect()
    }

    /// The chain that a server name finds, by its server. Envoy knows capitals from small letters no more than DNS does, and a
    /// name with a dot at its end is another one. The shared chain is there for what no other chain takes, knows no names but its own
    /// servers', and leaves the dot out.
    pub(crate) fn chain(self, sni: Option<&[u8]>) -> Option<HostSpec> {
        let name = sni.map(|sni| String::from_utf8_lossy(sni).to_ascii_lowercase());
        let servers = self.servers();
        let Some(name) = name else {
            return find(&servers, "").filter(|own| own.pattern == "*");
        };
        let by_envoy = find(&servers, &name);
        if by_envoy.is_some() || self != Self::OnDemand {
            return by_envoy;
        }
        // What lies within another policy's wildcard is not shared.
        let is_shared = |own: &HostSpec| own.mode == Mode::Simple && own.pattern != "s.x.test";
        let shared: Vec<_> = servers.into_iter().filter(is_shared).collect();
        find(&shared, name.strip_suffix('.').unwrap_or(&name))
    }

    /// The server whose a host is.
    pub(crate) fn owner(self, host: &str) -> Option<HostSpec> {
        find(&self.servers(), &normal(host))
    }

    /// How a host is answered on a connection of this chain.
    pub(crate) fn answer(self, chain: &HostSpec, host: &str) -> u16 {
        match self.owner(host) {
            None => 404,
            Some(owner) if owner == *chain || owner.mode == chain.mode => 200,
            Some(_) => 421,
        }
    }
}

/// A Host without case, port and the dot at its end.
pub(crate) fn normal(host: &str) -> String {
    let name = host.split(':').next().unwrap_or_default();
    let name = name.strip_suffix('.').unwrap_or(name);
    name.to_ascii_lowercase()
}

/// The exact name, then the longest wildcard, then `*`.
fn find(servers: &[HostSpec], name: &str) -> Option<HostSpec> {
    let takes = |own: &&HostSpec| match own.pattern.strip_prefix('*') {
        Some(suffix) => name.len() > suffix.len() && name.ends_with(suffix) || own.pattern == "*",
        None => name == own.pattern,
    };
    let rank = |own: &&HostSpec| (!own.pattern.starts_with('*'), own.pattern.len());
    servers.iter().filter(takes).max_by_key(rank).copied()
}
