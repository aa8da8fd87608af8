//! Which credentials are wanted: those that Gateways name, and those that proxies ask for. It is the one thing that flows
//! against the stream: names, and nothing else.
//!
//! Whoever wants some has a [`DemandShare`], and says what changed of it; whoever follows is told what that changed of the
//! whole. So a new host costs a name, however many there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use sealgate_model::CredentialName;
use tokio::sync::watch;

/// What came and what went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta<N> {
    /// Names that are new.
    pub added: Vec<N>,
    /// Names that are no more.
    pub removed: Vec<N>,
}

impl<N> Default for Delta<N> {
    fn default() -> Self {
        Self {
            added: Vec::new(),
            removed: Vec::new(),
        }
    }
}

impl<N> Delta<N> {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

/// Every credential that is wanted, with the number of shares that want it.
type ShareCounts = OrdMap<CredentialName, usize>;

#[derive(Clone, Debug, Default)]
struct DemandState {
    counts: ShareCounts,
    /// Whether the Gateways have been heard of.
    is_known: bool,
}

/// The registry; clones share it.
#[derive(Clone, Debug, Default)]
pub struct CredentialDemand(Arc<watch::Sender<DemandState>>);

impl CredentialDemand {
    /// Follows what is wanted, from nothing on.
    #[must_use]
    pub fn follow(&self) -> DemandWatch {
        DemandWatch {
            wanted: self.0.subscribe(),
            told: None,
        }
    }

    /// Nothing yet; what it holds is wanted until it is dropped.
    #[must_use]
    pub fn share(&self) -> DemandShare {
        DemandShare {
            demand: self.clone(),
            names: BTreeMap::new(),
        }
    }

    /// The Gateways have been heard of: before that nobody is told anything, because it would not be all.
    pub fn set_known(&self) {
        self.0
            .send_if_modified(|wanted| !std::mem::replace(&mut wanted.is_known, true));
    }
}

/// What one Gateway or proxy wants. A name that it wants twice it has to give up twice.
#[derive(Debug)]
pub struct DemandShare {
    demand: CredentialDemand,
    names: BTreeMap<CredentialName, usize>,
}

impl DemandShare {
    /// Takes what changed. A name that was added and removed is as it was.
    pub fn change(&mut self, delta: Delta<CredentialName>) {
        if delta.is_empty() {
            return;
        }
        let names = &mut self.names;
        self.demand.0.send_if_modified(|wanted| {
            let mut moved = false;
            for name in delta.added {
                let own = names.entry(name.clone()).or_default();
                *own += 1;
                if *own == 1 {
                    let count = wanted.counts.entry(name).or_default();
                    *count += 1;
                    moved |= *count == 1;
                }
            }
            for name in delta.removed {
                match names.get_mut(&name) {
                    Some(own) if *own > 1 => *own -= 1,
                    Some(_) => {
                        names.remove(&name);
                        moved |= let_go(&mut wanted.counts, &name);
                    }
                    None => {}
                }
            }
            moved && wanted.is_known
        });
    }
}

impl Drop for DemandShare {
    fn drop(&mut self) {
        let names = std::mem::take(&mut self.names);
        self.demand.0.send_if_modified(|wanted| {
            let mut moved = false;
            for name in names.keys() {
                moved |= let_go(&mut wanted.counts, name);
            }
            moved && wanted.is_known
        });
    }
}

/// Says whether nobody wants it any more.
fn let_go(counts: &mut ShareCounts, name: &CredentialName) -> bool {
    match counts.get_mut(name) {
        Some(count) if *count > 1 => {
            *count -= 1;
            false
        }
        _ => counts.remove(name).is_some(),
    }
}

/// Somebody who is told.
#[derive(Debug)]
pub struct DemandWatch {
    wanted: watch::Receiver<DemandState>,
    /// What was wanted when it was told last; none before the first time.
    told: Option<ShareCounts>,
}

impl DemandWatch {
    /// Waits for a change, and says what it was; first of all what is wanted, be it nothing. None once there is nobody
    /// left to want anything.
    pub async fn changed(&mut self) -> Option<Delta<CredentialName>> {
        loop {
            let is_news = self.told.is_none() && self.wanted.borrow().is_known;
            if !is_news {
                self.wanted.changed().await.ok()?;
            }
            if let Some(delta) = self.look() {
                return Some(delta);
            }
        }
    }

    fn look(&mut self) -> Option<Delta<CredentialName>> {
        let wanted = self.wanted.borrow_and_update().clone();
        if !wanted.is_known {
            return None;
        }
        let before = self.told.replace(wanted.counts.clone());
        let is_first = before.is_none();
        let mut delta = Delta::default();
        for item in before.unwrap_or_default().diff(&wanted.counts) {
            match item {
                DiffItem::Add(name, _) => delta.added.push(name.clone()),
                DiffItem::Remove(name, _) => delta.removed.push(name.clone()),
                DiffItem::Update { .. } => {}
            }
        }
        (is_first || !delta.is_empty()).then_some(delta)
    }
}

#[cfg(test)]
mod tests;
