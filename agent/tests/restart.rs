//! An engine that restarts with what the previous one has kept, and one whose clock is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use sealgate_agent::config::GatewaySettings;
use sealgate_agent::credential::CredentialPolicy;
use sealgate_agent::credentials::Credentials;
use sealgate_agent::engine::Engine;
use sealgate_agent::kept::KeptObjects;
use sealgate_agent::kept::bundles::KeptBundles;
use sealgate_agent::kept::credentials::KeptCredentials;
use sealgate_agent::kept::unread::KeptUnread;
use sealgate_agent::translate::Settings;
use sealgate_model::manifest::{self, Namespaces};
use sealgate_model::tenancy::Tenancy;
use sealgate_model::{CredentialName, Object, SourceEvent, SourceObject};
use time::OffsetDateTime;

fn settings(refuse_expired: bool) -> Settings {
    let mut gateway = GatewaySettings::new("gw");
    gateway.refuse_expired = refuse_expired;
    Settings {
        gateway,
        listen: "0.0.0.0".to_owned(),
        module: "sealgate_filter.wasm".into(),
    }
}

fn read(text: &str) -> Vec<SourceObject> {
    let namespaces = Namespaces {
        gateway: "gw".to_owned(),
        other: "default",
    };
    manifest::read("objects.yaml", text.as_bytes(), &namespaces)
}

const GOOD: &str = r#"
{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: g, namespace: gw}, spec: {selector: {istio: ingressgateway},
 servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}}
---
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: v, namespace: gw}, spec: {hosts: [x.test],
 gateways: [g], http: [{route: [{destination: {host: s.default.svc.cluster.local, port: {number: 80}}}]}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: s, namespace: default}, spec: {ports: [{name: http, port: 80}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s-1, namespace: default, labels:
 {kubernetes.io/service-name: s}}, addressType: IPv4, ports: [{name: http, port: 8080}],
 endpoints: [{addresses: [10.0.0.1]}]}
"#;

/// Of each the name, and nothing of its shape.
const SHAPELESS: &str = r"
{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: g, namespace: gw}, spec: 1}
---
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: v, namespace: gw}, spec: []}
---
{apiVersion: v1, kind: Service, metadata: {name: s, namespace: default}, spec: nonsense}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s-1, namespace: default}, endpoints: nonsense}
";

/// What is served, as far as these tests ask.
fn served(engine: &Engine) -> (Vec<u16>, Vec<String>) {
    let resolver = engine.resolver();
    let upstreams = resolver
        .upstreams()
        .map(|upstream| format!("{} {:?}", upstream.name, upstream.endpoints));
    (
        [80, 443]
            .into_iter()
            .filter(|port| resolver.port(*port).is_some())
            .collect(),
        upstreams.collect(),
    )
}

#[test]
fn objects_of_which_nothing_can_be_read_are_served_by_the_next_agent() {
    let folder = tempfile::tempdir().unwrap();
    let now = Instant::now();
    let (mut first, _) = Engine::new(settings(false));
    first.apply([SourceEvent::Reset(read(GOOD))], now);
    let good = served(&first);
    assert_eq!((good.0.as_slice(), good.1.len()), (&[80][..], 1), "{good:?}");
    assert!(good.1[0].contains("10.0.0.1"), "{good:?}");
    let shapeless = read(SHAPELESS);
    assert!(
        shapeless.iter().all(|entry| entry.object.is_none()),
        "{shapeless:?}"
    );
    first.apply(shapeless.clone().into_iter().map(SourceEvent::Apply), now);
    assert_eq!(served(&first), good);
    let (mut kept, _) = KeptObjects::open(folder.path()).unwrap();
    kept.note(first.take_kept());
    for _ in 0..2 {
        let (mut next, _) = Engine::new(settings(false));
        let (mut kept, objects) = KeptObjects::open(folder.path()).unwrap();
        assert_eq!(objects.len(), 4);
        next.remember_objects(objects);
        next.apply([SourceEvent::Reset(shapeless.clone())], now);
        assert_eq!(served(&next), good);
        kept.note(next.take_kept());
    }
    // What is not there any more is not served, nor kept.
    let (mut last, _) = Engine::new(settings(false));
    let (mut kept, objects) = KeptObjects::open(folder.path()).unwrap();
    last.remember_objects(objects);
    last.apply([SourceEvent::Reset(Vec::new())], now);
    assert_eq!(served(&last), (vec![], vec![]));
    kept.note(last.take_kept());
    assert_eq!(KeptObjects::open(folder.path()).unwrap().1, []);
}

