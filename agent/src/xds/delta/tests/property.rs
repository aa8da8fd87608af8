//! Random exchanges with a naive proxy that does not know how the agent works.

use proptest::prelude::*;

use super::*;

/// A name on the wire, and the Secret that it means.
const NAMES: [(&str, &str); 4] = [
    ("a", "ns/a"),
    ("ns/a", "ns/a"),
    ("ns/b", "ns/b"),
    ("kubernetes://c", "ns/c"),
];
/// The bit after the names' own.
const EVERYTHING: u8 = 1 << NAMES.len();

#[derive(Clone, Debug)]
enum Step {
    /// Subscribed and unsubscribed names as bits, on a message that accepts the nth open response or none.
    Ask(u8, u8, usize),
    /// Accepts or rejects the nth open response.
    Acknowledge(usize, bool),
    /// A new stream; meanwhile, something was removed.
    Reconnect(usize),
    Change(usize, u8),
    Remove(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..NAMES.len();
    let names = 0..2 * EVERYTHING;
    prop_oneof![
        4 => (names.clone(), names, 0..4_usize).prop_map(|(on, off, nonce)| Step::Ask(on, off & !(on & 3), nonce)),
        3 => (0..4_usize, any::<bool>()).prop_map(|(at, good)| Step::Acknowledge(at, good)),
        1 => name.clone().prop_map(Step::Reconnect),
        4 => (name.clone(), 0..3_u8).prop_map(|(name, body)| Step::Change(name, body)),
        2 => name.prop_map(Step::Remove),
    ]
}

fn named(bits: u8) -> Vec<&'static str> {
    let names = NAMES.iter().map(|(wire, _)| *wire).chain(["*"]);
    names
        .enumerate()
        .filter(|(at, _)| bits & (1 << at) != 0)
        .map(|(_, name)| name)
        .collect()
}

/// The proxy's side of a stream.
#[derive(Default)]
struct Proxy {
    kind: Option<TypeUrl>,
    spoke: bool,
    wants: BTreeSet<&'static str>,
    everything: bool,
    has: BTreeMap<String, Version>,
    /// What was not answered yet, each with its names.
    open: Vec<(String, Vec<String>)>,
    /// How many times a name was rejected together with others: it comes once more for each.
    suspected: BTreeMap<String, usize>,
    /// What this message asks for: it may come or be reported absent, whatever came before.
    entitled: BTreeSet<String>,
}

impl Proxy {
    fn wants_everything(&mut self, yes: bool) {
        self.everything = yes && self.kind != Some(TypeUrl::Secret);
        if self.everything {
            self.entitled
                .extend(NAMES.iter().map(|(wire, _)| wire.to_string()));
        }
    }

