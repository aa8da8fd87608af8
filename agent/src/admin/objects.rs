//! `/api/objects`: what is served, for the page's explorer: objects except Secrets, claims, which credentials exist, and
//! the properties of their certificates that handshakes depend on. Everything, or the changes since an earlier state.
//! Sent line by line, so that it needs little memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use futures::stream;
use imbl::ordmap::DiffItem;
use imbl::{OrdMap, OrdSet};
use sealgate_model::line::{BeginLine, ClaimLine, CredentialLine, NameLine, ObjectLine, TableLine};
use sealgate_model::preview::KnownSecret;
use sealgate_model::{CredentialName, Object, ObjectRef};

use crate::engine::View;

/// How many states are kept, to send changes since them.
const REMEMBERED: usize = 16;
/// Lines are sent in pieces of this size.
const PIECE: usize = 64 * 1024;

/// What the lines describe, at one moment. It has no certificates and no keys.
#[derive(Clone, Debug)]
struct ToldObjects {
    number: u64,
    objects: OrdMap<ObjectRef, Arc<Object>>,
    /// It never differs alone.
    unpaid: OrdSet<ObjectRef>,
    secrets: OrdMap<CredentialName, KnownSecret>,
}

/// The latest states. They share what did not change, so each costs only its changes.
#[derive(Debug, Default)]
pub(super) struct History(Mutex<VecDeque<ToldObjects>>);

impl History {
    /// The number of this state, which is unique.
    pub(super) fn number(&self, view: &View) -> u64 {
        let mut known = self.lock();
        let is_same =
            |own: &&ToldObjects| own.objects.ptr_eq(&view.objects) && own.secrets.ptr_eq(&view.secrets);
        let newest = known.back();
        if let Some(same) = newest.filter(is_same) {
            return same.number;
        }
        // Starts at the time, so that a later agent does not reuse a number.
        let number = newest.map_or_else(first, |own| own.number + 1);
        known.push_back(ToldObjects {
            number,
            objects: view.objects.clone(),
            unpaid: view.unpaid.clone(),
            secrets: view.secrets.clone(),
        });
        if known.len() > REMEMBERED {
            known.pop_front();
        }
        number
    }

    fn get(&self, number: u64) -> Option<ToldObjects> {
        let known = self.lock();
        known.iter().find(|own| own.number == number).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<ToldObjects>> {
        // A panic while it was held can at worst have lost a state: then everything is sent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn first() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

/// The lines, in pieces.
pub(super) fn body(history: &History, view: &View, since: Option<u64>) -> Body {
    let generation = history.number(view);
    let before = since.and_then(|since| history.get(since));
    let begin = BeginLine {
        generation,
        since: before.as_ref().map(|before| before.number),
        options: (*view.options).clone(),
    };
    let lines: Box<dyn Iterator<Item = TableLine> + Send> = match before {
        Some(before) => Box::new(changes(&before, view)),
        None => Box::new(everything(view)),
    };
    let lines = std::iter::once(TableLine::Begin(begin)).chain(lines);
    Body::from_stream(stream::iter(Pieces {
        lines: lines.fuse(),
        count: 0,
        is_over: false,
    }))
}

fn everything(view: &View) -> impl Iterator<Item = TableLine> + Send + use<> {
    let claims = view.claims.clone().into_iter();
    let claims = claims.map(|(claim, tenure)| TableLine::Claim(ClaimLine::new(&claim, Some(&tenure))));
    let secrets = view.secrets.clone().into_iter();
    let secrets = secrets.map(|(name, known)| TableLine::Credential(CredentialLine::new(&name, &known)));
    let objects = view.objects.clone().into_iter();
    let unpaid: Vec<_> = view.unpaid.iter().map(unpaid_line).collect();
    claims
        .chain(secrets)
        .chain(objects.filter_map(|(_, object)| line(&object)))
        .chain(unpaid)
}

/// Collected at once: either there are few changes, or they are requested rarely.
fn changes(before: &ToldObjects, now: &View) -> impl Iterator<Item = TableLine> + Send + use<> {
    let secrets = before.secrets.diff(&now.secrets).map(|item| {
        TableLine::Credential(match item {
            DiffItem::Add(name, known)
            | DiffItem::Update {
                new: (name, known), ..
            } => CredentialLine::new(name, known),
            DiffItem::Remove(name, _) => CredentialLine::new(name, &KnownSecret::default()),
        })
    });
    let objects = before.objects.diff(&now.objects).filter_map(|item| match item {
        DiffItem::Add(_, object) | DiffItem::Update { new: (_, object), .. } => line(object),
        DiffItem::Remove(name, _) => Some(TableLine::Gone(NameLine::from(name))),
    });
    // What got room may be the same object.
    let paid = before
        .unpaid
        .iter()
        .filter(|name| !now.unpaid.contains(*name))
        .filter_map(|name| line(now.objects.get(name)?));
    let is_told = |name: &ObjectRef| {
        let versions = before.objects.get(name).zip(now.objects.get(name));
        before.unpaid.contains(name) && versions.is_some_and(|(before, now)| Arc::ptr_eq(before, now))
    };
    let unpaid = now.unpaid.iter().filter(|name| !is_told(name)).map(unpaid_line);
    let all: Vec<_> = secrets.chain(objects).chain(paid).chain(unpaid).collect();
    all.into_iter()
}

fn line(object: &Object) -> Option<TableLine> {
    ObjectLine::new(object).map(|line| TableLine::Object(line.compact()))
}

fn unpaid_line(name: &ObjectRef) -> TableLine {
    TableLine::Unpaid(NameLine::from(name))
}

/// Lines as bytes, and a last one that counts them.
struct Pieces<I> {
    lines: std::iter::Fuse<I>,
    count: usize,
    is_over: bool,
}

impl<I: Iterator<Item = TableLine>> Iterator for Pieces<I> {
    type Item = serde_json::Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let mut piece = Vec::new();
        while piece.len() < PIECE {
            let line = self.lines.next().unwrap_or_else(|| {
                self.is_over = true;
                TableLine::End(self.count + 1)
            });
            self.count += 1;
            if let Err(error) = serde_json::to_writer(&mut piece, &line) {
                self.is_over = true;
                return Some(Err(error));
            }
            piece.push(b'\n');
            if self.is_over {
                break;
            }
        }
        Some(Ok(piece.into()))
    }
}