/// A rule for the service of [`GOOD`] that asks for TLS, with this besides in its policy.
fn tls_rule(more: &str) -> String {
    format!(
        "{{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {{name: d, namespace: default}}, spec: \
         {{host: s, subsets: [{{name: v1}}, {{name: v2}}], trafficPolicy: {{tls: {{mode: SIMPLE}}{more}}} }} }}"
    )
}

/// Whether requests to the service of [`GOOD`] are in TLS.
fn is_tls(engine: &Engine) -> bool {
    let upstream = engine
        .resolver()
        .upstream("outbound|80||s.default.svc.cluster.local");
    let policy = upstream.and_then(|own| own.policy.as_ref());
    policy.is_some_and(|policy| policy.tls.is_some())
}

/// Of each case what is kept of a rule whose file cannot be read, and the budgets of the agents that come then.
#[test]
fn the_tls_of_a_rule_that_is_not_served_as_it_is_outlives_agents() {
    let now = Instant::now();
    let bad = ", connectionPool: {tcp: {maxConnections: -7}}";
    let rule = |more: &str| read(&tls_rule(more)).pop().unwrap();
    let name = rule("").object_ref;
    let unread = || SourceObject::unread(name.clone());
    let stands_for = |rule: SourceObject| {
        let (mut first, _) = Engine::new(settings(false));
        let mut all = read(GOOD);
        all.push(rule);
        first.apply([SourceEvent::Reset(all)], now);
        assert!(is_tls(&first));
        first.apply([SourceEvent::Apply(unread())], now);
        first.take_kept()
    };
    // The last is one that the agent before did not refuse.
    let refused = rule(bad).object.map(Arc::new);
    for (case, kept_of_it, budgets) in [
        ("refused", stands_for(rule(bad)), ""),
        ("no room", stands_for(rule("")), "destination-rule-subsets=1"),
        ("refused anew", BTreeMap::from([(name.clone(), refused)]), ""),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (mut kept, _) = KeptObjects::open(folder.path()).unwrap();
        kept.note(kept_of_it);
        for _ in 0..3 {
            let mut own = settings(false);
            own.gateway.tenants.tenancy = Tenancy::Namespaces;
            own.gateway.budgets = budgets.parse().unwrap();
            let (mut next, _) = Engine::new(own);
            let (mut kept, objects) = KeptObjects::open(folder.path()).unwrap();
            assert_eq!(objects.len(), 1, "{case}");
            next.remember_objects(objects);
            let mut all = read(GOOD);
            all.push(unread());
            next.apply([SourceEvent::Reset(all)], now);
            assert!(is_tls(&next), "{case}");
            kept.note(next.take_kept());
        }
    }
}

