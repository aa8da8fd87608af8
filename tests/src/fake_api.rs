//! A FAKE API server over plain HTTP, for answers that the real one does not give on demand. It holds objects, lists
//! and watches them, and has whims.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How it misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whim {
    /// Nothing bad.
    None,
    /// Every watch ends as soon as it began.
    EndsWatches,
    /// 429 with this `Retry-After`.
    Throttles(u64),
    /// 500, with a page in place of a status.
    Fails,
    /// Each watch begins with a line that is none of the protocol, and that quotes this.
    SendsGarbage(&'static str),
    /// Each watch ends in the middle of an event.
    SendsHalves,
    /// A watch is 410 by the status of the answer, and not by an event.
    IsGone,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The path with its query.
    pub target: String,
    /// The `Accept` header.
    pub accept: String,
}

#[derive(Debug)]
struct Inner {
    whim: watch::Sender<Whim>,
    asked: Mutex<Vec<Asked>>,
    /// A collection whose lists are late, and by how much.
    late: Mutex<Option<(String, Duration)>>,
    /// By collection, each with its version.
    objects: Mutex<Vec<(String, u64, Value)>>,
    version: watch::Sender<u64>,
}

/// See the module. It ends with the runtime.
#[derive(Clone, Debug)]
pub struct FakeApi {
    port: u16,
    inner: Arc<Inner>,
}

impl FakeApi {
    /// Without objects and whims.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start() -> Result<Self> {
        let inner = Arc::new(Inner {
            whim: watch::Sender::new(Whim::None),
            asked: Mutex::default(),
            late: Mutex::default(),
            objects: Mutex::default(),
            version: watch::Sender::new(1),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { port, inner })
    }

    /// Writes a kubeconfig.
    ///
    /// # Errors
    /// The file system's.
    pub fn kubeconfig(&self, folder: &Path) -> Result<PathBuf> {
        let path = folder.join("fake.kubeconfig");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: fake\n\
             clusters: [{{ name: fake, cluster: {{ server: 'http://127.0.0.1:{}' }} }}]\n\
             contexts: [{{ name: fake, context: {{ cluster: fake, user: fake }} }}]\n\
             users: [{{ name: fake, user: {{ token: fake }} }}]\n",
            self.port
        );
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Puts the object of a YAML document into a collection (`gateways`).
    ///
    /// # Errors
    /// It is no object with a name.
    pub fn put(&self, collection: &str, text: &str) -> Result<()> {
        let mut object: Value = serde_saphyr::from_str(text)?;
        let version = *self.inner.version.borrow() + 1;
        let metadata = object["metadata"].as_object_mut().context("no metadata")?;
        metadata.insert("resourceVersion".to_owned(), json!(version.to_string()));
        let name = object["metadata"]["name"].clone();
        let mut objects = lock(&self.inner.objects);
        objects.retain(|(own, _, object)| own != collection || object["metadata"]["name"] != name);
        objects.push((collection.to_owned(), version, object));
        drop(objects);
        self.inner.version.send_replace(version);
        Ok(())
    }

    /// From now on; open watches end.
    pub fn set(&self, whim: Whim) {
        self.inner.whim.send_replace(whim);
    }

    /// From now on each list of this collection (`gateways`) takes so long.
    pub fn delay(&self, collection: &str, by: Duration) {
        *lock(&self.inner.late) = Some((collection.to_owned(), by));
    }

    /// What was asked since the last call.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut lock(&self.inner.asked))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let accept = request.headers().get(header::ACCEPT);
    let accept = accept.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let query = request.uri().query().unwrap_or_default().to_owned();
    lock(&inner.asked).push(Asked {
        target: request.uri().to_string(),
        accept: accept.to_owned(),
    });
    let whim = *inner.whim.borrow();
    match whim {
        Whim::Throttles(seconds) => {
            let after = [(header::RETRY_AFTER, seconds.to_string())];
            return (StatusCode::TOO_MANY_REQUESTS, after, "later").into_response();
        }
        Whim::Fails => {
            let page = format!("<html>{}</html>", "all is lost ".repeat(1000));
            return (StatusCode::INTERNAL_SERVER_ERROR, page).into_response();
        }
        _ => {}
    }
    let wanted = Wanted::new(
        request.uri().path(),
        &query,
        accept.contains("PartialObjectMetadata"),
    );
    if wanted.path.ends_with("/networking.istio.io/v1") {
        return axum::Json(group()).into_response();
    }
    if query.split('&').any(|pair| pair == "watch=true") {
        return watch_of(inner, wanted, whim);
    }
    let late = lock(&inner.late).clone();
    if let Some((_, by)) = late.filter(|(late, _)| *late == wanted.collection) {
        tokio::time::sleep(by).await;
    }
    let version = *inner.version.borrow();
    let mut items = wanted.of(&inner, 0);
    if wanted.single.is_some() {
        return match items.pop() {
            Some(object) => axum::Json(object).into_response(),
            None => (StatusCode::NOT_FOUND, "no such object").into_response(),
        };
    }
    let metadata = json!({ "resourceVersion": version.to_string() });
    axum::Json(json!({ "apiVersion": "v1", "kind": "List", "metadata": metadata, "items": items }))
        .into_response()
}

