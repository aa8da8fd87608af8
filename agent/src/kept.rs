//! What is served of objects whose present version is refused or cannot be read, kept in `--state-dir`: it is served on when
//! the agent starts anew. A file is an object; what cannot be written is logged, and nothing waits for it.

pub mod bundles;
pub mod credentials;
mod folder;
pub mod held_back;
pub mod unread;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use sealgate_model::line::ObjectLine;
use sealgate_model::{Object, ObjectRef, SourceObject};
use sha2::{Digest as _, Sha256};

use self::folder::KeptFolder;
use crate::claim_log::StateError;
use crate::credential;

const FOLDER: &str = "objects";

/// See the module.
#[derive(Debug)]
pub struct KeptObjects(KeptFolder);

impl KeptObjects {
    /// Reads what stands in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// The folder can neither be made nor read.
    pub fn open(state: &Path) -> Result<(Self, Vec<SourceObject>), StateError> {
        let (folder, kept) = KeptFolder::open(state.join(FOLDER), read)?;
        Ok((Self(folder), kept.into_iter().map(|(_, object)| object).collect()))
    }

    /// From now on these objects are kept, or no more.
    pub fn note(&mut self, changes: BTreeMap<ObjectRef, Option<Arc<Object>>>) {
        for (name, object) in changes {
            let line = object.as_deref().and_then(ObjectLine::new);
            let bytes = line.and_then(|line| serde_json::to_vec(&line).ok());
            self.0.note(name, bytes.as_deref());
        }
    }
}

/// Stands for what a source has of an object; none if that is not kept.
fn digest(object: &Object) -> Option<String> {
    let bytes = serde_json::to_vec(&ObjectLine::new(object)?).ok()?;
    Some(credential::hex(&Sha256::digest(bytes)))
}

fn read(path: &Path) -> Result<SourceObject, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let line: ObjectLine = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    line.read().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use sealgate_model::manifest::{self, Namespaces};

    use super::*;

    fn objects() -> Vec<SourceObject> {
        let text = r#"
{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: g, namespace: a, annotations: {x: y}},
 spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: ["*.a.test"],
 tls: {mode: MUTUAL, credentialName: edge, cipherSuites: [AES128-SHA]}}, {port: {number: 9, protocol: TCP}}]}}
---
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: v, namespace: a}, spec: {hosts: [x.a.test],
 gateways: [g], http: [{match: [{uri: {regex: "/a.*"}, headers: {h: {}}}], timeout: 3s, retries: {attempts: 2},
 route: [{destination: {host: s, port: {number: 80}, subset: v1}, weight: 7}], fault: {abort: {httpStatus: 500,
 percentage: {value: 0.5}}}, corsPolicy: {allowOrigins: [{prefix: "https://"}], maxAge: 1h}}]}}
---
{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: d, namespace: a}, spec: {host: s,
 subsets: [{name: v1, labels: {version: v1}}]}}
---
{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: s, namespace: a}, spec: {hosts: [s.test],
 ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}], resolution: STATIC,
 endpoints: [{address: 10.0.0.1, ports: {http: 81}, labels: {version: v1}, weight: 3}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: s, namespace: a, annotations: {x: z}}, spec: {ports: [{name: http, port: 80,
 targetPort: web}], selector: {app: s}}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s-1, namespace: a, labels: {kubernetes.io/service-name:
 s}}, addressType: IPv4, ports: [{name: http, port: 8080}], endpoints: [{addresses: [10.0.0.1], conditions: {ready: true}}]}
---
{apiVersion: v1, kind: Endpoints, metadata: {name: s, namespace: a}, subsets: [{addresses: [{ip: 10.0.0.2}],
 ports: [{port: 81}]}]}
"#;
        let namespaces = Namespaces {
            gateway: "gw".to_owned(),
            other: "default",
        };
        manifest::read("objects.yaml", text.as_bytes(), &namespaces)
    }

    #[test]
    fn what_is_kept_is_read_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (mut kept, none) = KeptObjects::open(folder.path()).unwrap();
        assert!(none.is_empty());
        let all = objects();
        assert_eq!(all.len(), 7);
        let changes = all
            .iter()
            .map(|own| (own.object_ref.clone(), own.object.clone().map(Arc::new)));
        kept.note(changes.collect());
        let (mut kept, mut read) = KeptObjects::open(folder.path()).unwrap();
        read.sort_by_key(|own| own.object_ref.clone());
        let mut expected = all.clone();
        expected.sort_by_key(|own| own.object_ref.clone());
        let objects = |all: &[SourceObject]| -> Vec<_> { all.iter().map(|own| own.object.clone()).collect() };
        assert_eq!(objects(&read), objects(&expected));
        // What is no longer kept is forgotten, and nonsense costs nothing else.
        kept.note(BTreeMap::from([(all[0].object_ref.clone(), None)]));
        fs::write(folder.path().join("objects/nonsense.json"), "{").unwrap();
        let (_, read) = KeptObjects::open(folder.path()).unwrap();
        assert_eq!(read.len(), 6);
        assert!(!folder.path().join("objects/nonsense.json").exists());
    }
}
