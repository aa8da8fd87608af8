//! Objects of the first list that nobody can judge: they are bad, or missing, and no version before is known. A proxy that went
//! on without an agent may still have what they were served as. Such an object is one no more once it is good or gone; what
//! comes later is never one, for its last good version is known.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use sealgate_model::resolve::gateway::DeclaredServer;
use sealgate_model::resolve::{Gateway, Resolver};
use sealgate_model::{Code, CredentialName, Finding, Kind, Object, ObjectRef, Severity};

use crate::credential::CredentialOutcome;
use crate::credentials::Credentials;
use crate::snapshot::{MayBeOf, TypeUrl, Unjudged};
use crate::translate::{self, Made};

/// Ports of Gateways; none if nobody knows which.
type MaybePorts = Option<OrdSet<u16>>;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct UnreadObjects {
    /// Whether the first list is complete: no object comes to be one of these any more.
    is_closed: bool,
    /// Objects of which a version before is known.
    known: BTreeSet<ObjectRef>,
    doubted: ShownUnread,
    is_moved: bool,
}

/// The objects, as they are shown.
#[derive(Clone, Debug, Default)]
struct ShownUnread {
    objects: OrdMap<ObjectRef, MaybePorts>,
    /// Credentials without a good version, with the ports of the servers that name them.
    credentials: OrdMap<CredentialName, OrdSet<u16>>,
    /// Destinations of which nothing is known: clusters without endpoints stand in for them.
    stand_ins: OrdSet<Arc<str>>,
}

impl UnreadObjects {
    /// A version before of this object is known.
    pub(crate) fn know(&mut self, name: ObjectRef) {
        self.known.insert(name);
    }

    /// This is what a source has of an object, and what is said of it.
    pub(crate) fn take(
        &mut self,
        name: &ObjectRef,
        object: Option<&Object>,
        said: &[Finding],
        gateway: &Gateway,
    ) {
        let is_bad = said
            .iter()
            .any(|finding| finding.severity == Severity::Error && !is_judgement(finding.code));
        let may_be = !self.is_closed || self.doubted.objects.contains_key(name);
        if is_bad && may_be && !self.known.contains(name) && is_ours(object, gateway) {
            self.doubted.objects.insert(name.clone(), ports(object));
            self.is_moved = true;
        } else {
            self.judge(name);
        }
    }

    /// An object is good, or gone.
    pub(crate) fn judge(&mut self, name: &ObjectRef) {
        self.is_moved |= self.doubted.objects.remove(name).is_some();
    }

    /// The first list is complete: credentials that are bad or missing are known now.
    pub(crate) fn close(&mut self, credentials: &Credentials, resolver: &Resolver) {
        if std::mem::replace(&mut self.is_closed, true) {
            return;
        }
        self.known = BTreeSet::new();
        let records = credentials.records().iter();
        let refused = records.filter(|(_, record)| {
            record.good.is_none() && matches!(record.outcome(), Some(CredentialOutcome::Refused(_)))
        });
        let missing = resolver
            .wanted()
            .iter()
            .filter(|name| !credentials.is_served(name));
        let names: BTreeSet<_> = refused.map(|(name, _)| name).chain(missing).cloned().collect();
        for name in names {
            let ports = ports_naming(resolver, &name);
            self.doubted.credentials.insert(name, ports);
            self.is_moved = true;
        }
    }

    /// Looks again at credentials: one that is good now, or that nobody has or names any more, is judged.
    pub(crate) fn look(&mut self, credentials: &Credentials, resolver: &Resolver) {
        if self.doubted.credentials.is_empty() {
            return;
        }
        let is_refused = |name: &CredentialName| {
            let record = credentials.records().get(name);
            record.is_some_and(|record| matches!(record.outcome(), Some(CredentialOutcome::Refused(_))))
        };
        let names = self.doubted.credentials.keys();
        let judged = names.filter(|name| {
            credentials.is_served(name) || !(is_refused(name) || resolver.wanted().contains(*name))
        });
        let judged: Vec<_> = judged.cloned().collect();
        for name in judged {
            self.doubted.credentials.remove(&name);
            self.is_moved = true;
        }
    }

