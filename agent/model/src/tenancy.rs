//! Who may do what: how far the namespaces that write objects for one gateway trust each other.
//! `docs/reference/tenancy.md` describes it, and compares it with Istio.

use std::sync::Arc;

mod policy;

pub use self::policy::{HostWord, PolicyError, TenancyPolicy};

/// What the full names of Services end with.
pub(crate) const SERVICE_SUFFIX: &str = ".svc.cluster.local";
/// The same, and shorter forms.
pub(crate) const SERVICE_SUFFIXES: [&str; 3] = [SERVICE_SUFFIX, ".svc.cluster", ".svc"];

/// How far namespaces trust each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tenancy {
    /// Not at all: what one writes never changes what another's hosts do.
    #[default]
    Namespaces,
    /// All belong to one team.
    Single,
}

/// The authority of an object's namespace over the host of a service, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Authority {
    /// The namespace that the service is in.
    Owner,
    /// Those who run the gateway.
    Operator,
    /// Anyone else.
    Other,
}

/// Namespaces with a special role, and what the others may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenants {
    /// How far they trust each other.
    pub tenancy: Tenancy,
    /// The gateway's own namespace.
    pub gateway: String,
    /// The namespace whose objects apply to all, as in Istio.
    pub root: String,
    /// The operator's policy for single hosts, ports and Secrets.
    pub policy: TenancyPolicy,
}

impl Tenants {
    /// Whether a namespace is an operator's.
    #[must_use]
    pub fn is_operator(&self, namespace: &str) -> bool {
        namespace == self.gateway || namespace == self.root
    }

    /// Whether namespaces do not trust each other, and this one is not an operator's.
    #[must_use]
    pub fn is_tenant(&self, namespace: &str) -> bool {
        self.tenancy == Tenancy::Namespaces && !self.is_operator(namespace)
    }

    /// Whether a namespace may have servers on a port.
    #[must_use]
    pub fn allows_port(&self, namespace: &str, port: u16) -> bool {
        !self.is_tenant(namespace) || self.policy.allows_port(namespace, port)
    }

    /// What the policy says about a server's host.
    #[must_use]
    pub fn host(&self, namespace: &str, pattern: &str) -> HostWord {
        if self.is_tenant(namespace) {
            self.policy.host(namespace, pattern)
        } else {
            HostWord::Granted
        }
    }

    /// Whether Gateways of a namespace may name a Secret in the gateway's namespace; `listed` are the namespaces that
    /// the Secret itself lists.
    #[must_use]
    pub fn may_name_secret(&self, namespace: &str, secret: &str, listed: &[Arc<str>]) -> bool {
        let is_listed = || listed.iter().any(|own| **own == *namespace || **own == *"*");
        !self.is_tenant(namespace) || is_listed() || self.policy.grants_secret(namespace, secret)
    }

    /// Whether a namespace may not have a host because `holder` has a wider one: the operator reserves it for those to
    /// whom the wider server is open; none means everyone. A tenant's wildcard reserves nothing: else whoever is early
    /// could keep all new hosts from everyone.
    #[must_use]
    pub fn is_reserved(
        &self,
        namespace: &str,
        holder: &str,
        mut open_to: impl Iterator<Item = Option<Arc<str>>>,
    ) -> bool {
        let is_kept = self.is_tenant(namespace) && self.is_operator(holder);
        is_kept && !open_to.any(|open| open.is_none_or(|open| *open == *namespace))
    }

    /// The authority of this namespace over a host.
    #[must_use]
    pub fn authority(&self, namespace: &str, host: &str) -> Authority {
        if owner(host) == Some(namespace) {
            Authority::Owner
        } else if self.is_operator(namespace) {
            Authority::Operator
        } else {
            Authority::Other
        }
    }

    /// Whether objects with this authority count for a host: a Service belongs to its namespace, and any other name to
    /// whoever had it first.
    #[must_use]
    pub fn counts(&self, authority: Authority, host: &str) -> bool {
        self.tenancy == Tenancy::Single || authority != Authority::Other || owner(host).is_none()
    }
}

/// The namespace of a Service, by its full name or a shorter one that says it is a Service; none for any other host.
#[must_use]
pub fn owner(host: &str) -> Option<&str> {
    let name = SERVICE_SUFFIXES.iter().find_map(|end| host.strip_suffix(end))?;
    name.rsplit_once('.').map(|(_, namespace)| namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_its_own_namespaces_then_the_operators_and_nobody_elses() {
        let tenants = |tenancy| Tenants {
            tenancy,
            gateway: "gateways".to_owned(),
            root: "istio-system".to_owned(),
            policy: TenancyPolicy::default(),
        };
        let web = "web.team-a.svc.cluster.local";
        for (namespace, host, authority, counts) in [
            ("team-a", web, Authority::Owner, true),
            ("gateways", web, Authority::Operator, true),
            ("istio-system", web, Authority::Operator, true),
            ("team-b", web, Authority::Other, false),
            ("team-b", "*.team-a.svc.cluster.local", Authority::Other, false),
            (
                "team-b",
                "pod-0.web.team-a.svc.cluster.local",
                Authority::Other,
                false,
            ),
            ("team-b", "web.team-a.svc", Authority::Other, false),
            ("team-a", "web.team-a.svc.cluster", Authority::Owner, true),
            ("team-b", "api.example.com", Authority::Other, true),
            ("team-b", "svc.cluster.local", Authority::Other, true),
        ] {
            let own = tenants(Tenancy::Namespaces);
            assert_eq!(own.authority(namespace, host), authority, "{namespace} {host}");
            assert_eq!(own.counts(authority, host), counts, "{namespace} {host}");
            assert!(tenants(Tenancy::Single).counts(authority, host));
        }
    }

    #[test]
    fn secrets_are_for_those_whom_they_list_and_the_operators_hosts_for_whom_they_are_open_to() {
        let tenants = |tenancy| Tenants {
            tenancy,
            gateway: "gw".to_owned(),
            root: "root".to_owned(),
            policy: TenancyPolicy::default(),
        };
        let (own, single) = (tenants(Tenancy::Namespaces), tenants(Tenancy::Single));
        let listed = ["a".into()];
        assert!(own.may_name_secret("a", "s", &listed) && own.may_name_secret("gw", "s", &[]));
        assert!(!own.may_name_secret("b", "s", &listed) && single.may_name_secret("b", "s", &listed));
        assert!(own.may_name_secret("b", "s", &["*".into()]));

        let reserved = |namespace, holder, open: &[Option<&str>]| {
            own.is_reserved(namespace, holder, open.iter().map(|open| open.map(Arc::from)))
        };
        assert!(reserved("b", "gw", &[Some("a")]) && reserved("b", "root", &[Some("a"), Some("c")]));
        assert!(!reserved("a", "gw", &[Some("a")]) && !reserved("b", "gw", &[None]));
        assert!(!reserved("gw", "root", &[Some("a")]) && !reserved("b", "a", &[Some("a")]));
        assert!(!single.is_reserved("b", "gw", [Some("a".into())].into_iter()));
    }
}
