//! One Secret by a watch of its own.

use super::super::follow::{Delays, Heard, follow as follow_watch};
use super::{Context, SecretNews};

pub(super) async fn follow(context: Context, name: String) {
    let watched = context
        .health
        .watch(format!("Secret {}/{name}", context.source.namespace));
    let mut delays = Delays::new();
    loop {
        let config = context.config().fields(&format!("metadata.name={name}"));
        let tell = |told| {
            let is_gone = matches!(told, Heard::Deleted(_));
            let listens = context.tell(match told {
                Heard::Listed(mut listed) => SecretNews::Is(name.clone(), listed.pop().map(Box::new)),
                Heard::Applied(entry) => SecretNews::Is(name.clone(), Some(Box::new(entry))),
                Heard::Deleted(_) => SecretNews::Is(name.clone(), None),
                Heard::Forbidden => SecretNews::Forbidden(name.clone()),
            });
            // The connection's receive buffer still has the Secret that was deleted: it goes with the connection.
            listens && !is_gone
        };
        let read = |secret| Some(context.entry(secret));
        follow_watch(context.api_without_reuse(), config, &watched, read, tell).await;
        delays.wait().await;
    }
}
