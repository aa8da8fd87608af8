//! `bench scale`: the cost of a change, a host and a route, by the number of existing ones. The agent and Envoy are
//! black boxes here: a program, its command line, its admin interface and its manifests, so that every build can be
//! measured.

pub mod args;
mod bulk;
mod changes;
mod chart;
mod figures;
mod flood;
mod line;
mod load;
mod machine;
mod objects;
mod place;
mod plane;
mod pods;
mod poll;
mod process;
mod report;
mod rotate;
mod rows;
mod run;
mod series;
mod stand;
mod visit;

pub use run::run;

use std::fmt;

/// How much is served: routes, each with its own service, on TLS hosts, each with its own certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    /// VirtualServices, and as many services.
    pub routes: usize,
    /// Gateways of one server, and as many Secrets.
    pub hosts: usize,
    /// Whether every service has a DestinationRule with a policy and two subsets.
    pub policies: bool,
}

impl Size {
    /// As many hosts as routes, but only 2,500 for 40,000: the sizes of the public benchmarks.
    #[must_use]
    pub const fn of(routes: usize) -> Self {
        let hosts = if routes == 40_000 { 2_500 } else { routes };
        Self {
            routes,
            hosts,
            policies: false,
        }
    }

    /// The same with policies.
    #[must_use]
    pub const fn with_policies(self) -> Self {
        Self {
            policies: true,
            ..self
        }
    }

    /// The part of a name in the JSON line: `10000x10000`, `10000x10000p` with policies.
    #[must_use]
    pub fn key(self) -> String {
        let policies = if self.policies { "p" } else { "" };
        format!("{}x{}{policies}", self.routes, self.hosts)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policies = if self.policies { " p" } else { "" };
        write!(f, "{} x {}{policies}", grouped(self.routes), grouped(self.hosts))
    }
}

/// `10,000`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Where the objects are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Files.
    Directory,
    /// Objects of a real API server.
    Kubernetes,
}

impl Origin {
    /// Its name on the command line and in the JSON line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Kubernetes => "kubernetes",
        }
    }
}

/// Which build of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// `SEALGATE_BIN`.
    Own,
    /// `SEALGATE_OTHER_BIN`, to compare with.
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_for_people() {
        assert_eq!(Size::of(10).to_string(), "10 x 10");
        assert_eq!(Size::of(40_000).to_string(), "40,000 x 2,500");
        assert_eq!(Size::of(10).with_policies().to_string(), "10 x 10 p");
        assert_eq!(Size::of(1_000_000).to_string(), "1,000,000 x 1,000,000");
    }
}
