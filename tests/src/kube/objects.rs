//! Objects of one namespace from YAML text, written as an operator does with kubectl.

use anyhow::{Context as _, Result, bail};
use kube::Client;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams,
    PostParams, TypeMeta,
};
use serde_json::Value;

use crate::eventually;

/// Kinds without a namespace that the tests use.
const CLUSTER_WIDE: [&str; 5] = [
    "Namespace",
    "GatewayClass",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
];
/// The field manager that the API server records.
const MANAGER: &str = "sealgate-tests";

/// A namespace, seen by one client.
#[derive(Clone)]
pub struct Objects {
    /// Its client, with the permissions of its user.
    pub client: Client,
    /// The namespace of objects that name none.
    pub namespace: String,
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Objects {
    /// A namespace that exists, or will be applied.
    #[must_use]
    pub fn new(client: Client, namespace: &str) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
        }
    }

    /// Server-side apply of each document; unknown fields are an error. Returns the resulting objects.
    ///
    /// # Errors
    /// It refuses one of them.
    pub async fn apply(&self, text: &str) -> Result<Vec<DynamicObject>> {
        let parameters = PatchParams::apply(MANAGER).force().validation_strict();
        let mut applied = Vec::new();
        for (api, name, object) in self.read(text)? {
            let answer = api.patch(&name, &parameters, &Patch::Apply(&object)).await;
            applied.push(answer.with_context(|| format!("apply {name}"))?);
        }
        Ok(applied)
    }

    /// Creates each document.
    ///
    /// # Errors
    /// One is there already, or is refused.
    pub async fn create(&self, text: &str) -> Result<()> {
        for (api, name, object) in self.read(text)? {
            let answer = api.create(&PostParams::default(), &object).await;
            answer.with_context(|| format!("create {name}"))?;
        }
        Ok(())
    }

    /// Replaces the object of each document.
    ///
    /// # Errors
    /// One is not there, or is refused.
    pub async fn replace(&self, text: &str) -> Result<()> {
        for (api, name, mut object) in self.read(text)? {
            object.metadata.resource_version = api.get(&name).await?.metadata.resource_version;
            let answer = api.replace(&name, &PostParams::default(), &object).await;
            answer.with_context(|| format!("replace {name}"))?;
        }
        Ok(())
    }

    /// One PUT for each document, whether the object exists or not. For kinds that may be replaced without naming a
    /// version, such as Secrets.
    ///
    /// # Errors
    /// One is refused.
    pub async fn put(&self, text: &str) -> Result<()> {
        for (api, name, object) in self.read(text)? {
            let answer = match api.replace(&name, &PostParams::default(), &object).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => {
                    api.create(&PostParams::default(), &object).await
                }
                answer => answer,
            };
            answer.with_context(|| format!("put {name}"))?;
        }
        Ok(())
    }

    /// Sends text that is not YAML in place of an existing object, unchanged.
    ///
    /// # Errors
    /// The API server does not reject it as a bad request.
    pub async fn apply_raw(&self, present: &str, text: &str) -> Result<()> {
        let (api, name, _) = self.read(present)?.pop().context("no object")?;
        let uri = format!("{}/{name}?fieldManager={MANAGER}&force=true", api.resource_url());
        let request = http::Request::patch(uri)
            .header("content-type", "application/apply-patch+yaml")
            .body(text.as_bytes().to_vec())?;
        match self.client.request_text(request).await {
            Err(kube::Error::Api(status)) if status.code == 400 => Ok(()),
            answer => bail!("{name}: not refused as a bad request: {answer:?}"),
        }
    }

    /// Deletes the object of each document.
    ///
    /// # Errors
    /// One is not there, or the right is missing.
    pub async fn delete(&self, text: &str) -> Result<()> {
        for (api, name, _) in self.read(text)? {
            let answer = api.delete(&name, &DeleteParams::default()).await;
            answer.with_context(|| format!("delete {name}"))?;
        }
        Ok(())
    }

    /// Reads the object of each document back.
    ///
    /// # Errors
    /// One is not there, or the right is missing.
    pub async fn get(&self, text: &str) -> Result<Vec<DynamicObject>> {
        let mut found = Vec::new();
        for (api, name, _) in self.read(text)? {
            found.push(api.get(&name).await.with_context(|| format!("get {name}"))?);
        }
        Ok(found)
    }

    /// The namespace's objects of a kind that have these labels.
    ///
    /// # Errors
    /// The right is missing.
    pub async fn labelled(&self, version: &str, kind: &str, labels: &str) -> Result<Vec<DynamicObject>> {
        let types = TypeMeta {
            api_version: version.to_owned(),
            kind: kind.to_owned(),
        };
        let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(&types)?);
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), &self.namespace, &resource);
        Ok(api.list(&ListParams::default().labels(labels)).await?.items)
    }

    /// Converts text for the gateway in istio-system to one in this namespace that is not shared with others: it has
    /// its own label, as in [`Self::labels`].
    #[must_use]
    pub fn own(&self, text: &str) -> String {
        text.replace("istio-system", &self.namespace)
            .replace("istio: ingressgateway", &format!("istio: {}", self.namespace))
    }

    /// The flag of the agent for the gateway of [`Self::own`].
    #[must_use]
    pub fn labels(&self) -> String {
        format!("--gateway-labels=istio={}", self.namespace)
    }

    /// Applies CustomResourceDefinitions and waits until the API server serves them.
    ///
    /// # Errors
    /// It refuses one, or does not establish it.
    pub async fn define(&self, text: &str) -> Result<()> {
        self.apply(text).await?;
        let attempt = || async {
            for definition in self.get(text).await? {
                let name = definition.metadata.name.unwrap_or_default();
                is_established(&definition.data)
                    .then_some(())
                    .with_context(|| format!("{name} is not established"))?;
            }
            Ok(())
        };
        eventually(
            "the definitions are served",
            std::time::Duration::from_secs(20),
            attempt,
        )
        .await
    }

    fn read(&self, text: &str) -> Result<Vec<(Api<DynamicObject>, String, DynamicObject)>> {
        let documents: Vec<Value> = serde_saphyr::from_multiple(text).context("not YAML")?;
        documents
            .into_iter()
            .map(|document| self.resolve(document))
            .collect()
    }

    fn resolve(&self, document: Value) -> Result<(Api<DynamicObject>, String, DynamicObject)> {
        let object: DynamicObject = serde_json::from_value(document)?;
        let types = object.types.clone().context("an object without kind")?;
        let kind = GroupVersionKind::try_from(&types)?;
        let resource = ApiResource::from_gvk(&kind);
        let name = object.metadata.name.clone().context("an object without name")?;
        let api = if CLUSTER_WIDE.contains(&types.kind.as_str()) {
            Api::all_with(self.client.clone(), &resource)
        } else {
            let namespace = object.metadata.namespace.as_ref().unwrap_or(&self.namespace);
            Api::namespaced_with(self.client.clone(), namespace, &resource)
        };
        Ok((api, name, object))
    }
}

fn is_established(definition: &Value) -> bool {
    let conditions = definition["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition["type"] == "Established" && condition["status"] == "True")
}
