//! One Secret by a watch of its own.

use k8s_openapi::api::core::v1::Secret;

use super::super::follow::{Delays, Told, follow as follow_watch};
use super::{Context, News};

pub(super) async fn follow(context: Context, name: String) {
    let watched = context
        .health
        .watch(format!("Secret {}/{name}", context.source.namespace));
    let mut delays = Delays::new();
    loop {
        let config = context.config().fields(&format!("metadata.name={name}"));
        let tell = |told| {
            context.tell(match told {
                Told::Listed(mut listed) => News::Is(name.clone(), listed.pop().map(Box::new)),
                Told::Applied(entry) => News::Is(name.clone(), Some(Box::new(entry))),
                Told::Deleted(_) => News::Is(name.clone(), None),
                Told::Forbidden => News::Forbidden(name.clone()),
            })
        };
        let read = |secret| Some(context.entry(secret));
        follow_watch(context.api::<Secret>(), config, &watched, read, tell).await;
        delays.wait().await;
    }
}