fn watch_of(inner: Arc<Inner>, wanted: Wanted, whim: Whim) -> Response {
    let start = match whim {
        Whim::EndsWatches => return StatusCode::OK.into_response(),
        Whim::SendsHalves => return "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"na".into_response(),
        Whim::IsGone => return (StatusCode::GONE, "too old").into_response(),
        Whim::SendsGarbage(quoted) => {
            format!("{{\"type\":\"MODIFIED\",\"object\":{{\"metadata\":{quoted:?},\"data\":{quoted:?}}}}}\n")
        }
        _ => String::new(),
    };
    let from = wanted.from;
    let changes = (inner.version.subscribe(), inner.whim.subscribe());
    let lines = stream::unfold(
        (changes, from, Some(start)),
        move |((mut versions, mut whims), from, start)| {
            let (inner, wanted) = (Arc::clone(&inner), wanted.clone());
            async move {
                if let Some(start) = start {
                    return Some((
                        Ok::<_, std::io::Error>(Bytes::from(start)),
                        ((versions, whims), from, None),
                    ));
                }
                tokio::select! {
                    _ = versions.wait_for(|version| *version > from) => {}
                    _ = whims.changed() => return None,
                }
                let now = *versions.borrow();
                let events = wanted.of(&inner, from).into_iter();
                let events =
                    events.map(|object| json!({ "type": "MODIFIED", "object": object }).to_string() + "\n");
                Some((
                    Ok(Bytes::from(events.collect::<String>())),
                    ((versions, whims), now, None),
                ))
            }
        },
    );
    Body::from_stream(lines).into_response()
}

/// What a request is about.
#[derive(Clone, Debug)]
struct Wanted {
    path: String,
    collection: String,
    /// One object, asked for by its path.
    single: Option<String>,
    /// A list or watch of at most one.
    by_name: Option<String>,
    from: u64,
    metadata_only: bool,
}

impl Wanted {
    fn new(path: &str, query: &str, metadata_only: bool) -> Self {
        let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let namespaced = parts.iter().position(|part| *part == "namespaces");
        let in_namespace = namespaced.map_or(0, |at| parts.len() - at);
        let single = if in_namespace == 4 { parts.pop() } else { None };
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name));
        Self {
            path: path.to_owned(),
            collection: parts.last().copied().unwrap_or_default().to_owned(),
            single: single.map(str::to_owned),
            by_name: value("fieldSelector=metadata.name%3D").map(str::to_owned),
            from: value("resourceVersion=")
                .and_then(|own| own.parse().ok())
                .unwrap_or(0),
            metadata_only,
        }
    }

    /// The objects that changed after a version.
    fn of(&self, inner: &Inner, from: u64) -> Vec<Value> {
        let by_name = self.single.as_ref().or(self.by_name.as_ref());
        let objects = lock(&inner.objects);
        let own = objects.iter().filter(|(own, version, object)| {
            *own == self.collection
                && *version > from
                && by_name.is_none_or(|name| object["metadata"]["name"] == name.as_str())
        });
        own.map(|(_, _, object)| {
            if self.metadata_only {
                let metadata = &object["metadata"];
                json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata })
            } else {
                object.clone()
            }
        })
        .collect()
    }
}

fn group() -> Value {
    let plurals = [
        ("gateways", "Gateway"),
        ("virtualservices", "VirtualService"),
        ("destinationrules", "DestinationRule"),
        ("serviceentries", "ServiceEntry"),
        ("workloadentries", "WorkloadEntry"),
    ];
    let resources: Vec<Value> = plurals
        .map(|(name, kind)| {
            json!({ "name": name, "kind": kind, "namespaced": true, "singularName": "", "verbs": ["list", "watch"] })
        })
        .into();
    json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "networking.istio.io/v1", "resources": resources })
}
