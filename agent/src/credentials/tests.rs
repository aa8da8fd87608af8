use std::collections::BTreeMap;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use sealgate_model::Meta;
use time::Duration;
use zeroize::Zeroizing;

use super::*;
use crate::credential::CredentialOutcome;

/// Credentials at a time that a test sets.
struct World {
    credentials: Credentials,
    now: OffsetDateTime,
    touched: BTreeSet<CredentialName>,
}

/// A certificate with its key, and from when until when it is good.
fn pair(from: OffsetDateTime, until: OffsetDateTime) -> (String, String) {
    let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (from, until);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn secret(name: &str) -> ObjectRef {
    ObjectRef::new(sealgate_model::Kind::Secret, "ns", name)
}

fn authority(name: &str) -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

impl World {
    fn new(refuse_expired: bool) -> Self {
        let now = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap();
        Self {
            credentials: Credentials::new(CredentialPolicy {
                strict_names: false,
                refuse_expired,
                now,
            }),
            now,
            touched: BTreeSet::new(),
        }
    }

    fn set(&mut self, name: &str, data: &[(&str, &str)]) {
        self.hear(name, data);
        self.settle();
    }

    /// The same within a step.
    fn hear(&mut self, name: &str, data: &[(&str, &str)]) {
        let value = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
        let data = data.iter().map(|(key, text)| ((*key).to_owned(), value(text)));
        let secret = SecretObject {
            meta: Meta {
                namespace: "ns".into(),
                name: name.into(),
                ..Meta::default()
            },
            type_: "Opaque".to_owned(),
            data: data.collect::<BTreeMap<_, _>>(),
        };
        self.credentials.set(&secret, self.now, &mut self.touched);
    }

    fn settle(&mut self) {
        self.credentials.settle(&mut self.touched);
    }

    fn delete(&mut self, name: &str) {
        self.credentials.delete(&secret(name), &mut self.touched);
        self.settle();
    }

    /// The Secret is there, and cannot be read any more.
    fn unread(&mut self, name: &str) {
        self.credentials.set_unread(&secret(name), &mut self.touched);
        self.settle();
    }

    /// The clock is set.
    fn look_at(&mut self, now: OffsetDateTime) {
        self.now = now;
        self.credentials.look(now, &mut self.touched);
    }

    /// What an agent that starts anew knows of a credential.
    fn remembered(&self, name: &str) -> Self {
        let name = CredentialName::new("ns", name);
        let mut next = Self::new(self.credentials.policy.refuse_expired);
        next.now = self.now;
        if let Some(held) = self.credentials.held(&name) {
            let data = held.credential.data().into_iter();
            let value = |text: String| Zeroizing::new(text.into_bytes());
            let secret = SecretObject {
                meta: Meta {
                    namespace: Arc::clone(&name.namespace),
                    name: Arc::clone(&name.name),
                    ..Meta::default()
                },
                type_: "Opaque".to_owned(),
                data: data
                    .map(|(key, text)| (key.to_owned(), value(text.to_string())))
                    .collect(),
            };
            let touched = &mut next.touched;
            next.credentials.remember(&name, (&secret, held.of_base), touched);
        }
        let version = self.credentials.own_version(&name).cloned();
        let versions = version.map(|version| (name, version));
        next.credentials.remember_versions(versions.into_iter().collect());
        next
    }

    /// The next time at which something is to be looked at, and what is then.
    fn pass(&mut self) {
        self.now = self.credentials.next_look().unwrap();
        self.credentials.look(self.now, &mut self.touched);
    }

    fn state(&self, name: &str) -> &'static str {
        let record = self.credentials.records().get(&CredentialName::new("ns", name));
        match record.and_then(|record| record.outcome()) {
            Some(CredentialOutcome::Ready(_)) => "ready",
            Some(CredentialOutcome::Refused(error)) => error.code().as_str(),
            Some(CredentialOutcome::Pending(code) | CredentialOutcome::Ignored(code)) => code.as_str(),
            None => "none",
        }
    }

    fn good(&self, name: &str) -> Option<Arc<Credential>> {
        self.credentials.good(&CredentialName::new("ns", name)).cloned()
    }

    /// `code object field` of each finding.
    fn said(&self, name: &str) -> Vec<String> {
        let findings = self.credentials.findings(&CredentialName::new("ns", name));
        findings
            .iter()
            .map(|finding| {
                let field = finding.field.as_deref().unwrap_or("-");
                format!("{} {} {field}", finding.code, finding.object.name)
            })
            .collect()
    }

    fn trusts(&self, pem: &str) -> bool {
        let good = self.good("a-cacert");
        matches!(good.as_deref(), Some(Credential::TrustBundle(bundle)) if bundle.pem() == pem.as_bytes())
    }
}

