//! The user's Gateways and VirtualServices, as they wrote them: what is printed of them differs in what has to.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealgate_core::config::GatewaySpec;
use sealgate_model::manifest::{self, Namespaces};
use sealgate_model::{Kind, Meta, ObjectRef, Severity, gateway_name, validate};
use serde_json::{Map, Value, json};

use super::error::{IstioError, ObjectRefusal};
use super::site::Site;

/// Of all files together.
const LARGEST: u64 = 256 << 20;
/// Deeper than any real tree, and what ends a loop of links.
const DEEPEST: usize = 32;
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
/// What kubectl keeps there is not the user's.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Where objects without a namespace belong, but for Gateways.
const OTHER_NAMESPACE: &str = "default";
/// What a VirtualService names for the proxies of a mesh, which are no Gateway.
const MESH: &str = "mesh";

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// Those that select the gateway, in the order in which they were read.
    pub(super) gateways: Vec<UserGateway>,
    /// Those that are bound to one of them.
    pub(super) virtual_services: Vec<UserObject>,
    /// VirtualServices that are bound to no Gateway that was read.
    unbound: Vec<UserObject>,
    /// The Gateways that select another gateway, by namespace and name.
    others: Vec<(String, String)>,
}

/// A Gateway.
#[derive(Debug)]
pub(super) struct UserGateway {
    pub(super) own: UserObject,
    pub(super) spec: GatewaySpec,
}

/// An object.
#[derive(Debug)]
pub(super) struct UserObject {
    pub(super) object: ObjectRef,
    pub(super) meta: Meta,
    /// The object, without what the API server added.
    pub(super) value: Value,
}

impl Input {
    /// Reads what `-f` names; nothing if it names nothing.
    ///
    /// # Errors
    /// A file or an object that cannot be read, or no Gateway that selects the gateway.
    pub(super) fn read(files: &[PathBuf], site: &Site) -> Result<Self, IstioError> {
        let mut input = Self::default();
        let mut refused = Vec::new();
        for path in files {
            for (name, text) in texts(path)? {
                for value in documents(&name, &text, site)? {
                    input
                        .take(value, site)
                        .unwrap_or_else(|refusal| refused.push(refusal));
                }
            }
        }
        if !refused.is_empty() {
            return Err(IstioError::Refused(refused));
        }
        if !files.is_empty() && input.gateways.is_empty() {
            let files: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
            return Err(IstioError::NoGateway {
                files: files.join(", "),
                selector: site.selector_text(),
            });
        }
        input.leave_out();
        Ok(input)
    }

    /// Leaves out the VirtualServices that are not bound to this gateway.
    fn leave_out(&mut self) {
        let Self {
            gateways,
            virtual_services,
            unbound,
            others,
        } = self;
        let is_bound = |own: &UserObject| {
            own.gateways()
                .any(|name| gateways.iter().any(|gateway| gateway.is(&name)))
        };
        let is_others = |own: &UserObject| own.gateways().any(|name| others.contains(&name));
        let all = std::mem::take(virtual_services).into_iter();
        let (bound, rest): (Vec<_>, Vec<_>) = all.partition(is_bound);
        *virtual_services = bound;
        *unbound = rest.into_iter().filter(|own| !is_others(own)).collect();
    }

    /// What there is to say of VirtualServices that are left out because their Gateways were not read.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        self.unbound.iter().filter_map(UserObject::without_gateways)
    }

    fn take(&mut self, value: Value, site: &Site) -> Result<(), ObjectRefusal> {
        if is_of(&value, Kind::VirtualService) {
            let own = UserObject::new(cleaned(value, OTHER_NAMESPACE), Kind::VirtualService);
            self.virtual_services.push(own);
        } else if is_of(&value, Kind::Gateway) {
            let gateway = UserGateway::new(cleaned(value, &site.namespace))?;
            let mut selector = gateway.spec.selector.iter();
            if selector.all(|(key, value)| site.selector.get(key) == Some(value)) {
                self.gateways.push(gateway);
            } else {
                let meta = &gateway.own.meta;
                self.others
                    .push((meta.namespace.to_string(), meta.name.to_string()));
            }
        }
        Ok(())
    }
}

