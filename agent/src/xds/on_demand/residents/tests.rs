use std::time::Duration;

use super::limits::{LIFE, MOST_BESIDES, MOST_OF_NAME, MOST_OF_WILDCARD, MOST_PER_PATTERN};
use super::*;
use crate::snapshot::{Draft, Publisher};
use crate::xds::proxies::Proxy;
use tokio::sync::watch;

const CHAIN: &str = "443/on-demand/x";
const NODE: &str = "edge-1";

/// A proxy that asks, and what is published for it.
struct Bench {
    publisher: Publisher,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    proxies: Proxies,
    residents: Residents,
    now: Instant,
    nonce: u64,
}

impl Bench {
    /// Patterns with their Secrets; a Secret's first content is its name.
    fn new(names: &[(&str, &str)]) -> Self {
        let (publisher, snapshots) = Publisher::new(Duration::ZERO);
        let proxies = Proxies::default();
        let residents = Residents::new(Arc::clone(&snapshots.borrow()), proxies.clone());
        let mut bench = Self {
            publisher,
            snapshots,
            proxies,
            residents,
            now: Instant::now(),
            nonce: 0,
        };
        bench.publish(|draft| {
            for (pattern, secret) in names {
                draft.set(TypeUrl::Secret, secret, secret.as_bytes().to_vec());
                draft.set_name(&CHAIN.into(), &(*pattern).into(), Some((*secret).into()));
            }
        });
        bench
    }