#[test]
fn a_certificate_expires_by_itself() {
    let mut world = World::new(false);
    let (start, end) = (world.now, world.now + Duration::seconds(100));
    let (certificate, key) = pair(start, end);
    world.set("a", &[("tls.crt", &certificate), ("tls.key", &key)]);
    assert_eq!(world.said("a"), [""; 0]);
    world.pass();
    world.pass();
    assert_eq!(world.said("a"), ["expires-soon a data[tls.crt]"]);
    assert_eq!(world.now, end - Duration::seconds(10) + Duration::milliseconds(1));
    world.pass();
    assert_eq!(world.said("a"), ["expired a data[tls.crt]"]);
    assert_eq!(world.state("a"), "ready", "it is served with a warning");
    assert_eq!(world.credentials.next_look(), None);
    assert!(world.touched.contains(&CredentialName::new("ns", "a")));
}

#[test]
fn refused_as_not_yet_valid_it_is_served_once_its_time_comes() {
    let mut world = World::new(true);
    let begins = world.now + Duration::seconds(100);
    let (certificate, key) = pair(begins, begins + Duration::days(1));
    world.set("a", &[("tls.crt", &certificate), ("tls.key", &key)]);
    assert_eq!(
        (world.state("a"), world.good("a").is_some()),
        ("not-yet-valid", false)
    );
    assert_eq!(world.said("a"), ["not-yet-valid a data[tls.crt]"]);
    world.pass();
    assert_eq!(world.now, begins + Duration::milliseconds(1));
    assert_eq!((world.state("a"), world.good("a").is_some()), ("ready", true));
    assert_eq!(world.said("a"), [""; 0]);
}

#[test]
fn of_a_bad_bundle_the_last_good_version_stands_and_no_other_is_trusted() {
    let (old, new) = (authority("old"), authority("new"));
    let mut world = World::new(false);
    world.set("a", &[("ca.crt", &old)]);
    assert!(world.trusts(&old));
    world.set("a-cacert", &[("ca.crt", &new)]);
    assert!(world.trusts(&new));
    for (bad, state) in [("nonsense", "bad-pem"), ("", "empty-values")] {
        world.set("a-cacert", &[("ca.crt", bad)]);
        assert_eq!(world.state("a-cacert"), state);
        assert!(world.trusts(&new), "{state}");
    }
    world.set("a-cacert", &[("user", "x")]);
    assert!(world.trusts(&new), "its certificates were taken out");
    assert_eq!(world.said("a-cacert"), ["deleted a-cacert -"]);
    let newest = authority("newest");
    world.set("a", &[("ca.crt", &newest)]);
    assert!(world.trusts(&new), "the other one changes");
}

#[test]
fn a_bundle_that_was_never_good_is_not_replaced_by_another() {
    let mut world = World::new(false);
    world.set("a-cacert", &[("ca.crt", "nonsense")]);
    world.set("a", &[("ca.crt", &authority("old"))]);
    assert!(world.good("a-cacert").is_none());
}

#[test]
fn a_deletion_falls_back_and_that_is_said() {
    let (old, new) = (authority("old"), authority("new"));
    let mut world = World::new(false);
    world.set("a", &[("ca.crt", &old)]);
    world.set("a-cacert", &[("ca.crt", &new)]);
    assert_eq!(world.said("a-cacert"), [""; 0]);
    world.delete("a-cacert");
    assert!(world.trusts(&old));
    assert_eq!(world.said("a-cacert"), ["trust-fallback a data[ca.crt]"]);
    world.set("a-cacert", &[("ca.crt", &new)]);
    assert_eq!(world.said("a-cacert"), [""; 0]);
    // Also where the other one becomes good later.
    world.set("a", &[("ca.crt", "nonsense")]);
    world.delete("a-cacert");
    assert!(world.trusts(&new));
    world.set("a", &[("ca.crt", &old)]);
    assert!(world.trusts(&old));
    assert_eq!(world.said("a-cacert"), ["trust-fallback a data[ca.crt]"]);
}