impl UserGateway {
    fn new(value: Value) -> Result<Self, ObjectRefusal> {
        let own = UserObject::new(value, Kind::Gateway);
        // What is not known here may be Istio's own: it is printed as it is.
        let spec = own.value.get("spec").cloned().unwrap_or_default();
        match serde_json::from_value(spec) {
            Ok(spec) => Ok(Self { own, spec }),
            Err(error) => Err(own.refusal("spec", error.to_string())),
        }
    }

    /// Whether a VirtualService means it.
    pub(super) fn is(&self, (namespace, name): &(String, String)) -> bool {
        *self.own.meta.namespace == **namespace && *self.own.meta.name == **name
    }
}

impl UserObject {
    fn new(value: Value, kind: Kind) -> Self {
        let metadata = value.get("metadata");
        let text = |key: &str| {
            metadata
                .and_then(|all| all.get(key))
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let strings = |key: &str| {
            let map = metadata.and_then(|all| all.get(key)).and_then(Value::as_object);
            let pairs = map.into_iter().flatten();
            pairs
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect()
        };
        let meta = Meta {
            namespace: text("namespace").into(),
            name: text("name").into(),
            labels: strings("labels"),
            annotations: strings("annotations"),
            created: None,
        };
        Self {
            object: ObjectRef::new(kind, Arc::clone(&meta.namespace), Arc::clone(&meta.name)),
            meta,
            value,
        }
    }

    /// The Gateways that a VirtualService names, by namespace and name.
    pub(super) fn gateways(&self) -> impl Iterator<Item = (String, String)> {
        let names = self
            .value
            .pointer("/spec/gateways")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        names.filter_map(Value::as_str).map(|name| self.gateway(name))
    }

    /// The Gateway that it means by a name.
    pub(super) fn gateway(&self, name: &str) -> (String, String) {
        let (namespace, name) = gateway_name(name, &self.meta.namespace);
        (namespace.to_owned(), name.to_owned())
    }

    /// That none of a VirtualService's Gateways was read; nothing if it is for a mesh alone.
    fn without_gateways(&self) -> Option<String> {
        let names = self.gateways().filter(|(_, name)| name != MESH);
        let names = names.map(|(namespace, name)| format!("{namespace}/{name}"));
        let names: Vec<String> = names.collect();
        let text = format!(
            "{} is not printed: none of its Gateways is in the input ({})",
            self.object,
            names.join(", ")
        );
        (!names.is_empty()).then_some(text)
    }

    /// What our agent would refuse it for.
    pub(super) fn refusals(&self) -> Vec<ObjectRefusal> {
        let read = manifest::decode(self.object.kind, self.meta.clone(), self.value.clone());
        let own = read.object.iter().flat_map(validate::object);
        let errors = read.findings.iter().cloned().chain(own);
        errors
            .filter(|finding| finding.severity == Severity::Error)
            .map(|finding| self.refusal(finding.field.as_deref().unwrap_or("spec"), finding.message))
            .collect()
    }

    pub(super) fn refusal(&self, field: &str, reason: impl Into<String>) -> ObjectRefusal {
        ObjectRefusal {
            object: self.object.clone(),
            field: field.to_owned(),
            reason: reason.into(),
        }
    }
}

fn is_of(value: &Value, kind: Kind) -> bool {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    Kind::of(text("kind"), text("apiVersion")) == Some(kind)
}

/// The object as a person would write it.
fn cleaned(mut value: Value, namespace: &str) -> Value {
    let mut metadata = Map::new();
    for key in ["name", "namespace", "labels", "annotations"] {
        if let Some(own) = value.get_mut("metadata").and_then(|all| all.get_mut(key)) {
            metadata.insert(key.to_owned(), own.take());
        }
    }
    metadata.entry("namespace").or_insert_with(|| json!(namespace));
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove(LAST_APPLIED);
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    let mut part = |key: &str| value.get_mut(key).map(Value::take).unwrap_or_default();
    json!({
        "apiVersion": part("apiVersion"),
        "kind": part("kind"),
        "metadata": metadata,
        "spec": part("spec"),
    })
}

/// All objects of a text. What is wrong with it is said as `check` says it: without a byte of what it holds.
fn documents(name: &str, text: &str, site: &Site) -> Result<Vec<Value>, IstioError> {
    let namespaces = Namespaces {
        gateway: site.namespace.clone(),
        other: OTHER_NAMESPACE,
    };
    let read = manifest::read(name, text.as_bytes(), &namespaces);
    let findings = read.iter().filter(|entry| entry.object_ref.kind == Kind::File);
    let bad = findings
        .flat_map(|entry| &entry.findings)
        .find(|finding| finding.severity == Severity::Error);
    if let Some(finding) = bad {
        return Err(IstioError::Unreadable(name.to_owned(), finding.message.clone()));
    }
    let values: Vec<Option<Value>> = serde_saphyr::from_multiple(text)
        .map_err(|_| IstioError::Unreadable(name.to_owned(), "it is not YAML".to_owned()))?;
    let mut objects = Vec::new();
    values
        .into_iter()
        .flatten()
        .for_each(|value| flatten(value, &mut objects));
    Ok(objects)
}

/// The objects of a list, and of lists in it.
fn flatten(mut value: Value, objects: &mut Vec<Value>) {
    let is_list = value
        .get("kind")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.ends_with("List"));
    match value.get_mut("items").and_then(Value::as_array_mut) {
        Some(items) if is_list => std::mem::take(items)
            .into_iter()
            .for_each(|item| flatten(item, objects)),
        _ => objects.push(value),
    }
}

