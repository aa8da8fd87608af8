//! A small world in which everything meets: few hosts, Gateways, VirtualServices and services, so that random changes
//! touch each other all the time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::CredentialName;
use crate::budget::Budgets;
use crate::manifest;
use crate::resolve::{AddressPolicy, Gateway, Resolver};
use crate::store::Moved;
use crate::tenancy::{Tenancy, TenancyPolicy, Tenants};
use crate::{Kind, Meta, Object, ObjectRef};

const HOSTS: [&str; 6] = ["*", "*.a.test", "b.a.test", "c.a.test", "*.b.a.test", "d.test"];
const NAMESPACES: [&str; 2] = ["default", "team"];
const SERVICES: [&str; 3] = ["app.default.svc.cluster.local", "web.test", "app"];
const SECRETS: [&str; 3] = ["one", "two", "two-cacert"];

/// One change: which kind of thing, which of its namesakes, and what it says from now on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Op {
    kind: u8,
    name: u8,
    shape: u32,
}

impl Arbitrary for Op {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        (0..9_u8, 0..4_u8, any::<u32>())
            .prop_map(|(kind, name, shape)| Self { kind, name, shape })
            .boxed()
    }
}

/// The objects, and the credentials that are served.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) objects: BTreeMap<ObjectRef, Arc<Object>>,
    pub(super) credentials: BTreeSet<CredentialName>,
    /// Credentials that a tenant may not name.
    pub(super) denied: BTreeSet<CredentialName>,
}

/// Choices, one after the other, from the bits of a number.
struct Dice(u32);

impl Dice {
    fn roll(&mut self, sides: u32) -> usize {
        let side = self.0 % sides;
        self.0 /= sides;
        side as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len() as u32)]
    }
}

impl World {
    pub(super) fn gateway(&self) -> Gateway {
        Gateway {
            namespace: "gw".to_owned(),
            labels: BTreeMap::from([("istio".to_owned(), "ingressgateway".to_owned())]),
            port_map: BTreeMap::from([(443, 8443)]),
            on_demand_from: 2,
            tenants: Tenants {
                tenancy: Tenancy::Namespaces,
                gateway: "gw".to_owned(),
                root: "gw".to_owned(),
                policy: TenancyPolicy::read(
                    "{hosts: [{names: [d.test], namespaces: [gw]}], ports: [{numbers: [81], namespaces: [gw]}]}",
                )
                .unwrap(),
            },
            budgets: Budgets::default(),
            addresses: AddressPolicy::default(),
        }
    }

    pub(super) fn apply(&mut self, op: &Op, resolver: &mut Resolver) {
        let mut dice = Dice(op.shape);
        if op.kind == 8 {
            let name = CredentialName::new("gw", dice.pick(&SECRETS));
            let set = match dice.roll(3) {
                0 => &mut self.denied,
                _ => &mut self.credentials,
            };
            if !set.remove(&name) {
                set.insert(name.clone());
            }
            return resolver.touch_credential(&name);
        }
        let (kind, namespace, spec) = made(op.kind, &mut dice);
        let own = if kind == Kind::Service {
            "app".to_owned()
        } else {
            format!("n{}", op.name)
        };
        let name = ObjectRef::new(kind, namespace, own);
        let gone = dice.roll(4) == 0;
        let now = (!gone).then(|| Arc::new(object(kind, &name, spec, &mut dice)));
        let before = match &now {
            Some(now) => self.objects.insert(name.clone(), Arc::clone(now)),
            None => self.objects.remove(&name),
        };
        resolver.take(&Moved {
            name: name.clone(),
            before,
            now,
        });
        if kind == Kind::Gateway {
            resolver.touch_gateway(&name);
        }
    }
}

fn object(kind: Kind, name: &ObjectRef, mut value: Value, dice: &mut Dice) -> Object {
    let mut meta = Meta {
        namespace: name.namespace.clone(),
        name: name.name.clone(),
        created: [None, Some(1), Some(2)][dice.roll(3)],
        ..Meta::default()
    };
    if kind == Kind::EndpointSlice {
        meta.labels
            .insert("kubernetes.io/service-name".to_owned(), "app".to_owned());
    }
    for annotation in ["identity", "certificates"] {
        if let Some(text) = value.as_object_mut().and_then(|value| value.remove(annotation)) {
            let text = text.as_str().unwrap_or_default().to_owned();
            meta.annotations
                .insert(format!("sealgate.dev/{annotation}"), text);
        }
    }
    let entry = manifest::decode(kind, meta, value);
    entry.object.unwrap_or_else(|| panic!("{:?}", entry.findings))
}

fn made(kind: u8, dice: &mut Dice) -> (Kind, &'static str, Value) {
    match kind {
        0 | 1 => {
            let namespace = dice.pick(&["gw", "team", "team"]);
            (Kind::Gateway, namespace, gateway(dice))
        }
        2 | 3 => {
            let namespace = dice.pick(&NAMESPACES);
            (Kind::VirtualService, namespace, virtual_service(dice))
        }
        4 => (Kind::ServiceEntry, dice.pick(&NAMESPACES), service_entry(dice)),
        5 => (Kind::Service, "default", service(dice)),
        6 => (Kind::EndpointSlice, "default", slice(dice)),
        _ => (Kind::DestinationRule, "default", destination_rule(dice)),
    }
}

