//! Who may do what: how far the namespaces that write objects for one gateway trust each other. `agent/docs/tenancy.md` says
//! it in words, beside what Istio allows.

/// What the full names of Services end with.
pub(crate) const SERVICE_SUFFIX: &str = ".svc.cluster.local";

/// How far namespaces trust each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tenancy {
    /// Not at all: what one writes never changes what another's hosts do.
    #[default]
    Namespaces,
    /// All are one team's.
    Single,
}

/// Whose word an object is, for a host of a service. The order is that in which several count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Authority {
    /// The namespace that the service is in.
    Owner,
    /// Those who run the gateway.
    Operator,
    /// Anybody else.
    Other,
}

/// The namespaces that matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenants {
    /// How far they trust each other.
    pub tenancy: Tenancy,
    /// The gateway's own namespace.
    pub gateway: String,
    /// The namespace whose objects are meant for all, as in Istio.
    pub root: String,
}

impl Tenants {
    /// Whether a namespace is that of those who run the gateway.
    #[must_use]
    pub fn is_operator(&self, namespace: &str) -> bool {
        namespace == self.gateway || namespace == self.root
    }

    /// Whose word an object of this namespace is, for a host.
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

    /// Whether such a word counts for a host: a Service is its own namespace's, and a name that is no Service of the
    /// cluster is whoever's had it first.
    #[must_use]
    pub fn counts(&self, authority: Authority, host: &str) -> bool {
        self.tenancy == Tenancy::Single || authority != Authority::Other || owner(host).is_none()
    }
}

/// The namespace of a Service, by its full name; none for any other host.
#[must_use]
pub fn owner(host: &str) -> Option<&str> {
    let name = host.strip_suffix(SERVICE_SUFFIX)?;
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
            ("team-b", "api.example.com", Authority::Other, true),
            ("team-b", "svc.cluster.local", Authority::Other, true),
        ] {
            let own = tenants(Tenancy::Namespaces);
            assert_eq!(own.authority(namespace, host), authority, "{namespace} {host}");
            assert_eq!(own.counts(authority, host), counts, "{namespace} {host}");
            assert!(tenants(Tenancy::Single).counts(authority, host));
        }
    }
}
