//! Everything that is to be said, by who says it. What changed about an object becomes news once a step is over, so
//! that what comes and goes within one step is never said.

use std::collections::{BTreeMap, BTreeSet};

use imbl::OrdMap;

use crate::Finding;
use crate::ObjectRef;

/// One thing to say as it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Something is refused or doubtful now.
    Found(Finding),
    /// What was said of this object is no longer so.
    Good(ObjectRef),
}

/// The findings of one object, each with how many say it.
type Said = OrdMap<Finding, usize>;

/// The findings of all objects; a clone costs nothing.
pub type Findings = OrdMap<ObjectRef, Said>;

/// See the module. `S` names who says something.
#[derive(Clone, Debug)]
pub struct Ledger<S> {
    by_source: BTreeMap<S, Vec<Finding>>,
    by_object: Findings,
    /// What was said before this step of the objects that it touched.
    before: BTreeMap<ObjectRef, Said>,
}

impl<S> Default for Ledger<S> {
    fn default() -> Self {
        Self {
            by_source: BTreeMap::new(),
            by_object: OrdMap::new(),
            before: BTreeMap::new(),
        }
    }
}

impl<S: Ord> Ledger<S> {
    /// From now on `source` says this and nothing else.
    pub fn set(&mut self, source: S, findings: Vec<Finding>) {
        let known = self.by_source.get(&source).map_or(&[][..], Vec::as_slice);
        if *known == *findings {
            return;
        }
        let old = self.by_source.remove(&source).unwrap_or_default();
        old.iter().for_each(|finding| self.count(finding, false));
        findings.iter().for_each(|finding| self.count(finding, true));
        if !findings.is_empty() {
            self.by_source.insert(source, findings);
        }
    }

    /// What `source` says.
    #[must_use]
    pub fn get(&self, source: &S) -> &[Finding] {
        self.by_source.get(source).map_or(&[], Vec::as_slice)
    }

    fn count(&mut self, finding: &Finding, more: bool) {
        let object = &finding.object;
        let mut said = self.by_object.get(object).cloned().unwrap_or_default();
        self.before.entry(object.clone()).or_insert_with(|| said.clone());
        let count = said.get(finding).copied().unwrap_or_default();
        match (more, count) {
            (true, _) => drop(said.insert(finding.clone(), count + 1)),
            (false, 0 | 1) => drop(said.remove(finding)),
            (false, _) => drop(said.insert(finding.clone(), count - 1)),
        }
        if said.is_empty() {
            self.by_object.remove(object);
        } else {
            self.by_object.insert(object.clone(), said);
        }
    }

    /// Whether there may be any news.
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.before.is_empty()
    }

    /// What is new since the last time: each finding once, and objects of which nothing is said any more. Of those that
    /// are `gone` it is not said that they are good.
    pub fn news(&mut self, gone: &BTreeSet<ObjectRef>) -> Vec<News> {
        let mut news = Vec::new();
        for (object, before) in std::mem::take(&mut self.before) {
            let nothing = Said::new();
            let now = self.by_object.get(&object).unwrap_or(&nothing);
            let found = now.keys().filter(|finding| !before.contains_key(*finding));
            news.extend(found.cloned().map(News::Found));
            if now.is_empty() && !before.is_empty() && !gone.contains(&object) {
                news.push(News::Good(object));
            }
        }
        news
    }

    /// All of it, by object.
    #[must_use]
    pub fn findings(&self) -> &Findings {
        &self.by_object
    }
}

/// Findings as a list: the worst first, each once.
#[must_use]
pub fn listed(findings: &Findings) -> Vec<Finding> {
    let mut all: Vec<Finding> = findings.values().flat_map(|said| said.keys().cloned()).collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;
    use crate::Kind;
    use crate::Severity;

    #[test]
    fn each_thing_is_said_once_and_that_it_is_over() {
        let object = ObjectRef::new(Kind::Gateway, "gw", "a");
        let finding = |code| Finding {
            severity: Severity::Error,
            code,
            object: object.clone(),
            field: None,
            message: String::new(),
        };
        let (a, b) = (finding(Code::BadHost), finding(Code::NoHosts));
        let mut ledger = Ledger::default();
        let none = BTreeSet::new();
        ledger.set("one", vec![a.clone(), b.clone()]);
        assert_eq!(
            ledger.news(&none),
            [News::Found(a.clone()), News::Found(b.clone())]
        );
        ledger.set("two", vec![a.clone()]);
        ledger.set("one", vec![b.clone()]);
        assert_eq!(ledger.news(&none), [], "another says it too");
        ledger.set("two", vec![]);
        ledger.set("one", vec![a.clone()]);
        ledger.set("one", vec![b.clone()]);
        assert_eq!(ledger.news(&none), [], "what came and went within a step");
        assert_eq!(listed(ledger.findings()), std::slice::from_ref(&b));
        ledger.set("one", vec![]);
        assert_eq!(ledger.news(&none), [News::Good(object.clone())]);
        assert!(ledger.findings().is_empty());
        ledger.set("one", vec![a.clone()]);
        ledger.news(&none);
        ledger.set("one", vec![]);
        assert_eq!(
            ledger.news(&BTreeSet::from([object])),
            [],
            "what is gone is not good"
        );
    }
}