fn gateway(dice: &mut Dice) -> Value {
    let mut servers = Vec::new();
    for _ in 0..=dice.roll(2) {
        let host = match dice.roll(3) {
            0 => format!("team/{}", dice.pick(&HOSTS)),
            _ => dice.pick(&HOSTS).to_owned(),
        };
        let server = match dice.roll(4) {
            0 => {
                json!({"port": {"number": 80 + dice.roll(2), "protocol": "HTTP"}, "hosts": [host, dice.pick(&HOSTS)]})
            }
            1 => {
                json!({"port": {"number": 80, "protocol": "HTTP"}, "hosts": [host], "tls": {"httpsRedirect": true}})
            }
            2 => json!({"port": {"number": 443, "protocol": "HTTPS"}, "hosts": [host],
                "tls": {"mode": "SIMPLE", "credentialName": dice.pick(&SECRETS[..2])}}),
            _ => json!({"port": {"number": 443, "protocol": "HTTPS"}, "hosts": [host],
                "tls": {"mode": "MUTUAL", "credentialName": dice.pick(&SECRETS[..2])}}),
        };
        servers.push(server);
    }
    let selector = if dice.roll(5) == 0 {
        "other"
    } else {
        "ingressgateway"
    };
    let mut value = json!({"spec": {"selector": {"istio": selector}, "servers": servers}});
    if dice.roll(4) == 0 {
        value["identity"] = json!("{prefix: x-own-client-cert-}");
    }
    match dice.roll(4) {
        0 => value["certificates"] = json!("eager"),
        1 => value["certificates"] = json!("onDemand"),
        _ => {}
    }
    value
}

fn virtual_service(dice: &mut Dice) -> Value {
    let mut rules = Vec::new();
    for at in 0..=dice.roll(2) {
        let mut rule = json!({"route": [{"destination": {"host": dice.pick(&SERVICES)}}]});
        match dice.roll(6) {
            0 => rule["route"][0]["destination"]["port"] = json!({"number": 80}),
            1 => rule["route"][0]["destination"]["subset"] = json!("v1"),
            2 => rule["mirrors"] = json!([{"destination": {"host": "web.test", "port": {"number": 80}}}]),
            3 => rule["fault"] = json!({"delay": {"fixedDelay": "1s", "percentage": {"value": 1.0}}}),
            4 => rule = json!({"delegate": {"name": "n0", "namespace": "default"}}),
            _ => {}
        }
        rule["match"] = match dice.roll(4) {
            0 => json!([{"uri": {"prefix": "/"}}]),
            1 => json!([{"uri": {"exact": format!("/{at}")}}]),
            2 => json!([{"uri": {"prefix": "/a"}, "port": 80}]),
            _ => json!([{"uri": {"prefix": "/a"}, "gateways": ["gw/n1"]}]),
        };
        rules.push(rule);
    }
    let hosts: &[&str] = match dice.roll(5) {
        0 => &[],
        1 => &["*"],
        2 => &["b.a.test", "d.test"],
        3 => &["*.a.test"],
        _ => &["c.a.test"],
    };
    let gateways: &[&str] = if hosts.is_empty() {
        &[]
    } else {
        &["gw/n0", "gw/n1", "team/n0", "team/n1", "team/n2"]
    };
    let export = if dice.roll(6) == 0 {
        json!(["."])
    } else {
        json!([])
    };
    json!({"spec": {"hosts": hosts, "gateways": gateways, "exportTo": export, "http": rules}})
}

fn service_entry(dice: &mut Dice) -> Value {
    let host = dice.pick(&SERVICES[..2]);
    let ports = match dice.roll(3) {
        0 => json!([{"number": 80, "name": "http", "protocol": "HTTP"}]),
        1 => json!([{"number": 81, "name": "http", "protocol": "HTTP2"}]),
        _ => {
            json!([{"number": 80, "name": "http", "protocol": "HTTP"}, {"number": 81, "name": "b", "protocol": "HTTP"}])
        }
    };
    let address = if dice.roll(2) == 0 {
        "127.0.0.1"
    } else {
        "name.test"
    };
    let export = if dice.roll(5) == 0 {
        json!(["."])
    } else {
        json!(["*"])
    };
    json!({"spec": {"hosts": [host], "resolution": "STATIC", "ports": ports, "exportTo": export,
        "endpoints": [{"address": address, "labels": {"v": "1"}}, {"address": "127.0.0.2"}]}})
}

fn service(dice: &mut Dice) -> Value {
    let ports = match dice.roll(3) {
        0 => json!([{"port": 80, "name": "http"}]),
        1 => json!([{"port": 443, "name": "grpc"}]),
        _ => json!([{"port": 80, "name": "http"}, {"port": 81, "name": "other"}]),
    };
    json!({"spec": {"ports": ports}})
}

fn slice(dice: &mut Dice) -> Value {
    let address = format!("10.0.0.{}", 1 + dice.roll(3));
    json!({"addressType": "IPv4", "ports": [{"name": "http", "port": 8080}],
        "endpoints": [{"addresses": [address]}]})
}

fn destination_rule(dice: &mut Dice) -> Value {
    let host = dice.pick(&SERVICES);
    let name = if dice.roll(2) == 0 { "v1" } else { "v2" };
    json!({"spec": {"host": host, "subsets": [{"name": name, "labels": {"v": "1"}}]}})
}
