//! What is changed of a request's headers. A call of the host costs more than all that is done with a header here, so
//! few changes are made one by one, and many at once.

use std::borrow::Cow;

use proxy_wasm::types::Status;
use sealgate_core::table::HeaderMutations;
use smallvec::SmallVec;

use super::request::HostRequest;
use crate::host::{self, Side};

/// As many calls cost what it costs to read all headers and to write them.
const FEW: usize = 12;

enum Change<'a> {
    Set(&'a str, Cow<'a, [u8]>),
    Add(&'a str, &'a [u8]),
    Remove(&'a str),
}

/// In order.
#[derive(Default)]
pub(crate) struct Changes<'a>(SmallVec<[Change<'a>; 4]>);

impl<'a> Changes<'a> {
    /// Replaces a header.
    pub(crate) fn set(&mut self, name: &'a str, value: impl Into<Cow<'a, [u8]>>) {
        self.0.push(Change::Set(name, value.into()));
    }

    /// Takes a header off.
    pub(crate) fn remove(&mut self, name: &'a str) {
        self.0.push(Change::Remove(name));
    }

    /// The operations of a rule.
    pub(super) fn mutate(&mut self, mutations: &'a HeaderMutations) {
        let HeaderMutations { set, add, remove } = mutations;
        self.0.extend(remove.iter().map(|name| Change::Remove(name)));
        let sets = set
            .iter()
            .map(|(name, value)| Change::Set(name, value.as_bytes().into()));
        self.0.extend(sets);
        self.0.extend(
            add.iter()
                .map(|(name, value)| Change::Add(name, value.as_bytes())),
        );
    }

    /// Makes them.
    pub(super) fn apply(&self, request: &HostRequest) -> Result<(), Status> {
        if self.0.len() <= FEW {
            self.0.iter().try_for_each(Change::make)
        } else {
            self.make_at_once(request)
        }
    }

    fn make_at_once(&self, request: &HostRequest) -> Result<(), Status> {
        let present = request.headers()?.iter();
        let mut headers: Vec<(&str, &[u8])> = present
            .map(|(name, value)| (name.as_str(), value.as_slice()))
            .collect();
        for change in &self.0 {
            match change {
                Change::Remove(name) => headers.retain(|(own, _)| own != name),
                Change::Add(name, value) => headers.push((name, value)),
                Change::Set(name, value) => match headers.iter().position(|(own, _)| own == name) {
                    Some(at) => replace(&mut headers, at, value),
                    None => headers.push((name, value)),
                },
            }
        }
        host::set_request_headers(headers)
    }
}

/// The first one gets the value, the others of its name go: pseudo headers stay in front.
fn replace<'h>(headers: &mut Vec<(&'h str, &'h [u8])>, at: usize, value: &'h [u8]) {
    let mut place = 0;
    let Some((name, first)) = headers.get_mut(at) else {
        return;
    };
    *first = value;
    let name = *name;
    headers.retain(|(own, _)| {
        place += 1;
        place <= at + 1 || *own != name
    });
}

impl Change<'_> {
    fn make(&self) -> Result<(), Status> {
        match self {
            Self::Set(name, value) => host::set(Side::Request, name, value),
            Self::Add(name, value) => host::add(Side::Request, name, value),
            Self::Remove(name) => host::remove(Side::Request, name),
        }
    }
}
