//! One stream: it waits for messages from its proxy and from the hub.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures::Stream;
use tokio::sync::{Notify, watch};
use tonic::Status;

use super::hub::Hub;
use super::message::{OnDemandRequest, OnDemandRequests, framed};
use super::residents::{Asker, Id, SecretAnswer};

/// Envoy asks for one name on a stream.
const MOST_NAMES: usize = 1000;
const LONGEST_NODE: usize = 1024;
const NO_NODE: &str = "unnamed";

struct OnDemandStream {
    hub: Hub,
    requests: OnDemandRequests,
    chain: Arc<str>,
    asker: Option<Asker>,
    wake: Arc<Notify>,
    names: Vec<(Box<[u8]>, Id)>,
    /// Names to be reported as not served.
    unknown: Vec<Vec<u8>>,
    nonce: u64,
    stopped: watch::Receiver<bool>,
}

/// The answers of a stream that asks for names of a chain; the last item is how it ended. It needs no task.
pub(crate) fn follow(
    hub: Hub,
    chain: &str,
    body: Body,
    stopped: watch::Receiver<bool>,
) -> impl Stream<Item = Result<Bytes, Status>> + Send + 'static {
    let follow = OnDemandStream {
        hub,
        requests: OnDemandRequests::new(body),
        chain: chain.into(),
        asker: None,
        wake: Arc::default(),
        names: Vec::new(),
        unknown: Vec::new(),
        nonce: 0,
        stopped,
    };
    futures::stream::unfold(Some(follow), async |state| {
        let mut follow = state?;
        match follow.next().await {
            Ok(message) => Some((Ok(message), Some(follow))),
            Err(status) => Some((Err(status), None)),
        }
    })
}

impl OnDemandStream {
    /// The next message for the proxy.
    async fn next(&mut self) -> Result<Bytes, Status> {
        loop {
            if let Some(answer) = self.answer() {
                self.nonce += 1;
                return framed(self.nonce, answer);
            }
            let wake = Arc::clone(&self.wake);
            let request = tokio::select! {
                request = self.requests.next() => request?,
                () = wake.notified() => continue,
                _ = self.stopped.wait_for(|stopped| *stopped) => {
                    return Err(Status::unavailable("the agent is stopping"));
                }
            };
            match request {
                Some(request) => self.take(&request)?,
                None => return Err(Status::ok("")),
            }
        }
    }

    fn answer(&mut self) -> Option<SecretAnswer> {
        if let Some(name) = self.unknown.pop() {
            return Some(SecretAnswer::Removed(name));
        }
        let (names, nonce) = (&self.names, self.nonce + 1);
        let (id, answer) = self.hub.with(|residents, _| {
            let mut ids = names.iter().map(|(_, id)| *id);
            ids.find_map(|id| Some((id, residents.answer(id, nonce)?)))
        })?;
        if matches!(answer, SecretAnswer::Removed(_)) {
            self.names.retain(|(_, own)| *own != id);
        }
        Some(answer)
    }

    fn take(&mut self, request: &OnDemandRequest) -> Result<(), Status> {
        let asker = self.asker.get_or_insert_with(|| {
            let node = request.node.as_ref().map(|node| node.id.as_str());
            let node = node.filter(|id| !id.is_empty() && id.len() <= LONGEST_NODE);
            Asker {
                place: self
                    .hub
                    .with(|residents, _| residents.place(node.unwrap_or(NO_NODE), &self.chain)),
                wake: Arc::clone(&self.wake),
            }
        });
        let (names, unknown) = (&mut self.names, &mut self.unknown);
        self.hub.with(|residents, now| {
            if let Ok(nonce) = request.nonce.parse() {
                let refused = request.error.as_ref().map(|error| error.message.as_str());
                for (_, id) in names.iter() {
                    residents.acknowledge(*id, nonce, refused);
                }
            }
            for name in &request.unsubscribe {
                names.retain(|(own, id)| {
                    let stays = **own != **name;
                    if !stays {
                        residents.close(*id);
                    }
                    stays
                });
            }
            for name in &request.subscribe {
                let known = names.iter().find(|(own, _)| **own == **name);
                if let Some((_, id)) = known {
                    residents.ask_again(*id);
                    continue;
                }
                let brought = request.initial_versions.iter().find(|own| own.name == *name);
                let brought = brought.map(|own| own.version.as_str());
                match residents.ask(asker, name, brought, now) {
                    Some(id) => names.push((name.as_slice().into(), id)),
                    // An answer that repeats a name which is not UTF-8 cannot be read: Envoy would only ask again.
                    None if std::str::from_utf8(name).is_err() => {}
                    None => unknown.push(name.clone()),
                }
            }
        });
        if self.names.len() > MOST_NAMES {
            return Err(Status::resource_exhausted(format!(
                "more than {MOST_NAMES} names"
            )));
        }
        Ok(())
    }
}

impl Drop for OnDemandStream {
    fn drop(&mut self) {
        let names = std::mem::take(&mut self.names);
        if !names.is_empty() {
            self.hub
                .with(|residents, _| names.iter().for_each(|(_, id)| residents.close(*id)));
        }
    }
}