    /// Whether any object may be that of a destination of which nothing is known.
    pub(crate) fn has_services(&self) -> bool {
        self.doubted.objects.keys().any(|name| is_service(name.kind))
    }

    /// Of a destination nothing is known, or something is now.
    pub(crate) fn stand_in(&mut self, cluster: &Arc<str>, is_unknown: bool) {
        self.is_moved |= match is_unknown {
            true => self.doubted.stand_ins.insert(Arc::clone(cluster)).is_none(),
            false => self.doubted.stand_ins.remove(cluster).is_some(),
        };
    }

    /// The destinations of which nothing is known.
    pub(crate) fn stand_ins(&self) -> Vec<Arc<str>> {
        self.doubted.stand_ins.iter().cloned().collect()
    }

    /// What there is to show, if that is new since the last time.
    pub(crate) fn show(&mut self) -> Option<Unjudged> {
        std::mem::take(&mut self.is_moved).then(|| {
            let shown: Arc<dyn MayBeOf> = Arc::new(self.doubted.clone());
            Unjudged::new((!self.doubted.is_empty()).then_some(shown))
        })
    }
}

impl ShownUnread {
    fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.credentials.is_empty()
    }

    /// A file that cannot be read may have held anything.
    fn has_files(&self) -> bool {
        self.objects.keys().any(|name| name.kind == Kind::File)
    }

    fn may_be_secret(&self, namespace: &str, name: &str) -> bool {
        let secret = CredentialName::new(namespace, name);
        let is_secret = |own: &ObjectRef| {
            let base = CredentialName::new(Arc::clone(&own.namespace), Arc::clone(&own.name));
            own.kind == Kind::Secret && (base == secret || base.bundle() == secret)
        };
        self.credentials.contains_key(&secret) || self.objects.keys().any(is_secret)
    }

    fn may_be_port(&self, port: u16) -> bool {
        let gateways = self.objects.iter().filter(|(name, _)| name.kind == Kind::Gateway);
        let mut ports = gateways.map(|(_, ports)| ports.as_ref());
        ports.any(|ports| ports.is_none_or(|ports| ports.contains(&port)))
            || self.credentials.values().any(|ports| ports.contains(&port))
    }

    /// Whatever decides which destinations rules name.
    fn may_be_upstream(&self, cluster: &str) -> bool {
        let mut objects = self.objects.keys();
        !self.credentials.is_empty()
            || objects.any(|name| match name.kind {
                Kind::Service | Kind::Endpoints | Kind::EndpointSlice => is_of_service(cluster, name),
                Kind::Secret | Kind::Pod => false,
                _ => true,
            })
    }

    fn may_be_stand_in(&self, cluster: &str) -> bool {
        let is_own = |name: &ObjectRef| match name.kind {
            Kind::ServiceEntry | Kind::WorkloadEntry | Kind::DestinationRule | Kind::File => true,
            Kind::Service | Kind::Endpoints | Kind::EndpointSlice => is_of_service(cluster, name),
            Kind::Secret | Kind::Gateway | Kind::VirtualService | Kind::Pod => false,
        };
        self.stand_ins.contains(cluster) && self.objects.keys().any(is_own)
    }
}

impl MayBeOf for ShownUnread {
    fn may_be_of(&self, kind: TypeUrl, name: &str, is_served: bool) -> bool {
        match translate::made_of(kind, name) {
            Some(Made::Upstream(cluster)) if is_served => self.may_be_stand_in(cluster),
            _ if is_served => false,
            Some(Made::Upstream(cluster)) => self.may_be_upstream(cluster),
            Some(Made::Credential(namespace, name)) => {
                self.has_files() || self.may_be_secret(namespace, name)
            }
            Some(Made::Port(port) | Made::Stream(port, _)) => self.has_files() || self.may_be_port(port),
            // A part of the table is always served.
            Some(Made::Part(_)) | None => false,
        }
    }

    fn may_be_of_any(&self, kind: TypeUrl) -> bool {
        let is_gateway = |name: &ObjectRef| matches!(name.kind, Kind::Gateway | Kind::File);
        kind == TypeUrl::Listener
            && (self.objects.keys().any(is_gateway)
                || self.credentials.values().any(|ports| !ports.is_empty()))
    }
}