    fn publish(&mut self, change: impl FnOnce(&mut Draft<'_>)) {
        self.publisher.update(self.now, change);
        self.residents.follow(Arc::clone(&self.snapshots.borrow()));
    }

    fn set(&mut self, secret: &str, content: &str) {
        self.publish(|draft| draft.set(TypeUrl::Secret, secret, content.as_bytes().to_vec()));
    }

    fn name(&mut self, pattern: &str, secret: Option<&str>) {
        self.publish(|draft| draft.set_name(&CHAIN.into(), &pattern.into(), secret.map(Into::into)));
    }

    fn ask(&mut self, name: &str) -> Option<Id> {
        self.ask_with(name, None)
    }

    fn ask_with(&mut self, name: &str, brought: Option<&str>) -> Option<Id> {
        let asker = Asker {
            place: self.residents.place(NODE, CHAIN),
            wake: Arc::default(),
        };
        self.residents.ask(&asker, name.as_bytes(), brought, self.now)
    }

    /// What the stream of a name sends, as text.
    fn answer(&mut self, id: Id) -> Option<String> {
        self.nonce += 1;
        Some(match self.residents.answer(id, self.nonce)? {
            SecretAnswer::Secret(name, resource) => {
                format!("{name}={}", String::from_utf8_lossy(&resource.body()))
            }
            SecretAnswer::Removed(name) => format!("{} removed", String::from_utf8_lossy(&name)),
        })
    }

    /// A name that was requested, answered and accepted.
    fn settled(&mut self, name: &str) -> Id {
        let id = self.ask(name).unwrap();
        self.answer(id).unwrap();
        self.residents.acknowledge(id, self.nonce, None);
        id
    }

    fn proxy(&self) -> Proxy {
        self.proxies.list().remove(NODE).unwrap_or_default()
    }

    fn held(&self, secret: &str) -> Option<(String, bool)> {
        let held = self.proxy().on_demand.get(secret).cloned()?;
        Some((held.version.to_string(), held.asked))
    }

    fn version(&self, secret: &str) -> String {
        let snapshot = self.snapshots.borrow();
        snapshot
            .get(TypeUrl::Secret, secret)
            .unwrap()
            .version()
            .to_string()
    }
}

#[test]
fn a_name_is_answered_as_it_was_asked_for_once() {
    let mut bench = Bench::new(&[("a.test", "ns/a"), ("*.test", "ns/w")]);
    for (name, told) in [
        ("a.test", "a.test=ns/a"),
        ("A.Test.", "A.Test.=ns/a"),
        ("b.test", "b.test=ns/w"),
    ] {
        let id = bench.ask(name).unwrap();
        assert_eq!(bench.answer(id).as_deref(), Some(told));
        assert_eq!(bench.answer(id), None);
    }
    assert_eq!(bench.proxies.on_demand().resident(), 3);
}

#[test]
fn what_nobody_serves_leaves_nothing() {
    let mut bench = Bench::new(&[("a.test", "ns/a")]);
    bench.name("pending.test", Some("ns/pending"));
    for name in ["b.test", "pending.test", "a..test", "test", "no-sni"] {
        assert_eq!(bench.ask(name), None, "{name}");
    }
    assert_eq!((bench.residents.all.len(), bench.residents.leaving.len()), (0, 0));
    assert_eq!(bench.proxies.on_demand().unknown(), 4);
    assert!(bench.proxies.list().is_empty());
}

#[test]
fn a_rotation_is_confirmed_by_the_slowest_name() {
    let mut bench = Bench::new(&[("a.test", "ns/a"), ("*.a.test", "ns/a"), ("b.test", "ns/b")]);
    let ids = ["a.test", "x.a.test"].map(|name| bench.settled(name));
    let other = bench.settled("b.test");
    let first = bench.version("ns/a");
    assert_eq!(bench.held("ns/a"), Some((first.clone(), true)));
    bench.set("ns/a", "new");
    assert_eq!(bench.answer(other), None);
    for (id, told) in ids.iter().zip(["a.test=new", "x.a.test=new"]) {
        assert_eq!(bench.held("ns/a"), Some((first.clone(), true)));
        assert_eq!(bench.answer(*id).as_deref(), Some(told));
        bench.residents.acknowledge(*id, bench.nonce, None);
    }
    assert_eq!(bench.held("ns/a"), Some((bench.version("ns/a"), false)));
    // A later request does not make it slower.
    bench.settled("y.a.test");
    assert_eq!(bench.held("ns/a"), Some((bench.version("ns/a"), false)));
}

#[test]
fn who_comes_back_is_answered_and_what_it_missed_is_a_rotation() {
    let mut bench = Bench::new(&[("a.test", "ns/a")]);
    let version = bench.version("ns/a");
    for (brought, asked) in [(version.as_str(), true), ("older", false)] {
        let id = bench.ask_with("a.test", Some(brought)).unwrap();
        assert_eq!(bench.answer(id).as_deref(), Some("a.test=ns/a"));
        // It has a version, so a rejection does not end anything.
        bench.residents.acknowledge(id, bench.nonce, Some("bad"));
        assert_eq!(bench.answer(id), None);
        bench.residents.ask_again(id);
        assert!(bench.answer(id).is_some());
        bench.residents.acknowledge(id, bench.nonce, None);
        assert_eq!(bench.held("ns/a"), Some((version.clone(), asked)));
        bench.residents.close(id);
    }
}

#[test]
fn a_word_on_an_older_version_says_nothing_of_a_newer_one() {
    let mut bench = Bench::new(&[("a.test", "ns/a")]);
    let id = bench.settled("a.test");
    bench.set("ns/a", "2");
    bench.answer(id);
    let nonce = bench.nonce;
    bench.set("ns/a", "3");
    let held = bench.held("ns/a");
    bench.residents.acknowledge(id, nonce, None);
    assert_eq!(bench.held("ns/a"), held);
    assert_eq!(bench.answer(id).as_deref(), Some("a.test=3"));
    bench.residents.acknowledge(id, bench.nonce, None);
    assert_eq!(bench.held("ns/a"), Some((bench.version("ns/a"), false)));
}

#[test]
fn a_name_follows_the_patterns() {
    let mut bench = Bench::new(&[("*.test", "ns/w"), ("*", "ns/any"), ("b.test", "ns/b")]);
    let (a, b, c) = (
        bench.settled("a.test"),
        bench.settled("b.test"),
        bench.settled("c.other"),
    );
    bench.set("ns/a", "ns/a");
    bench.name("a.test", Some("ns/a"));
    assert_eq!(bench.answer(a).as_deref(), Some("a.test=ns/a"));
    assert_eq!((bench.answer(b), bench.answer(c)), (None, None));
    bench.name("*.test", None);
    assert_eq!((bench.answer(a), bench.answer(b)), (None, None));
    bench.name("b.test", None);
    assert_eq!(bench.answer(b).as_deref(), Some("b.test=ns/any"));
    bench.name("*", None);
    assert_eq!(bench.answer(b).as_deref(), Some("b.test removed"));
    assert_eq!(bench.answer(c).as_deref(), Some("c.other removed"));
    assert_eq!((bench.answer(b), bench.answer(a)), (None, None));
    assert_eq!(bench.proxies.on_demand().resident(), 1);
}

#[test]
fn a_secret_that_is_forgotten_takes_its_names_along() {
    let mut bench = Bench::new(&[("a.test", "ns/a")]);
    let id = bench.settled("a.test");
    bench.publish(|draft| draft.remove(TypeUrl::Secret, "ns/a"));
    assert_eq!(bench.answer(id).as_deref(), Some("a.test removed"));
    bench.residents.close(id);
    assert_eq!((bench.held("ns/a"), bench.residents.leaving.len()), (None, 0));
    assert_eq!(bench.ask("a.test"), None);
}

#[test]
fn a_first_answer_that_is_refused_ends_the_wait() {
    let mut bench = Bench::new(&[("a.test", "ns/a")]);
    let id = bench.ask("a.test").unwrap();
    bench.answer(id);
    bench.residents.acknowledge(id, bench.nonce, Some("bad"));
    assert_eq!(bench.answer(id).as_deref(), Some("a.test removed"));
    // It keeps what it has, whatever comes later.
    let id = bench.settled("a.test");
    bench.set("ns/a", "2");
    bench.answer(id);
    bench.residents.acknowledge(id, bench.nonce, Some("bad"));
    assert_eq!(bench.answer(id), None);
    let proxy = bench.proxy();
    assert_eq!(
        proxy.refused.get(&TypeUrl::Secret).map(String::as_str),
        Some("bad")
    );
    assert_eq!(proxy.on_demand["ns/a"].refused.as_deref(), Some("bad"));
    bench.set("ns/a", "3");
    bench.answer(id);
    bench.residents.acknowledge(id, bench.nonce, None);
    assert!(bench.proxy().refused.is_empty() && bench.proxy().on_demand["ns/a"].refused.is_none());
}

#[test]
fn the_names_of_a_wildcard_are_bounded_and_the_oldest_go() {
    let mut bench = Bench::new(&[("*.test", "ns/w"), ("a.other", "ns/a")]);
    let other = bench.settled("a.other");
    let waiting = bench.ask("waiting.test").unwrap();
    let first = bench.settled("first.test");
    for at in 0..MOST_OF_WILDCARD {
        bench.settled(&format!("n{at}.test"));
    }
    assert_eq!(bench.answer(first).as_deref(), Some("first.test removed"));
    assert_eq!(bench.answer(waiting).as_deref(), Some("waiting.test=ns/w"));
    assert_eq!(bench.answer(other), None);
    assert_eq!(bench.proxies.on_demand().resident(), MOST_OF_WILDCARD + 1);
    assert_eq!(bench.proxies.on_demand().taken_back(), 2);
}

#[test]
fn the_spellings_of_a_name_are_bounded() {
    let mut bench = Bench::new(&[("abcdefgh.test", "ns/a")]);
    for at in 0..8 {
        let mut name = "abcdefgh.test".to_owned();
        name.replace_range(at..=at, &name[at..=at].to_uppercase());
        bench.settled(&name);
    }
    assert_eq!(bench.proxies.on_demand().resident(), MOST_OF_NAME);
}

#[test]
fn a_chain_is_bounded_and_who_asks_for_much_loses_it() {
    let names: Vec<_> = (0..20).map(|at| format!("*.w{at}.test")).collect();
    let names: Vec<_> = names.iter().map(|name| (name.as_str(), "ns/w")).collect();
    let mut bench = Bench::new(&names);
    let quiet = bench.settled("quiet.w19.test");
    for at in 0..2000 {
        bench.settled(&format!("n{at}.w{}.test", at % 10));
    }
    assert_eq!(
        bench.proxies.on_demand().resident(),
        20 * MOST_PER_PATTERN + MOST_BESIDES
    );
    assert_eq!(bench.answer(quiet), None);
}

#[test]
fn a_name_goes_after_its_time_and_never_before_its_proxy_took_it() {
    let mut bench = Bench::new(&[("a.test", "ns/a"), ("b.test", "ns/b")]);
    let (settled, waiting) = (bench.settled("a.test"), bench.ask("b.test").unwrap());
    bench.residents.expire(bench.now + LIFE.mul_f64(0.99));
    assert_eq!(bench.answer(settled), None);
    let late = bench.now + LIFE * 2;
    bench.residents.expire(late);
    assert_eq!(bench.answer(settled).as_deref(), Some("a.test removed"));
    assert_eq!(bench.answer(waiting).as_deref(), Some("b.test=ns/b"));
    bench.residents.acknowledge(waiting, bench.nonce, None);
    bench.residents.expire(late + PATIENCE);
    assert_eq!(bench.answer(waiting).as_deref(), Some("b.test removed"));
    assert_eq!(bench.proxies.on_demand().resident(), 0);
    assert!(bench.residents.index.due(late + LIFE).is_empty());
}

#[test]
fn what_is_gone_leaves_no_trace() {
    let mut bench = Bench::new(&[("*.test", "ns/w")]);
    let ids: Vec<_> = (0..100).map(|at| bench.settled(&format!("n{at}.test"))).collect();
    assert!(bench.proxy().streams == 1 && bench.held("ns/w").is_some());
    ids.into_iter().for_each(|id| bench.residents.close(id));
    let left = format!("{:?}", bench.residents.index);
    assert_eq!(left, format!("{:?}", ResidentIndex::default()));
    assert!(bench.proxy().streams == 0 && bench.held("ns/w").is_none());
}

#[test]
fn lives_are_spread() {
    let lives: Vec<_> = (0..1000).map(life).collect();
    assert!(lives.iter().all(|life| (LIFE..=LIFE.mul_f64(1.5)).contains(life)));
    let early = lives.iter().filter(|life| **life < LIFE.mul_f64(1.25)).count();
    assert!((450..550).contains(&early), "{early}");
}