    /// Sends a message, and notes its meaning.
    fn say(
        &mut self,
        on: &[&'static str],
        off: &[&'static str],
        nonce: String,
        error: Option<String>,
    ) -> DeltaRequest {
        self.entitled.clear();
        for name in off {
            if *name == "*" {
                self.wants_everything(false);
            } else if self.wants.remove(name) && self.everything {
                // It waits for an answer: is the resource still part of everything?
                self.has.remove(*name);
                self.entitled.insert(name.to_string());
            }
        }
        for name in on {
            if *name == "*" {
                self.wants_everything(true);
            } else {
                self.wants.insert(name);
                self.entitled.insert(name.to_string());
            }
        }
        if !std::mem::replace(&mut self.spoke, true) && on.is_empty() {
            self.wants_everything(true);
        }
        let wanted = |name: &str| self.everything || self.wants.contains(name);
        self.has.retain(|name, _| wanted(name));
        DeltaRequest {
            subscribe: strings(on),
            unsubscribe: strings(off),
            nonce,
            error,
            ..DeltaRequest::default()
        }
    }

    /// The first message of a new stream.
    fn reconnect(&mut self) -> Option<DeltaRequest> {
        let mut names: Vec<&str> = self.wants.iter().copied().collect();
        if self.everything && !names.is_empty() {
            names.push("*");
        }
        self.open.clear();
        self.suspected.clear();
        self.spoke = false;
        if names.is_empty() && !self.everything {
            self.has.clear();
            return None;
        }
        let brought = self.has.iter();
        let brought = brought
            .map(|(name, version)| (name.clone(), version.to_string()))
            .collect();
        let mut request = self.say(&names, &[], String::new(), None);
        request.initial_versions = brought;
        self.entitled
            .extend(NAMES.iter().map(|(wire, _)| wire.to_string()));
        Some(request)
    }

    fn receive(&mut self, response: Option<DeltaResponse>) -> Result<(), TestCaseError> {
        let Some(response) = response else { return Ok(()) };
        let mut names = Vec::new();
        for (name, resource) in &response.resources {
            prop_assert!(!resource.body().is_empty(), "no body");
            let old = self.has.insert(name.to_string(), Arc::clone(resource.version()));
            let again = old.as_ref() == Some(resource.version());
            prop_assert!(!again || self.may_come_again(name), "{name} twice");
            names.push(name.to_string());
        }
        for name in &response.removed {
            let had = self.has.remove(&**name).is_some();
            prop_assert!(had || self.may_come_again(name), "{name} absent twice");
            names.push(name.to_string());
        }
        self.open.push((response.nonce, names));
        Ok(())
    }

    fn may_come_again(&mut self, name: &str) -> bool {
        if self.entitled.contains(name) {
            return true;
        }
        let suspected = self.suspected.get_mut(name).filter(|times| **times > 0);
        suspected.map(|times| *times -= 1).is_some()
    }

    /// Answers a response; `refused` says how.
    fn take(&mut self, at: usize, refused: bool) -> String {
        if at >= self.open.len() {
            return String::new();
        }
        let (nonce, names) = self.open.remove(at);
        if refused && names.len() > 1 {
            for name in names {
                *self.suspected.entry(name).or_default() += 1;
            }
        }
        nonce
    }
}

fn stored(kind: TypeUrl, at: usize) -> &'static str {
    if kind == TypeUrl::Secret {
        NAMES[at].1
    } else {
        NAMES[at].0
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Nothing comes twice without a request, and the proxy always has everything that it asked for, and nothing that
    /// was removed.
    #[test]
    fn whatever_is_said_in_whatever_order(secrets: bool, steps in proptest::collection::vec(step(), 0..60)) {
        let kind = if secrets { TypeUrl::Secret } else { TypeUrl::Listener };
        let (mut publisher, receiver) = Publisher::new(Duration::ZERO);
        let mut machine = machine(kind);
        let mut proxy = Proxy { kind: Some(kind), ..Proxy::default() };
        for step in steps {
            if let Step::Reconnect(at) = step {
                publisher.update(Instant::now(), |draft| draft.remove(kind, stored(kind, at)));
            }
            let before = receiver.borrow().clone();
            let request = match &step {
                Step::Ask(on, off, at) => {
                    let nonce = proxy.take(*at, false);
                    Some(proxy.say(&named(*on), &named(*off), nonce, None))
                }
                Step::Acknowledge(at, good) => {
                    let nonce = proxy.take(*at, !good);
                    Some(proxy.say(&[], &[], nonce, (!good).then(|| "no".to_owned())))
                }
                Step::Reconnect(_) => {
                    machine = super::machine(kind);
                    proxy.reconnect()
                }
                Step::Change(..) | Step::Remove(_) => None,
            };
            let response = if let Some(request) = &request {
                machine.on_request(request, &before).1
            } else {
                proxy.entitled.clear();
                publisher.update(Instant::now(), |draft| match &step {
                    Step::Change(at, body) => draft.set(kind, stored(kind, *at), vec![*body + 1]),
                    Step::Remove(at) => draft.remove(kind, stored(kind, *at)),
                    _ => {}
                });
                let after = receiver.borrow().clone();
                let every: Vec<_> = (0..NAMES.len()).map(|at| stored(kind, at).into()).collect();
                // More names than have changed do no harm.
                machine.on_change(&every, &after)
            };
            proxy.receive(response)?;
            let now = receiver.borrow().clone();
            for (at, (wire, _)) in NAMES.iter().enumerate() {
                let wanted = proxy.spoke && (proxy.everything || proxy.wants.contains(wire));
                let there = now.get(kind, stored(kind, at)).filter(|_| wanted);
                prop_assert_eq!(proxy.has.get(*wire), there.map(|resource| resource.version()), "{}", wire);
            }
        }
    }
}
