//! xDS over the socket: SotW and Delta, aggregated and per type. It knows snapshots and nothing of where they come
//! from.

mod authority;
mod connection;
mod delta;
mod names;
mod on_demand;
mod open;
mod ordering;
pub mod proxies;
mod service;
mod settling;
pub mod socket;
mod sotw;

pub use service::{Options, serve};

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::demand::Delta;
use crate::snapshot::{Snapshot, TypeUrl, Version};

/// Asks for everything there is of a type.
const WILDCARD: &str = "*";

/// A wire name, and the version that was sent under it; none for a removal.
pub type Sent = (Arc<str>, Option<Version>);

/// What a proxy said about a response: the names that it held, with their versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// What the response held.
    pub resources: Vec<Sent>,
    /// Why it was refused; none if it was taken.
    pub refused: Option<String>,
}

/// One type of one stream, as a pure state machine: messages and changes in, responses out.
pub(crate) trait Machine {
    /// What the proxy says.
    type Request: Send;
    /// What it is told.
    type Response;

    /// A machine that nobody has spoken to yet. Secrets without a namespace are looked up in `namespace`.
    fn new(kind: TypeUrl, namespace: Arc<str>) -> Self;

    /// Whether a request goes on with what the proxy was told on an earlier stream.
    fn resumes(request: &Self::Request) -> bool;

    /// Notes which of the resources that a request goes on with are not this agent's, given whether one is.
    fn inherit(request: &mut Self::Request, is_ours: impl Fn(&str) -> bool);

    /// What the proxy has of an agent before this one, and keeps because nobody can judge it; wire names.
    fn unjudged(&self) -> &BTreeSet<Arc<str>>;

    /// Takes a request: what it says about an earlier response, and the answer to what it asks for.
    fn on_request(
        &mut self,
        request: &Self::Request,
        snapshot: &Snapshot,
    ) -> (Option<Acknowledgement>, Option<Self::Response>);

    /// Takes the names (the snapshot's) whose resources changed.
    fn on_change(&mut self, changed: &[Arc<str>], snapshot: &Snapshot) -> Option<Self::Response>;

    /// Forgets that these names (the snapshot's) were sent: the next change that has them sends them again.
    fn forget(&mut self, names: &[Arc<str>]);

    /// Whether some response was neither taken nor refused yet.
    fn is_waiting(&self) -> bool;

    /// Whether the proxy was sent this version of a name.
    fn has(&self, name: &str, version: &Version) -> bool;

    /// How many names are asked for.
    fn asked(&self) -> usize;

    /// The Secrets (by the snapshot's names, one for each of the proxy's) that are asked for now and were not, and the
    /// other way round, since it was looked at last.
    fn take_delta(&mut self) -> Delta<Arc<str>>;
}