/// What a path leads to, each text with its name, in the order of their names.
fn texts(path: &Path) -> Result<Vec<(String, String)>, IstioError> {
    let mut found = Vec::new();
    if path.as_os_str() == "-" {
        found.push(("standard input".to_owned(), read(io::stdin().lock(), "-")?));
    } else {
        visit(path, 0, &mut found)?;
    }
    Ok(found)
}

fn visit(path: &Path, depth: usize, found: &mut Vec<(String, String)>) -> Result<(), IstioError> {
    let name = path.display().to_string();
    let failed = |error: io::Error| IstioError::Unreadable(name.clone(), error.to_string());
    let metadata = fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        if depth == DEEPEST {
            return Err(IstioError::Unreadable(
                name,
                "too deep: a loop of links?".to_owned(),
            ));
        }
        let entries: Result<Vec<_>, _> = fs::read_dir(path).map_err(failed)?.collect();
        let mut paths: Vec<PathBuf> = entries
            .map_err(failed)?
            .into_iter()
            .map(|entry| entry.path())
            .collect();
        paths.sort();
        let is_wanted = |path: &PathBuf| {
            let ending = path
                .extension()
                .and_then(|ending| ending.to_str())
                .unwrap_or_default();
            path.is_dir() || ENDINGS.contains(&ending)
        };
        return paths
            .iter()
            .filter(|path| is_wanted(path))
            .try_for_each(|path| visit(path, depth + 1, found));
    }
    if !metadata.is_file() {
        return Err(IstioError::Unreadable(
            name,
            "neither a file nor a directory".to_owned(),
        ));
    }
    let file = fs::File::open(path).map_err(failed)?;
    let text = read(file, &name)?;
    found.push((name, text));
    Ok(())
}

fn read(from: impl io::Read, name: &str) -> Result<String, IstioError> {
    let failed = |reason: String| IstioError::Unreadable(name.to_owned(), reason);
    let mut text = String::new();
    from.take(LARGEST + 1)
        .read_to_string(&mut text)
        .map_err(|error| failed(error.to_string()))?;
    if text.len() as u64 > LARGEST {
        return Err(failed(format!("more than {} MB", LARGEST >> 20)));
    }
    Ok(text)
}
