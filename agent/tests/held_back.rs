//! What a proxy rejected is held back until its source changes: also after the source lists everything again, and after
//! a restart of the agent with `--state-dir`. The proxies are fakes that reject everything with a certain host.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use sealgate_agent::config::GatewaySettings;
use sealgate_agent::engine::Engine;
use sealgate_agent::kept::KeptObjects;
use sealgate_agent::kept::held_back::KeptBlames;
use sealgate_agent::snapshot::{ResourceKey, Snapshot, TypeUrl};
use sealgate_agent::translate::Settings;
use sealgate_agent::trial::Reception;
use sealgate_model::manifest::{self, Namespaces};
use sealgate_model::{Code, SourceEvent};
use tempfile::TempDir;
use tokio::sync::watch;

const BAD: &str = "refused.test";

/// One VirtualService has a rule that is bad in itself: its source has more than what is served.
fn objects(host: &str) -> String {
    let object = |kind: &str, name: &str, spec: &str| {
        format!(
            "{{apiVersion: networking.istio.io/v1, kind: {kind}, metadata: {{name: {name}, namespace: ns}}, spec: {{{spec}}}}}\n---\n"
        )
    };
    let routes = |name: &str, host: &str, rules: &str| {
        let spec = format!("hosts: [{host}], gateways: [edge], http: [{rules}]");
        object("VirtualService", name, &spec)
    };
    let server = "{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}";
    let edge = format!("selector: {{istio: ingressgateway}}, servers: [{server}]");
    let good = "{directResponse: {status: 200}}";
    let bad = "{match: [{uri: {prefix: /x}}], directResponse: {status: 200}, headers: {response: {set: {'a b': x}}}}";
    object("Gateway", "edge", &edge)
        + &routes("held", host, &format!("{bad}, {good}"))
        + &routes("other", "other.test", good)
}

fn list(host: &str) -> SourceEvent {
    let namespaces = Namespaces {
        gateway: "ns".to_owned(),
        other: "default",
    };
    SourceEvent::Reset(manifest::read("a.yaml", objects(host).as_bytes(), &namespaces))
}

fn holds(snapshot: &Snapshot, (kind, name): &ResourceKey, host: &str) -> bool {
    let resource = snapshot.get(*kind, name);
    resource.is_some_and(|own| own.body().windows(host.len()).any(|part| part == host.as_bytes()))
}

fn asked(key: &ResourceKey, snapshot: &Snapshot) -> Reception {
    match snapshot.get(key.0, &key.1) {
        None => Reception::Absent,
        Some(_) if holds(snapshot, key, BAD) => Reception::Refused("no".to_owned()),
        Some(_) => Reception::Taken,
    }
}

/// An agent, as far as this goes.
struct Agent {
    engine: Engine,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    objects: KeptObjects,
    blames: KeptBlames,
}

impl Agent {
    fn start(state: &TempDir) -> Result<Self> {
        let settings = Settings {
            gateway: GatewaySettings::new("ns"),
            listen: "127.0.0.1".to_owned(),
            module: "/filter.wasm".into(),
        };
        let (mut engine, snapshots) = Engine::new(settings);
        let (objects, kept) = KeptObjects::open(state.path())?;
        let (blames, held_back) = KeptBlames::open(state.path())?;
        engine.remember_objects(kept);
        engine.remember_held_back(held_back);
        engine.ask_proxies(asked);
        Ok(Self {
            engine,
            snapshots,
            objects,
            blames,
        })
    }

    /// The source lists all of it, and the proxies answer.
    fn list(&mut self, host: &str) {
        self.engine.apply([list(host)], Instant::now());
        self.engine.set_synced();
        self.engine.apply([], Instant::now());
        self.keep();
    }

    fn answer(&mut self) {
        for _ in 0..100 {
            let snapshot = Arc::clone(&self.snapshots.borrow());
            let kinds = [TypeUrl::Listener, TypeUrl::ExtensionConfig];
            let keys = kinds
                .into_iter()
                .flat_map(|kind| snapshot.names(kind).map(move |name| (kind, Arc::clone(name))));
            let refused = keys.filter(|key| holds(&snapshot, key, BAD));
            let refused = refused.map(|key| (key, "no".to_owned())).collect();
            self.engine.refused(&refused, Instant::now());
            self.engine.go_on(Instant::now());
            self.keep();
        }
    }

    fn keep(&mut self) {
        self.objects.note(self.engine.take_kept());
        self.blames.note(self.engine.take_held_back());
    }

    /// The objects that are named.
    fn named(&self) -> Vec<String> {
        let findings = self.engine.view().findings();
        let refused = findings.iter().filter(|finding| {
            finding.code == Code::RefusedByProxy && finding.message.starts_with("with it, a proxy rejects")
        });
        refused.map(|finding| finding.object.name.to_string()).collect()
    }

    /// Whether anything that is served has the host.
    fn serves(&self, host: &str) -> bool {
        let snapshot = self.snapshots.borrow();
        TypeUrl::ALL.into_iter().any(|kind| {
            let mut names = snapshot.names(kind);
            names.any(|name| holds(&snapshot, &(kind, Arc::clone(name)), host))
        })
    }

    fn is_held_back(&self) {
        assert_eq!(self.named(), ["held"]);
        assert!(!self.serves(BAD) && self.serves("former.test") && self.serves("other.test"));
    }
}

#[test]
fn what_was_refused_is_held_back_until_it_changes() -> Result<()> {
    let state = TempDir::new()?;
    let mut agent = Agent::start(&state)?;
    agent.list("former.test");
    agent.answer();
    assert!(agent.serves("former.test") && agent.named().is_empty());
    agent.list(BAD);
    assert!(agent.serves(BAD), "nothing is refused before it was asked for");
    agent.answer();
    agent.is_held_back();
    // A list of the same is no change, and neither is another agent.
    agent.list(BAD);
    agent.is_held_back();
    for _ in 0..2 {
        agent = Agent::start(&state)?;
        agent.list(BAD);
        agent.is_held_back();
        agent.answer();
        agent.is_held_back();
    }
    agent.list("mended.test");
    agent.answer();
    assert!(agent.named().is_empty() && agent.serves("mended.test") && !agent.serves("former.test"));
    let mut agent = Agent::start(&state)?;
    agent.list(BAD);
    assert!(agent.serves(BAD), "what was mended is forgotten");
    agent.answer();
    assert_eq!(agent.named(), ["held"]);

    // It changes while no agent runs.
    let mut agent = Agent::start(&state)?;
    agent.list("mended.test");
    assert!(agent.named().is_empty() && agent.serves("mended.test"));
    Ok(())
}

#[test]
fn who_is_held_back_is_tried_again_after_a_while() -> Result<()> {
    let state = TempDir::new()?;
    let mut agent = Agent::start(&state)?;
    agent.list("former.test");
    agent.answer();
    agent.list(BAD);
    agent.answer();
    let mut agent = Agent::start(&state)?;
    agent.list(BAD);
    // The proxy is another one, which takes it.
    agent.engine.ask_proxies(|_, _| Reception::Taken);
    let later = Instant::now() + Duration::from_secs(601);
    (0..10).for_each(|_| drop(agent.engine.go_on(later)));
    assert!(agent.named().is_empty() && agent.serves(BAD));
    Ok(())
}
