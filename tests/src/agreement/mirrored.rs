//! Mirrored requests: each recipient gets the same request as the upstream, and no other requests arrive.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use super::headers::{Way, exact};
use super::requests::{Asked, NUMBER};
use crate::echo::Heads;
use crate::eventually;
use crate::raw::RawAnswer;
use crate::scenario::{Headers, headers};

const ARRIVE: Duration = Duration::from_secs(10);
const GLASS: &str = "outbound|80||glass.local";

/// What becomes of the requests of an edition.
#[derive(Debug)]
pub(super) struct Copies {
    /// What the numbers of this edition begin with.
    begin: String,
    /// By number, what the upstream got of those that have to come, or may.
    wanted: BTreeMap<String, Copied>,
}

#[derive(Debug)]
struct Copied {
    must: bool,
    head: String,
}

impl Copies {
    /// Of requests whose numbers begin so.
    pub(super) fn new(begin: String) -> Self {
        Self {
            begin,
            wanted: BTreeMap::new(),
        }
    }

    /// `said` are the answers of `explain` that Envoy agreed with.
    pub(super) fn expect<'a>(
        &mut self,
        asked: &Asked,
        said: impl Iterator<Item = &'a Value>,
        got: &RawAnswer,
    ) {
        let shares: Vec<f64> = said.map(share).collect();
        if shares.iter().all(|share| *share == 0.0) {
            return;
        }
        let copied = Copied {
            must: shares.iter().all(|share| *share >= 100.0),
            head: got.body.split_once('\n').unwrap_or_default().1.to_owned(),
        };
        let mut pairs = asked.question["headers"].as_array().into_iter().flatten();
        let number = pairs.find(|pair| pair[0] == NUMBER);
        let number = number.and_then(|pair| pair[1].as_str()).unwrap_or_default();
        self.wanted.insert(number.to_owned(), copied);
    }

    /// How many have to come.
    pub(super) fn len(&self) -> u64 {
        self.wanted.values().map(|copied| u64::from(copied.must)).sum()
    }

    /// Waits for those that have to come.
    pub(super) async fn differences(&self, arrived: &Heads) -> Vec<String> {
        let all_there = eventually("copies come", ARRIVE, || async {
            let heads = arrived.list();
            let there: BTreeSet<String> = heads.iter().map(|head| number_of(&headers(head))).collect();
            let mut wanted = self.wanted.iter().filter(|(_, copied)| copied.must);
            let missing = wanted.find(|(number, _)| !there.contains(*number));
            match missing {
                Some((number, copied)) => bail!("none of {number}: {}", copied.head),
                None => Ok(()),
            }
        });
        let late = all_there.await.err().map(|error| format!("{error:#}"));
        let heads = arrived.take();
        let wrong = heads.iter().filter_map(|head| self.judge(head).err());
        let wrong = wrong.map(|error| format!("a copy: {error:#}"));
        wrong.chain(late).collect()
    }

    /// The first line and every header, but for the host, by which Envoy marks a copy.
    fn judge(&self, head: &str) -> Result<()> {
        let own = headers(head);
        let number = number_of(&own);
        let Some(copied) = self.wanted.get(&number) else {
            // One that need not come may come late.
            ensure!(
                !number.starts_with(&self.begin),
                "{number} is not to be copied: {head}"
            );
            return Ok(());
        };
        let line = |head: &str| head.lines().next().unwrap_or_default().to_owned();
        ensure!(
            line(head) == line(&copied.head),
            "{} instead of {}",
            line(head),
            line(&copied.head)
        );
        let (mut own, mut sent) = (own, headers(&copied.head));
        let hosts = (own.remove("host"), sent.remove("host"));
        // A copy comes from Envoy itself.
        own.remove("x-envoy-internal");
        exact(&own, &sent, Way::ToUpstream)?;
        let (copy, sent) = (
            hosts.0.unwrap_or_default().concat(),
            hosts.1.unwrap_or_default().concat(),
        );
        ensure!(copy == sent, "to {copy} instead of {sent}");
        Ok(())
    }
}

fn number_of(headers: &Headers) -> String {
    headers.get(NUMBER).cloned().unwrap_or_default().concat()
}

/// The percentage of such requests that is mirrored.
fn share(answer: &Value) -> f64 {
    let mirrors = answer["decision"]["mirrors"].as_array().into_iter().flatten();
    let own = mirrors.filter(|mirror| mirror["cluster"] == GLASS);
    own.filter_map(|mirror| mirror["percent"].as_f64()).sum()
}
