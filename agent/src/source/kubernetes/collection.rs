//! The kinds that are watched everywhere, and in which version the API server has them.

use std::time::Duration;

use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher;
use kube::{Api, Client};
use sealgate_model::Kind;
use tokio::sync::mpsc::UnboundedSender;

use super::KubernetesSource;
use super::events::Seen;
use super::follow::{Delays, code, explain, follow};
use super::objects::{Message, entry};
use crate::source::health::{Health, WatchState};

/// A kind whose definition is missing is looked for again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// One kind.
pub(super) struct Collection {
    pub(super) kind: Kind,
    group: &'static str,
    plural: &'static str,
    /// Best first. Kinds that every API server has are not looked for.
    versions: &'static [&'static str],
}

const ISTIO: &str = "networking.istio.io";
const ISTIO_VERSIONS: &[&str] = &["v1", "v1beta1"];

/// All of them.
pub(super) const COLLECTIONS: [Collection; 6] = [
    istio(Kind::Gateway, "gateways"),
    istio(Kind::VirtualService, "virtualservices"),
    istio(Kind::DestinationRule, "destinationrules"),
    istio(Kind::ServiceEntry, "serviceentries"),
    Collection {
        kind: Kind::Service,
        group: "",
        plural: "services",
        versions: &["v1"],
    },
    Collection {
        kind: Kind::EndpointSlice,
        group: "discovery.k8s.io",
        plural: "endpointslices",
        versions: &["v1"],
    },
];

const fn istio(kind: Kind, plural: &'static str) -> Collection {
    Collection {
        kind,
        group: ISTIO,
        plural,
        versions: ISTIO_VERSIONS,
    }
}

impl Collection {
    /// Whether the gateway could be served without it: what it says is only about some destinations.
    pub(super) fn is_vital(&self) -> bool {
        matches!(self.kind, Kind::Gateway | Kind::VirtualService)
    }

    /// Whether somebody wrote it for the gateway, and would want to know what is wrong with it.
    fn is_reported(&self) -> bool {
        self.group == ISTIO
    }

    /// Follows the kind for ever, whether it is there or not.
    pub(super) async fn follow(
        &self,
        source: KubernetesSource,
        sender: UnboundedSender<Message>,
        health: Health,
        seen: Seen,
    ) {
        let watched = health.watch(self.kind.as_str());
        let mut delays = Delays::new();
        while !sender.is_closed() {
            match self.resource(&source.client).await {
                Ok(Some(resource)) => {
                    let api = Api::<DynamicObject>::all_with(source.client.clone(), &resource);
                    let config = watcher::Config::default().timeout(source.watch_seconds());
                    let tell = |told| {
                        sender
                            .send(Message {
                                kind: self.kind,
                                told: Some(told),
                            })
                            .is_ok()
                    };
                    let read = |object: DynamicObject| {
                        let uid = object.metadata.uid.clone();
                        let entry = entry(self.kind, object);
                        if self.is_reported() {
                            seen.note(&entry.object_ref, &resource.api_version, uid);
                        }
                        Some(entry)
                    };
                    follow(api, config, &watched, read, tell).await;
                    delays.wait().await;
                }
                Ok(None) => {
                    let message = format!(
                        "the API server has no {}: looked for again every {LOOK_AGAIN:?}",
                        self.path()
                    );
                    watched.set(WatchState::Missing, Some(message));
                    let _ = sender.send(Message {
                        kind: self.kind,
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

    fn path(&self) -> String {
        format!("{}.{}", self.plural, self.group)
    }

    /// The best version that is served; none if the kind is not there.
    async fn resource(&self, client: &Client) -> Result<Option<ApiResource>, kube::Error> {
        let resource = |version: &str| {
            let kind = GroupVersionKind::gvk(self.group, version, self.kind.as_str());
            ApiResource::from_gvk_with_plural(&kind, self.plural)
        };
        if self.group != ISTIO {
            return Ok(self.versions.first().map(|version| resource(version)));
        }
        for version in self.versions {
            match client
                .list_api_group_resources(&format!("{}/{version}", self.group))
                .await
            {
                Ok(list) if list.resources.iter().any(|own| own.name == self.plural) => {
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