#[test]
fn of_a_deleted_secret_the_right_one_is_named_and_no_field() {
    let mut world = World::new(false);
    let ca = authority("CA");
    world.set("a-cacert", &[("cacert", "nonsense")]);
    assert_eq!(world.said("a-cacert"), ["bad-pem a-cacert data[cacert]"]);
    world.set("a-cacert", &[("cacert", &ca)]);
    world.delete("a-cacert");
    assert_eq!(world.said("a-cacert"), ["deleted a-cacert -"]);
    world.set("b", &[("ca.crt", &ca)]);
    world.set("b", &[("ca.crt", "nonsense")]);
    assert_eq!(world.said("b-cacert"), ["bad-pem b data[ca.crt]"]);
    world.set("b", &[("user", "x")]);
    assert_eq!(world.said("b-cacert"), ["deleted b -"]);
    world.delete("b");
    assert_eq!(world.said("b-cacert"), ["deleted b -"]);
}

#[test]
fn whoever_names_a_secret_learns_that_nothing_is_known_of_it_any_more() {
    let mut world = World::new(false);
    world.set("a", &[("tls.crt", "nonsense"), ("tls.key", "nonsense")]);
    assert!(!world.credentials.take_reallowed().is_empty());
    world.delete("a");
    let name = CredentialName::new("ns", "a");
    assert!(world.credentials.allowed_namespaces(&name).is_none());
    assert!(world.credentials.take_reallowed().contains(&name));
}

#[test]
fn every_secret_that_says_something_is_known() {
    let mut world = World::new(false);
    world.set("a", &[("ca.crt", &authority("CA"))]);
    let known: Vec<_> = world.credentials.secrets().collect();
    assert_eq!(known, [ObjectRef::new(sealgate_model::Kind::Secret, "ns", "a")]);
}

#[test]
fn what_cannot_be_read_any_more_is_held_and_nothing_is_trusted_in_its_place() {
    let (old, new) = (authority("old"), authority("new"));
    let mut world = World::new(false);
    world.set("a", &[("ca.crt", &old)]);
    world.set("a-cacert", &[("ca.crt", &new)]);
    let name = CredentialName::new("ns", "a-cacert");
    assert!(world.credentials.held(&name).is_none(), "its Secret provides it");
    world.unread("a-cacert");
    assert!(world.trusts(&new));
    assert_eq!(world.said("a-cacert"), [""; 0], "why is said of the Secret");
    assert_eq!(world.credentials.forget(|_| false), []);
    // And when the agent starts anew, in whichever order the Secrets come.
    for own_first in [true, false] {
        let mut next = world.remembered("a-cacert");
        if own_first {
            next.unread("a-cacert");
            next.set("a", &[("ca.crt", &old)]);
        } else {
            next.hear("a", &[("ca.crt", &old)]);
            next.unread("a-cacert");
        }
        assert!(next.trusts(&new), "own first: {own_first}");
        assert_eq!(next.said("a-cacert"), [""; 0]);
        assert!(
            next.credentials.held(&name).is_some(),
            "and the next one knows it too"
        );
        assert!(
            next.credentials
                .secrets()
                .any(|known| known == secret("a-cacert"))
        );
        next.delete("a-cacert");
        assert!(next.trusts(&old));
        assert_eq!(next.said("a-cacert"), ["trust-fallback a data[ca.crt]"]);
    }
}

#[test]
fn a_bundle_that_nobody_could_read_yet_is_not_replaced_by_another() {
    let mut world = World::new(false);
    world.unread("a-cacert");
    world.set("a", &[("ca.crt", &authority("old"))]);
    assert!(world.good("a-cacert").is_none());
    assert!(world.credentials.records()[&CredentialName::new("ns", "a-cacert")].is_unread());
}

/// Another Secret that nobody could ever read does not speak for it.
#[test]
fn of_a_bundle_the_deletion_is_said_though_the_other_secret_cannot_be_read() {
    let new = authority("new");
    let mut world = World::new(false);
    world.set("a-cacert", &[("ca.crt", &new)]);
    world.unread("a");
    world.delete("a-cacert");
    assert!(world.trusts(&new));
    assert_eq!(world.said("a-cacert"), ["deleted a-cacert -"]);
}

#[test]
fn a_bad_bundle_is_not_replaced_by_another_of_the_same_step() {
    let (old, new) = (authority("old"), authority("new"));
    let mut world = World::new(false);
    world.set("a-cacert", &[("ca.crt", &new)]);
    world.set("a-cacert", &[("ca.crt", "nonsense")]);
    // An agent that starts anew, with what was kept and without: the Secret without the suffix comes first.
    for kept in [true, false] {
        let mut next = if kept {
            world.remembered("a-cacert")
        } else {
            World::new(false)
        };
        next.hear("a", &[("ca.crt", &old)]);
        next.hear("a-cacert", &[("ca.crt", "nonsense")]);
        next.settle();
        assert_eq!((next.trusts(&new), next.trusts(&old)), (kept, false));
    }
}

