//! The kinds that are watched in all namespaces, and the version in which the API server has them.

use std::time::Duration;

use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher;
use kube::{Api, Client};
use sealgate_model::Kind;
use sealgate_model::kinds::{Row, Watch};
use tokio::sync::mpsc::UnboundedSender;

use super::KubernetesSource;
use super::events::Seen;
use super::follow::{Delays, code, explain, follow};
use super::objects::{Message, entry};
use crate::source::health::{Health, WatchState};

/// How often a kind whose definition is missing is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// One kind.
pub(super) struct Collection {
    row: &'static Row,
    watch: &'static Watch,
}

/// All kinds.
pub(super) fn collections() -> impl Iterator<Item = Collection> {
    Kind::rows().filter_map(|row| {
        Some(Collection {
            row,
            watch: row.watch.as_ref()?,
        })
    })
}

impl Collection {
    /// Follows the kind forever, whether it exists or not.
    pub(super) async fn follow(
        self,
        source: KubernetesSource,
        sender: UnboundedSender<Message>,
        health: Health,
        seen: Seen,
    ) {
        let watched = health.watch(self.row.kind.as_str());
        let mut delays = Delays::new();
        while !sender.is_closed() {
            match self.resource(&source.client).await {
                Ok(Some(resource)) => {
                    let api = Api::<DynamicObject>::all_with(source.client.clone(), &resource);
                    let config = watcher::Config::default().timeout(source.watch_seconds());
                    let tell = |told| {
                        sender
                            .send(Message {
                                kind: self.row.kind,
                                told: Some(told),
                            })
                            .is_ok()
                    };
                    let read = |object: DynamicObject| {
                        let uid = object.metadata.uid.clone();
                        let entry = entry(self.row.kind, object);
                        if self.watch.is_custom {
                            seen.note(&entry.object_ref, &resource.api_version, uid);
                        }
                        Some(entry)
                    };
                    follow(api, config, &watched, read, tell).await;
                    delays.wait().await;
                }
                Ok(None) => {
                    let message = format!(
                        "the API server has no {}: checking again every {LOOK_AGAIN:?}",
                        self.path()
                    );
                    watched.set(WatchState::Missing, Some(message));
                    let _ = sender.send(Message {
                        kind: self.row.kind,
                        told: None,
                    });
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                Err(error) => {
                    watched.set(WatchState::Failed, Some(explain(&error)));
                    delays.wait().await;
                }
            }
        }
    }

    /// Its kind.
    pub(super) fn kind(&self) -> Kind {
        self.row.kind
    }

    /// Its name in the API server.
    pub(super) fn path(&self) -> String {
        match self.row.group {
            "" => self.row.plural.to_owned(),
            group => format!("{}.{group}", self.row.plural),
        }
    }

    /// The best version that is served; none if the kind does not exist.
    pub(super) async fn resource(&self, client: &Client) -> Result<Option<ApiResource>, kube::Error> {
        let resource = |version: &str| {
            let kind = GroupVersionKind::gvk(self.row.group, version, self.row.kind.as_str());
            ApiResource::from_gvk_with_plural(&kind, self.row.plural)
        };
        if !self.watch.is_custom {
            return Ok(self.watch.versions.first().map(|version| resource(version)));
        }
        for version in self.watch.versions {
            match client
                .list_api_group_resources(&format!("{}/{version}", self.row.group))
                .await
            {
                Ok(list) if list.resources.iter().any(|own| own.name == self.row.plural) => {
                    return Ok(Some(resource(version)));
                }
                Ok(_) => {}
                Err(error) if code(&error) == Some(404) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}