fn is_service(kind: Kind) -> bool {
    match kind {
        Kind::ServiceEntry
        | Kind::WorkloadEntry
        | Kind::DestinationRule
        | Kind::Service
        | Kind::Endpoints
        | Kind::EndpointSlice
        | Kind::File => true,
        Kind::Secret | Kind::Gateway | Kind::VirtualService | Kind::Pod => false,
    }
}

/// Whether a cluster is one of a Service; an EndpointSlice's name begins with the Service's and a hyphen.
fn is_of_service(cluster: &str, object: &ObjectRef) -> bool {
    let host = cluster.rsplit('|').next().unwrap_or_default();
    let Some((name, namespace)) = host.split_once('.') else {
        return false;
    };
    let is_named = match object.kind {
        Kind::EndpointSlice => {
            let rest = object.name.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        }
        _ => *object.name == *name,
    };
    is_named && namespace.split('.').next() == Some(&*object.namespace)
}

/// Whether it was read, and is good, and all the same not served.
fn is_judgement(code: Code) -> bool {
    matches!(code, Code::OverBudget | Code::DuplicateObject)
}

/// A Gateway that says that it is for another gateway is nothing to this one.
fn is_ours(object: Option<&Object>, gateway: &Gateway) -> bool {
    match object {
        Some(Object::Gateway(_, spec)) => gateway.is_selected(spec),
        _ => true,
    }
}

fn ports(object: Option<&Object>) -> MaybePorts {
    let Some(Object::Gateway(_, spec)) = object else {
        return None;
    };
    let ports = spec.servers.iter().map(|server| server.port.number);
    // One that is no port may have been any.
    ports
        .map(|port| u16::try_from(port).ok().filter(|port| *port != 0))
        .collect()
}

/// The ports of the servers that name a credential.
fn ports_naming(resolver: &Resolver, name: &CredentialName) -> OrdSet<u16> {
    let names = |server: &DeclaredServer| {
        let tls = server.tls.as_deref();
        tls.is_some_and(|tls| tls.credentials().any(|own| own == *name))
    };
    let servers = resolver
        .gateways()
        .values()
        .flat_map(|gateway| gateway.servers.values());
    servers
        .filter(|server| names(server))
        .map(|server| server.port)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::GatewaySettings;

    fn error(object: &ObjectRef, code: Code) -> Finding {
        Finding {
            severity: Severity::Error,
            code,
            object: object.clone(),
            field: None,
            message: String::new(),
        }
    }

    /// Whether something of a first list may be the owner of a Secret.
    fn doubts(object: &ObjectRef, code: Code, is_known: bool) -> bool {
        let mut unread = UnreadObjects::default();
        if is_known {
            unread.know(object.clone());
        }
        unread.take(
            object,
            None,
            &[error(object, code)],
            &GatewaySettings::new("gw").resolved(),
        );
        unread.show().is_some()
    }

    #[test]
    fn what_was_read_and_judged_is_no_doubt() {
        let file = ObjectRef::file("a.yaml");
        assert!(doubts(&file, Code::InvalidYaml, false));
        assert!(!doubts(&file, Code::DuplicateObject, false));
        assert!(!doubts(&file, Code::InvalidYaml, true), "its objects are kept");
        let gateway = ObjectRef::new(Kind::Gateway, "gw", "a");
        assert!(doubts(&gateway, Code::BadHost, false));
        assert!(!doubts(&gateway, Code::OverBudget, false));
    }

    #[test]
    fn a_slice_is_of_the_service_before_its_hyphen() {
        let slice = ObjectRef::new(Kind::EndpointSlice, "shop", "cart-x1");
        for (service, is_its) in [
            ("cart", true),
            ("car", false),
            ("cart-x", false),
            ("cart-x1", true),
        ] {
            let cluster = format!("outbound|80||{service}.shop.svc.cluster.local");
            assert_eq!(is_of_service(&cluster, &slice), is_its, "{service}");
        }
    }
}