#[test]
fn a_secret_that_turns_bad_within_a_step_was_good() {
    let mut world = World::new(false);
    let ca = authority("CA");
    world.hear("a-cacert", &[("ca.crt", &ca)]);
    world.hear("a-cacert", &[("ca.crt", "nonsense")]);
    world.settle();
    assert!(world.trusts(&ca));
}

#[test]
fn a_deletion_that_no_agent_saw_is_said() {
    let (old, new) = (authority("old"), authority("new"));
    let mut world = World::new(false);
    world.set("a", &[("ca.crt", &old)]);
    assert_eq!(
        world
            .credentials
            .own_version(&CredentialName::new("ns", "a-cacert")),
        None
    );
    world.set("a-cacert", &[("ca.crt", &new)]);
    // Gone: said, and said by the one after that too, until the other one is changed.
    let mut next = world.remembered("a-cacert");
    next.set("a", &[("ca.crt", &old)]);
    assert!(next.trusts(&old));
    assert_eq!(next.said("a-cacert"), ["trust-fallback a data[ca.crt]"]);
    let mut third = next.remembered("a-cacert");
    third.set("a", &[("ca.crt", &old)]);
    assert_eq!(third.said("a-cacert"), ["trust-fallback a data[ca.crt]"]);
    third.set("a", &[("ca.crt", &authority("newer"))]);
    assert_eq!(third.said("a-cacert"), [""; 0]);
    let mut fourth = third.remembered("a-cacert");
    fourth.set("a", &[("ca.crt", &old)]);
    assert_eq!(fourth.said("a-cacert"), [""; 0]);
    // It is there: not said.
    let mut next = world.remembered("a-cacert");
    next.hear("a", &[("ca.crt", &old)]);
    next.hear("a-cacert", &[("ca.crt", &new)]);
    next.settle();
    assert!(next.trusts(&new));
    assert_eq!(next.said("a-cacert"), [""; 0]);
    // The same certificates: nothing else is trusted.
    let mut next = world.remembered("a-cacert");
    next.set("a", &[("ca.crt", &new)]);
    assert_eq!(next.said("a-cacert"), [""; 0]);
}

#[test]
fn dates_are_judged_anew_when_the_clock_is_set_in_either_direction() {
    for refuse in [false, true] {
        let mut world = World::new(refuse);
        let (start, length) = (world.now, Duration::days(10));
        let (certificate, key) = pair(start, start + length);
        // The clock is ahead when the Secret comes.
        world.now = start + length + Duration::DAY;
        world.set("a", &[("tls.crt", &certificate), ("tls.key", &key)]);
        let bad = |code: &str| vec![format!("{code} a data[tls.crt]")];
        let steps = [
            (start + length + Duration::DAY, bad("expired")),
            (start + Duration::HOUR, vec![]),
            (start - Duration::SECOND, bad("not-yet-valid")),
            (start + length - Duration::HOUR, bad("expires-soon")),
            (start, vec![]),
            (start + length + Duration::SECOND, bad("expired")),
            (start - Duration::DAY, bad("not-yet-valid")),
            (start + length, bad("expires-soon")),
        ];
        for (now, expected) in steps {
            world.look_at(now);
            assert_eq!(world.said("a"), expected, "{now}, refuse {refuse}");
            assert!(world.credentials.has_dates(), "{now}");
        }
    }
}

#[test]
fn what_expires_while_it_is_served_is_served_by_the_next_agent() {
    let mut world = World::new(true);
    let (start, end) = (world.now, world.now + Duration::days(10));
    let (certificate, key) = pair(start, end);
    let data = [("tls.crt", certificate.as_str()), ("tls.key", key.as_str())];
    world.set("a", &data);
    world.look_at(end + Duration::DAY);
    assert_eq!((world.state("a"), world.good("a").is_some()), ("expired", true));
    let mut next = world.remembered("a");
    next.set("a", &data);
    assert_eq!((next.state("a"), next.good("a").is_some()), ("expired", true));
    assert_eq!(next.said("a"), ["expired a data[tls.crt]"]);
    next.look_at(start);
    assert_eq!((next.state("a"), next.said("a").len()), ("ready", 0));
}
