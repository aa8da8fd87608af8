//! A small world with few hosts, Gateways, VirtualServices and services, so that random changes often affect each
//! other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::CredentialName;
use crate::budget::Budgets;
use crate::locality::Locality;
use crate::manifest;
use crate::resolve::{AddressPolicy, Gateway, Resolver};
use crate::store::Moved;
use crate::tenancy::{Tenancy, TenancyPolicy, Tenants};
use crate::{Kind, Meta, Object, ObjectRef};

const HOSTS: [&str; 6] = ["*", "*.a.test", "b.a.test", "c.a.test", "*.b.a.test", "d.test"];
const NAMESPACES: [&str; 2] = ["default", "team"];
const SERVICES: [&str; 3] = ["app.default.svc.cluster.local", "web.test", "app"];
const SECRETS: [&str; 3] = ["one", "two", "two-cacert"];

/// One change: the kind of object, which one, and its new contents.
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
        (0..11_u8, 0..4_u8, any::<u32>())
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

/// A series of choices, from the bits of a number.
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
                root: "root".to_owned(),
                policy: TenancyPolicy::read(
                    "{hosts: [{names: [d.test], namespaces: [gw]}], ports: [{numbers: [81], namespaces: [gw]}]}",
                )
                .unwrap(),
            },
            budgets: Budgets::default(),
            addresses: AddressPolicy::default(),
            locality: Locality::of_gateway("r/z").unwrap(),
        }
    }

    pub(super) fn apply(&mut self, op: &Op, resolver: &mut Resolver) {
        let mut dice = Dice(op.shape);
        if op.kind == 9 {
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
    if kind == Kind::Pod && dice.roll(2) == 0 {
        meta.labels.insert("v".to_owned(), "1".to_owned());
    }
    if kind == Kind::Pod && dice.roll(3) == 0 {
        let region = dice.pick(&["r", "q"]).to_owned();
        meta.labels
            .insert("topology.kubernetes.io/region".to_owned(), region);
    }
    for annotation in ["identity", "certificates", "http3"] {
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
        7 => (Kind::Pod, "default", json!({})),
        10 => (Kind::WorkloadEntry, dice.pick(&NAMESPACES), workload(dice)),
        _ => {
            let namespace = dice.pick(&["default", "team", "gw", "root"]);
            (Kind::DestinationRule, namespace, destination_rule(dice))
        }
    }
}

fn gateway(dice: &mut Dice) -> Value {
    let mut servers = Vec::new();
    for _ in 0..=dice.roll(2) {
        let host = match dice.roll(3) {
            0 => format!("team/{}", dice.pick(&HOSTS)),
            _ => dice.pick(&HOSTS).to_owned(),
        };
        let server = match dice.roll(7) {
            0 => {
                json!({"port": {"number": 80 + dice.roll(2), "protocol": "HTTP"}, "hosts": [host, dice.pick(&HOSTS)]})
            }
            1 => {
                json!({"port": {"number": 80, "protocol": "HTTP"}, "hosts": [host], "tls": {"httpsRedirect": true}})
            }
            2 => json!({"port": {"number": 443, "protocol": "TLS"}, "hosts": [host, dice.pick(&HOSTS)],
                "tls": {"mode": "PASSTHROUGH"}}),
            3 => json!({"port": {"number": 443, "protocol": "TLS"}, "hosts": [host],
                "tls": {"mode": "SIMPLE", "credentialName": dice.pick(&SECRETS[..2])}}),
            4 => json!({"port": {"number": 80 + dice.roll(2), "protocol": "TCP"}, "hosts": [host]}),
            5 => json!({"port": {"number": 443, "protocol": "HTTPS"}, "hosts": [host],
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
    if dice.roll(3) == 0 {
        value["http3"] = json!("true");
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
    let mut spec = json!({"hosts": hosts, "gateways": gateways, "exportTo": export, "http": rules});
    if !hosts.is_empty() {
        streams(&mut spec, hosts, dice);
    }
    json!({ "spec": spec })
}

/// Rules for connections, for some VirtualServices.
fn streams(spec: &mut Value, hosts: &[&str], dice: &mut Dice) {
    let route = |dice: &mut Dice| {
        let (one, two) = (dice.pick(&SERVICES), dice.pick(&SERVICES));
        match dice.roll(2) {
            0 => json!([{"destination": {"host": one}}]),
            _ => {
                json!([{"destination": {"host": one}, "weight": 1}, {"destination": {"host": two}, "weight": 2}])
            }
        }
    };
    let kind = dice.roll(4);
    if kind == 0 || kind == 1 {
        let mut names = vec![hosts[0]];
        if ["*", "*.a.test"].contains(&hosts[0]) {
            names.push(dice.pick(&["b.a.test", "*.b.a.test", "c.a.test"]));
        }
        let block = match dice.roll(3) {
            0 => json!({"sniHosts": names, "gateways": ["gw/n1"]}),
            _ => json!({"sniHosts": names}),
        };
        spec["tls"] = json!([{"match": [block], "route": route(dice)}]);
    }
    if kind == 1 || kind == 2 {
        let blocks = match dice.roll(3) {
            0 => json!([]),
            1 => json!([{"port": 80}]),
            _ => json!([{"port": 443}, {"gateways": ["team/n0"]}]),
        };
        spec["tcp"] = json!([{"match": blocks, "route": route(dice)}]);
    }
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
    let locality = dice.pick(&["r/z", "r/y", "q/z"]);
    let mut spec = json!({"hosts": [host], "resolution": "STATIC", "ports": ports, "exportTo": export});
    match dice.roll(2) {
        0 => spec["workloadSelector"] = json!({"labels": {"v": "1"}}),
        _ => {
            let first = json!({"address": address, "labels": {"v": "1"}, "locality": locality});
            spec["endpoints"] = json!([first, {"address": "127.0.0.2"}]);
        }
    }
    json!({ "spec": spec })
}

fn workload(dice: &mut Dice) -> Value {
    let address = format!("10.1.0.{}", 1 + dice.roll(3));
    let labels = match dice.roll(3) {
        0 => json!({}),
        _ => json!({"v": "1"}),
    };
    let locality = dice.pick(&["r/z", "r/y", "q/z"]);
    json!({"spec": {"address": address, "labels": labels, "locality": locality}})
}

fn service(dice: &mut Dice) -> Value {
    let ports = match dice.roll(3) {
        0 => json!([{"port": 80, "name": "http"}]),
        1 => json!([{"port": 443, "name": "grpc"}]),
        _ => json!([{"port": 80, "name": "http"}, {"port": 81, "name": "other"}]),
    };
    let mut spec = json!({ "ports": ports });
    match dice.roll(4) {
        0 => spec["trafficDistribution"] = json!("PreferClose"),
        1 => spec["ipFamilies"] = json!(["IPv6"]),
        _ => {}
    }
    json!({ "spec": spec })
}

fn slice(dice: &mut Dice) -> Value {
    let mut endpoint = json!({"addresses": [format!("10.0.0.{}", 1 + dice.roll(3))], "zone": dice.pick(&["z", "y"]),
        "targetRef": {"kind": "Pod", "name": format!("n{}", dice.roll(4))}});
    match dice.roll(5) {
        0 => endpoint["conditions"] = json!({"ready": false, "serving": true, "terminating": true}),
        1 => endpoint["addresses"] = json!(["fd00::1"]),
        _ => {}
    }
    json!({"addressType": "IPv4", "ports": [{"name": "http", "port": 8080}], "endpoints": [endpoint]})
}

fn destination_rule(dice: &mut Dice) -> Value {
    let host = dice.pick(&[
        SERVICES[0],
        SERVICES[1],
        SERVICES[2],
        "*",
        "*.test",
        "*.default.svc.cluster.local",
        "*.local",
    ]);
    let name = if dice.roll(2) == 0 { "v1" } else { "v2" };
    let mut policy = || match dice.roll(5) {
        0 => json!({"loadBalancer": {"consistentHash": {"httpHeaderName": "x-a"}}}),
        1 => json!({"loadBalancer": {"consistentHash": {"useSourceIp": true, "maglev": {}}}}),
        2 => json!({"loadBalancer": {"simple": "RANDOM"}}),
        3 => json!({"connectionPool": {"tcp": {"maxConnections": 1 + dice.roll(9)}}}),
        _ => json!({}),
    };
    let subset = json!({"name": name, "labels": {"v": "1"}, "trafficPolicy": policy()});
    let mut spec = json!({"host": host, "subsets": [subset]});
    let whole = policy();
    if dice.roll(2) == 0 {
        spec["trafficPolicy"] = whole;
    }
    match dice.roll(4) {
        0 => spec["exportTo"] = json!(["."]),
        1 => {
            spec["workloadSelector"] =
                json!({"matchLabels": {"istio": dice.pick(&["ingressgateway", "other"])}})
        }
        _ => {}
    }
    let setting = match dice.roll(5) {
        0 => json!({"failoverPriority": ["v=1"]}),
        1 => json!({"distribute": [{"from": "*", "to": {"r/z": 60, "r/y": 40}}]}),
        2 => json!({"failover": [{"from": "r", "to": "q"}]}),
        3 => json!({}),
        _ => return json!({ "spec": spec }),
    };
    spec["trafficPolicy"]["loadBalancer"]["localityLbSetting"] = setting;
    spec["trafficPolicy"]["outlierDetection"] = json!({});
    json!({ "spec": spec })
}
