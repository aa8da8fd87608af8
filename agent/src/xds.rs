//! xDS over the socket: SotW and Delta, aggregated and per type. It only knows snapshots, not where they come from.

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

/// Asks for all resources of a type.
const WILDCARD: &str = "*";

/// A name on the wire, and the version that was sent under it; none for a removal.
pub type Sent = (Arc<str>, Option<Version>);

/// A proxy's answer to a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The resources in the response.
    pub resources: Vec<Sent>,
    /// Why it was rejected; none if it was accepted.
    pub refused: Option<String>,
}

/// One type of one stream, as a pure state machine: messages and changes in, responses out.
pub(crate) trait Machine {
    /// A message from the proxy.
    type Request: Send;
    /// A message to the proxy.
    type Response;

    /// A machine at the start of a stream. Secrets without a namespace are looked up in `namespace`.
    fn new(kind: TypeUrl, namespace: Arc<str>) -> Self;

    /// Whether a request continues with what the proxy got on an earlier stream.
    fn resumes(request: &Self::Request) -> bool;

    /// Notes which of the resources that a request continues with are not from this agent; `is_ours` says whether one
    /// is.
    fn inherit(request: &mut Self::Request, is_ours: impl Fn(&str) -> bool);

    /// The resources from a previous agent that the proxy keeps because their state is unknown; names on the wire.
    fn unjudged(&self) -> &BTreeSet<Arc<str>>;

    /// Takes a request; returns what it says about an earlier response, and the answer to what it asks for.
    fn on_request(
        &mut self,
        request: &Self::Request,
        snapshot: &Snapshot,
    ) -> (Option<Acknowledgement>, Option<Self::Response>);

    /// Takes the names (in the snapshot) whose resources changed.
    fn on_change(&mut self, changed: &[Arc<str>], snapshot: &Snapshot) -> Option<Self::Response>;

    /// Forgets that these names (in the snapshot) were sent: the next change that includes them sends them again.
    fn forget(&mut self, names: &[Arc<str>]);

    /// Whether some response was neither accepted nor rejected yet.
    fn is_waiting(&self) -> bool;

    /// Whether the proxy was sent this version of a name.
    fn has(&self, name: &str, version: &Version) -> bool;

    /// How many names are asked for.
    fn asked(&self) -> usize;

    /// The Secrets (names in the snapshot, one for each of the proxy's names) that the proxy has started or stopped to
    /// ask for since the last call.
    fn take_delta(&mut self) -> Delta<Arc<str>>;
}