#[test]
fn an_object_whose_file_cannot_be_read_is_held_with_what_was_said_of_it() {
    let now = Instant::now();
    let (mut engine, _) = Engine::new(settings(false));
    let doubtful = GOOD.replace("{hosts: [x.test]", "{typo: 1, hosts: [x.test]");
    engine.apply([SourceEvent::Reset(read(&doubtful))], now);
    drop(engine.take_kept());
    let said = engine.view().findings();
    assert!(
        said.iter().any(|finding| finding.message.contains("not known")),
        "{said:?}"
    );
    let names = ["g", "v"].map(|name| {
        let all = read(GOOD);
        all.into_iter()
            .map(|entry| entry.object_ref)
            .find(|own| *own.name == *name)
            .unwrap()
    });
    let unread = names.clone().map(SourceObject::unread);
    engine.apply(unread.map(SourceEvent::Apply), now);
    assert_eq!(engine.view().findings(), said);
    let kept = engine.take_kept();
    assert_eq!(kept.keys().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
    assert!(kept.values().all(Option::is_some));
    // Once it can be read again nothing is kept of it.
    engine.apply([SourceEvent::Reset(read(&doubtful))], now);
    assert!(engine.take_kept().values().all(Option::is_none));
}

#[test]
fn names_and_versions_are_read_as_they_were_kept() {
    let folder = tempfile::tempdir().unwrap();
    let name = CredentialName::new("gw", "a-cacert");
    let (mut bundles, known) = KeptBundles::open(folder.path()).unwrap();
    assert!(known.is_empty());
    bundles.note(BTreeMap::from([(name.clone(), Some("abc".to_owned()))]));
    let (mut bundles, known) = KeptBundles::open(folder.path()).unwrap();
    assert_eq!(known, BTreeMap::from([(name.clone(), "abc".to_owned())]));
    bundles.note(BTreeMap::from([(name, None)]));
    assert!(KeptBundles::open(folder.path()).unwrap().1.is_empty());
    let (_, known) = KeptUnread::open(folder.path()).unwrap();
    assert!(known.is_empty());
}

/// Who may name a Secret is known for as long as it is served.
#[test]
fn whoever_might_not_name_a_kept_credential_may_not_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let policy = CredentialPolicy {
        strict_names: false,
        refuse_expired: false,
        now: OffsetDateTime::now_utc(),
    };
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let secret = |name: &str, annotations: serde_json::Value| {
        serde_json::json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "annotations": annotations},
            "stringData": {"tls.crt": certificate, "tls.key": key.serialize_pem()}})
    };
    let mut touched = BTreeSet::new();
    let mut first = Credentials::new(policy);
    let names = ["some", "none"].map(|name| CredentialName::new("gw", name));
    let annotations = [
        serde_json::json!({"sealgate.dev/allowed-namespaces": "team-a, team-b"}),
        serde_json::json!({}),
    ];
    for (name, annotations) in names.iter().zip(annotations) {
        for entry in read(&secret(&name.name, annotations).to_string()) {
            if let Some(Object::Secret(secret)) = entry.object {
                first.set(&secret, policy.now, &mut touched);
                first.delete(&entry.object_ref, &mut touched);
            }
        }
    }
    first.settle(&mut touched);
    let (mut kept, _) = KeptCredentials::open(folder.path(), true).unwrap();
    kept.note(
        names
            .iter()
            .map(|name| (name.clone(), first.held(name)))
            .collect(),
    );
    let (_, remembered) = KeptCredentials::open(folder.path(), true).unwrap();
    let mut next = Credentials::new(policy);
    for (name, secret, of_base) in &remembered {
        next.remember(name, (secret, *of_base), &mut touched);
    }
    let allowed = names.each_ref().map(|name| {
        assert!(next.is_served(name), "{name}");
        next.allowed_namespaces(name).map(|all| all.join(","))
    });
    assert_eq!(allowed, [Some("team-a,team-b".to_owned()), Some(String::new())]);
}

/// The clock is ahead when the agent starts, and set back; then the other way round. No Secret changes meanwhile.
#[test]
fn a_clock_that_is_set_has_everything_judged_anew() {
    let start = OffsetDateTime::now_utc();
    let day = time::Duration::DAY;
    let time = Arc::new(Mutex::new(start + 20 * day));
    let told = Arc::clone(&time);
    let (mut engine, _) = Engine::with_clock(settings(true), move || *told.lock().unwrap());
    let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (start - day, start + 10 * day);
    let key = KeyPair::generate().unwrap();
    let (certificate, key) = (params.self_signed(&key).unwrap().pem(), key.serialize_pem());
    let secret = serde_json::json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"},
        "stringData": {"tls.crt": certificate, "tls.key": key}});
    engine.apply([SourceEvent::Reset(read(&secret.to_string()))], Instant::now());
    let name = CredentialName::new("gw", "a");
    let state = |engine: &Engine| {
        let findings = engine.view().findings();
        let said: Vec<_> = findings.iter().map(|finding| finding.code.as_str()).collect();
        (said.join(" "), engine.view().credentials[&name].good.is_some())
    };
    assert_eq!(state(&engine), ("expired".to_owned(), false));
    let minute = Duration::from_secs(60);
    for (now, said) in [
        (start, ""),
        (start + 20 * day, "expired"),
        (start - 2 * day, "not-yet-valid"),
        (start + day, ""),
    ] {
        *time.lock().unwrap() = now;
        let due = engine.next_deadline().unwrap();
        assert!(due <= Instant::now() + minute, "within a minute");
        // Whatever else happens does not put it off.
        engine.apply([], due);
        assert!(engine.next_deadline().unwrap() <= due + Duration::from_secs(1));
        engine.go_on(due);
        assert_eq!(state(&engine), (said.to_owned(), true), "{now}");
    }
}
