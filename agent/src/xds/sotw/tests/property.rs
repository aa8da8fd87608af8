//! Random exchanges with a naive proxy that reads its responses at any time.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

/// A name on the wire, and the Secret that it means.
const NAMES: [(&str, &str); 4] = [
    ("a", "ns/a"),
    ("ns/a", "ns/a"),
    ("ns/b", "ns/b"),
    ("kubernetes://c", "ns/c"),
];

#[derive(Clone, Debug)]
enum Step {
    /// The proxy wants these names, as bits.
    Want(u8),
    /// The proxy repeats its request.
    Repeat,
    /// The proxy reads the next response, and accepts or rejects it.
    Read(bool),
    Change(usize, u8),
    Remove(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..NAMES.len();
    prop_oneof![
        3 => (0..16_u8).prop_map(Step::Want),
        1 => Just(Step::Repeat),
        4 => any::<bool>().prop_map(Step::Read),
        3 => (name.clone(), 0..3_u8).prop_map(|(name, body)| Step::Change(name, body)),
        1 => name.prop_map(Step::Remove),
    ]
}

type Content = BTreeMap<String, Vec<u8>>;

/// A proxy that does not know how the agent works.
#[derive(Default)]
struct Proxy {
    collection: bool,
    /// It always asks for all listeners.
    everything: bool,
    wants: BTreeSet<&'static str>,
    /// Requested since the last response that had them: these may come, whatever came before.
    entitled: BTreeSet<String>,
    /// What was sent last, by name, as long as the name is wanted.
    last: Content,
    has: Content,
    inbox: VecDeque<(String, Content)>,
    nonce: String,
    /// The whole of the last response.
    world: Option<Content>,
}

impl Proxy {
    fn want(&mut self, wants: BTreeSet<&'static str>) {
        let new = wants.difference(&self.wants).map(ToString::to_string);
        self.entitled.extend(new.collect::<Vec<_>>());
        self.entitled.retain(|name| wants.contains(&**name));
        self.last.retain(|name, _| wants.contains(&**name));
        self.has.retain(|name, _| wants.contains(&**name));
        self.wants = wants;
    }

    fn request(&self, error: Option<String>) -> SotwRequest {
        let names: Vec<&str> = self.wants.iter().copied().collect();
        SotwRequest {
            error,
            ..request(&names, &self.nonce)
        }
    }

    /// Sends a response, and returns what is wrong with it.
    fn receive(
        &mut self,
        response: Option<SotwResponse>,
        asked: bool,
        first: bool,
    ) -> Result<(), TestCaseError> {
        let Some(response) = response else { return Ok(()) };
        let content: Content = response
            .resources
            .iter()
            .map(|(name, resource)| (name.to_string(), resource.body().to_vec()))
            .collect();
        prop_assert!(content.values().all(|body| !body.is_empty()), "no body");
        if self.collection {
            let again = self.world.as_ref() == Some(&content);
            let entitled = first || asked && !self.entitled.is_empty();
            prop_assert!(!again || entitled, "the same world twice");
            if asked {
                self.entitled.clear();
            }
            self.world = Some(content.clone());
        } else {
            prop_assert!(!content.is_empty(), "an empty response");
            for (name, body) in &content {
                let again = self.last.insert(name.clone(), body.clone()).as_ref() == Some(body);
                let asked = self.entitled.remove(name);
                prop_assert!(!again || asked, "{name} twice");
            }
        }
        self.inbox.push_back((response.nonce, content));
        Ok(())
    }

    /// Reads a response, if there is one.
    fn read(&mut self) -> bool {
        let Some((nonce, content)) = self.inbox.pop_front() else {
            return false;
        };
        self.nonce = nonce;
        if self.collection {
            self.has.clear();
        }
        let wanted = content
            .into_iter()
            .filter(|(name, _)| self.everything || self.wants.contains(&**name));
        self.has.extend(wanted);
        true
    }
}

fn stored(collection: bool, at: usize) -> &'static str {
    if collection { NAMES[at].0 } else { NAMES[at].1 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Nothing comes twice without a request; once all is read, the proxy has everything that it asked for; and no
    /// Secret response is empty.
    #[test]
    fn whatever_is_said_in_whatever_order(collection: bool, everything: bool, steps in proptest::collection::vec(step(), 0..60)) {
        let kind = if collection { TypeUrl::Listener } else { TypeUrl::Secret };
        let (mut publisher, receiver) = Publisher::new(Duration::ZERO);
        let mut machine = machine(kind);
        let everything = collection && everything;
        let mut proxy = Proxy { collection, everything, ..Proxy::default() };
        let reads = std::iter::repeat_n(Step::Read(true), 200);
        let mut first = true;
        for step in steps.into_iter().chain(reads) {
            let before = receiver.borrow().clone();
            let response = match &step {
                Step::Change(..) | Step::Remove(_) => {
                    publisher.update(Instant::now(), |draft| match &step {
                        Step::Change(at, body) => draft.set(kind, stored(collection, *at), vec![*body + 1]),
                        Step::Remove(at) => draft.remove(kind, stored(collection, *at)),
                        _ => {}
                    });
                    let after = receiver.borrow().clone();
                    let every: Vec<_> = (0..NAMES.len()).map(|at| stored(collection, at).into()).collect();
                    // More names than have changed do no harm.
                    machine.on_change(&every, &after)
                }
                Step::Read(_) if !proxy.read() => continue,
                say => {
                    if let (Step::Want(bits), false) = (say, everything) {
                        let wanted = (0..NAMES.len()).filter(|at| bits & (1 << at) != 0);
                        proxy.want(wanted.map(|at| NAMES[at].0).collect());
                    }
                    // Before a name was ever given, none means all.
                    if collection && !everything && first && proxy.wants.is_empty() {
                        continue;
                    }
                    let error = matches!(say, Step::Read(false)).then(|| "no".to_owned());
                    let response = machine.on_request(&proxy.request(error), &before).1;
                    proxy.receive(response, true, std::mem::take(&mut first))?;
                    None
                }
            };
            proxy.receive(response, false, false)?;
        }
        prop_assert!(proxy.inbox.is_empty() && !machine.is_waiting());
        let now = receiver.borrow().clone();
        if first {
            return Ok(());
        }
        for (at, (wire, _)) in NAMES.iter().enumerate() {
            let name = stored(collection, at);
            let wanted = everything || proxy.wants.contains(wire);
            let there = now.get(kind, name).map(|resource| resource.body().to_vec());
            if wanted && (there.is_some() || collection) {
                prop_assert_eq!(proxy.has.get(*wire).cloned(), there, "{}", wire);
            }
        }
    }
}
