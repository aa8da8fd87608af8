//! A cluster's objects, read once with the user's permissions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt as _, stream};
use imbl::OrdSet;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::ListParams;
use kube::core::{DynamicObject, ObjectList};
use kube::{Api, Client};
use sealgate_model::{CredentialName, Kind, ObjectRef, SourceObject};
use thiserror::Error;

use super::collection::{Collection, collections};
use super::follow::{code, explain};
use super::objects::{entry, of_age};
use super::secrets::sources_of;
use super::{pods, secret};

/// Objects in one answer.
const PAGE: u32 = 500;
/// Concurrent reads.
const READS: usize = 16;

/// Why there is no usable result.
#[derive(Debug, Error)]
pub enum ClusterReadError {
    /// Lists that failed, with the API server's messages, which name kind and namespace.
    #[error("cannot list {}", .0.join("; cannot list "))]
    Lists(Vec<String>),
    /// A Secret that could not be read, for a reason other than missing permissions.
    #[error("cannot read Secret {0}: {1}")]
    Secret(String, String),
}

/// What was read.
#[derive(Debug, Default)]
pub struct ClusterRead {
    /// The objects.
    pub objects: Vec<SourceObject>,
    /// Credentials whose Secrets may not be read.
    pub barred: Vec<CredentialName>,
    /// What else was not read, and why, to be shown.
    pub notes: Vec<String>,
}

/// See the module.
pub struct ClusterReader {
    /// The API.
    pub client: Client,
    /// The gateway's own namespace.
    pub namespace: String,
}

impl ClusterReader {
    /// All objects except Secrets and Pods.
    ///
    /// # Errors
    /// Each kind that cannot be listed: without it, much that exists would seem to be missing.
    pub async fn objects(&self) -> Result<ClusterRead, ClusterReadError> {
        let mut read = ClusterRead::default();
        let (mut first, mut failed) = (BTreeMap::new(), Vec::new());
        for collection in collections() {
            match self.collection(&collection).await {
                Ok(Some(entries)) => {
                    first.extend(entries.map(|entry| (entry.object_ref.clone(), entry)));
                }
                Ok(None) => read
                    .notes
                    .push(format!("the API server has no {}", collection.path())),
                Err(error) => failed.push(format!("{}: {}", collection.path(), explain(&error))),
            }
        }
        if !failed.is_empty() {
            return Err(ClusterReadError::Lists(failed));
        }
        read.objects = of_age(first);
        Ok(read)
    }

    async fn collection(
        &self,
        collection: &Collection,
    ) -> kube::Result<Option<impl Iterator<Item = SourceObject> + use<>>> {
        let Some(resource) = collection.resource(&self.client).await? else {
            return Ok(None);
        };
        let kind = collection.kind();
        let api = Api::<DynamicObject>::all_with(self.client.clone(), &resource);
        let all = pages(async |params| api.list(&params).await).await?;
        Ok(Some(all.into_iter().map(move |object| entry(kind, object))))
    }

    /// The Secrets that these credentials may come from. One that may not be read counts as existing but unreadable.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn secrets(&self, wanted: &OrdSet<CredentialName>) -> Result<ClusterRead, ClusterReadError> {
        let own = || wanted.iter().filter(|name| *name.namespace == *self.namespace);
        let names: BTreeSet<String> = own().flat_map(sources_of).map(str::to_owned).collect();
        let api = Api::<Secret>::namespaced(self.client.clone(), &self.namespace);
        let answers = stream::iter(names).map(|name| {
            let api = &api;
            async move {
                let answer = api.get_opt(&name).await;
                (name, answer)
            }
        });
        let answers: Vec<_> = answers.buffered(READS).collect().await;
        let mut read = ClusterRead::default();
        let mut barred = BTreeSet::new();
        for (name, answer) in answers {
            match answer {
                Ok(Some(found)) => read.objects.push(secret::entry(found)),
                Ok(None) => {}
                Err(error) if code(&error) == Some(403) => {
                    let object = ObjectRef::new(Kind::Secret, self.namespace.as_str(), name.as_str());
                    read.objects.push(SourceObject::unread(object));
                    barred.insert(name);
                }
                Err(error) => return Err(ClusterReadError::Secret(name, explain(&error))),
            }
        }
        if !barred.is_empty() {
            let is_barred = |name: &CredentialName| sources_of(name).any(|own| barred.contains(own));
            read.barred = own().filter(|name| is_barred(name)).cloned().collect();
            let names = barred.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            read.notes.push(format!(
                "you have no permission to read these Secrets of {}, which are assumed to be good: {names}",
                self.namespace
            ));
        }
        Ok(read)
    }

    /// The names and labels of these namespaces' Pods. If they may not be read, a subset has all endpoints.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn pods(&self, namespaces: &OrdSet<Arc<str>>) -> Result<ClusterRead, ClusterReadError> {
        let mut read = ClusterRead::default();
        for namespace in namespaces {
            let api = Api::<Pod>::namespaced(self.client.clone(), namespace);
            match pages(async |params| api.list_metadata(&params).await).await {
                Ok(all) => read
                    .objects
                    .extend(all.iter().map(|pod| pods::entry(namespace, pod))),
                Err(error) if code(&error) == Some(403) => read.notes.push(explain(&error)),
                Err(error) => {
                    let what = format!("pods of {namespace}: {}", explain(&error));
                    return Err(ClusterReadError::Lists(vec![what]));
                }
            }
        }
        Ok(read)
    }
}

/// A list, page by page.
async fn pages<K: Clone>(
    list: impl AsyncFn(ListParams) -> kube::Result<ObjectList<K>>,
) -> kube::Result<Vec<K>> {
    let mut all = Vec::new();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = list(params.clone()).await?;
        all.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(all),
        }
    }
}
