//! The manifests in `envoy/kubernetes`, on the real API server.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, WatchParams};
use kube::{Client, Resource};
use sealgate_tests::eventually;
use sealgate_tests::kube::{ControlPlane, Objects};
use serde::de::DeserializeOwned;
use serde_json::Value;

const CRDS: &str = include_str!("../../envoy/kubernetes/crds.yaml");
const RBAC: &str = include_str!("../../envoy/kubernetes/rbac.yaml");
/// Every field that the routing semantics name, of every kind.
const EVERY_FIELD: &str = include_str!("data/every-field.yaml");
const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_survives_the_api_server() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    for version in ["v1", "v1beta1", "v1alpha3"] {
        let objects = plane.namespace(version).await?;
        objects.define(CRDS).await?;
        // Of some objects.
        objects
            .apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: istio-system}\n")
            .await?;
        let text = EVERY_FIELD.replace(
            "networking.istio.io/v1",
            &format!("networking.istio.io/{version}"),
        );
        let written: Vec<Value> = serde_saphyr::from_multiple(&text)?;
        objects.apply(&text).await?;
        // Written in one version, read in the one that is stored.
        let read = objects.get(EVERY_FIELD).await?;
        ensure!(
            written.len() == read.len(),
            "{} objects of {}",
            read.len(),
            written.len()
        );
        for (written, read) in written.iter().zip(read) {
            assert_eq!(
                written["spec"], read.data["spec"],
                "{version} {}",
                written["kind"]
            );
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_of_another_type_is_refused_by_its_path() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let objects = plane.namespace("types").await?;
    objects.define(CRDS).await?;
    let cases = [
        (
            "Gateway",
            "servers: [{ port: { number: https } }]",
            "spec.servers[0].port.number",
        ),
        ("VirtualService", "http: [{ timeout: 5 }]", "spec.http[0].timeout"),
        ("VirtualService", "http: [{ mach: [] }]", "spec.http[0].mach"),
        ("ServiceEntry", "ports: [{ number: -1 }]", "spec.ports[0].number"),
        ("DestinationRule", "host: [a]", "spec.host"),
    ];
    for (kind, spec, path) in cases {
        let text = format!(
            "apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{ name: a }}\nspec: {{ {spec} }}\n"
        );
        let error = objects
            .apply(&text)
            .await
            .err()
            .with_context(|| format!("{spec} was taken"))?;
        ensure!(format!("{error:#}").contains(path), "{path}: {error:#}");
    }
    Ok(())
}

/// One thing that somebody tries, and whether it may be.
#[derive(Clone, Copy, Debug)]
enum Attempt {
    Get(&'static str),
    /// With a field selector of this name, or without.
    List(Option<&'static str>),
    Watch(Option<&'static str>),
}

/// The manifests for a namespace of the test, with the names of Secrets that an operator fills in.
fn rbac(namespace: &str, secrets: Option<&str>) -> String {
    let text = RBAC
        .replace("istio-system", namespace)
        .replace("name: sealgate", &format!("name: {namespace}"));
    match secrets {
        None => text,
        Some(names) => text.replace(
            "resources: [secrets]\n",
            &format!("resources: [secrets]\n    resourceNames: [{names}]\n"),
        ),
    }
}

fn permitted<T>(answer: kube::Result<T>) -> Result<bool> {
    match answer {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(false),
        Err(other) => Err(other.into()),
    }
}

async fn attempt<K>(api: &Api<K>, attempt: Attempt) -> Result<bool>
where
    K: Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let selector = |name: Option<&str>| {
        name.map(|name| format!("metadata.name={name}"))
            .unwrap_or_default()
    };
    match attempt {
        Attempt::Get(name) => permitted(api.get_opt(name).await),
        Attempt::List(name) => permitted(api.list(&ListParams::default().fields(&selector(name))).await),
        Attempt::Watch(name) => {
            let parameters = WatchParams::default().fields(&selector(name)).timeout(1);
            let stream = match api.watch(&parameters, "0").await {
                Ok(stream) => stream,
                Err(error) => return permitted::<()>(Err(error)),
            };
            let mut stream = std::pin::pin!(stream);
            while let Some(event) = stream.next().await {
                if !permitted(event)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
    }
}

/// Tries all; the rights need a moment to reach the API server's own memory.
async fn check<K>(api: &Api<K>, cases: &[(Attempt, bool)]) -> Result<()>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    for (what, expected) in cases {
        let tried = || async {
            let may = attempt(api, *what).await?;
            ensure!(may == *expected, "{what:?}: allowed is {may}");
            Ok(())
        };
        eventually("the rights are as written", SOON, tried).await?;
    }
    Ok(())
}

/// Applies the manifests; gives a client with exactly those rights.
async fn agent(plane: &ControlPlane, objects: &Objects, secrets: Option<&str>) -> Result<Client> {
    objects.apply(&rbac(&objects.namespace, secrets)).await?;
    let text = "apiVersion: v1\nkind: Secret\nmetadata: { name: NAME }\nstringData: { a: b }\n";
    for name in ["wanted", "other"] {
        objects.apply(&text.replace("NAME", name)).await?;
    }
    plane
        .service_account(&objects.namespace, &objects.namespace)
        .await?
        .client()
        .await
}

/// What routes are made of.
const READ_EVERYWHERE: [(&str, &str, &str); 6] = [
    ("networking.istio.io", "v1", "Gateway"),
    ("networking.istio.io", "v1", "VirtualService"),
    ("networking.istio.io", "v1beta1", "DestinationRule"),
    ("networking.istio.io", "v1", "ServiceEntry"),
    ("", "v1", "Service"),
    ("discovery.k8s.io", "v1", "EndpointSlice"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_end_at_the_gateways_namespace() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let (objects, foreign) = (
        plane.namespace("rights").await?,
        plane.namespace("foreign").await?,
    );
    let client = agent(plane, &objects, None).await?;
    let own: Api<Secret> = Api::namespaced(client.clone(), &objects.namespace);
    check(
        &own,
        &[
            (Attempt::Get("other"), true),
            (Attempt::List(None), true),
            (Attempt::Watch(None), true),
        ],
    )
    .await?;
    let refused = [
        (Attempt::Get("other"), false),
        (Attempt::List(None), false),
        (Attempt::List(Some("other")), false),
        (Attempt::Watch(None), false),
    ];
    check(
        &Api::<Secret>::namespaced(client.clone(), &foreign.namespace),
        &refused,
    )
    .await?;
    check(&Api::<Secret>::all(client.clone()), &refused[1..]).await?;
    objects.define(CRDS).await?;
    for (group, version, kind) in READ_EVERYWHERE {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let everywhere: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let read = [(Attempt::List(None), true), (Attempt::Watch(None), true)];
        check(&everywhere, &read).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn named_secrets_are_read_by_their_field_selector_alone() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let objects = plane.namespace("names").await?;
    let client = agent(plane, &objects, Some("wanted, not-there-yet")).await?;
    let own: Api<Secret> = Api::namespaced(client, &objects.namespace);
    let cases = [
        (Attempt::Get("wanted"), true),
        (Attempt::List(Some("wanted")), true),
        (Attempt::Watch(Some("wanted")), true),
        (Attempt::Watch(Some("not-there-yet")), true),
        (Attempt::Get("other"), false),
        (Attempt::List(Some("other")), false),
        (Attempt::Watch(Some("other")), false),
        (Attempt::List(None), false),
        (Attempt::Watch(None), false),
    ];
    check(&own, &cases).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_may_be_written_where_the_object_is_and_nothing_else_done_with_them() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let (objects, foreign) = (
        plane.namespace("events").await?,
        plane.namespace("foreign").await?,
    );
    let client = agent(plane, &objects, None).await?;
    for namespace in [&objects.namespace, &foreign.namespace] {
        let agent = Objects::new(client.clone(), namespace);
        let event = format!(
            "apiVersion: events.k8s.io/v1\nkind: Event\nmetadata: {{ name: a }}\ntype: Warning\nreason: BadRegex\n\
             action: Check\neventTime: '2026-01-01T00:00:00.000000Z'\nreportingController: sealgate\n\
             reportingInstance: sealgate\nregarding: {{ apiVersion: networking.istio.io/v1, kind: VirtualService, \
             name: a, namespace: {namespace} }}\n"
        );
        eventually("an Event is taken", SOON, || agent.apply(&event)).await?;
        let errors = [agent.get(&event).await.err(), agent.delete(&event).await.err()];
        for error in errors {
            let error = error.context("an Event was read or deleted")?;
            ensure!(format!("{error:#}").contains("forbidden"), "{error:#}");
        }
    }
    Ok(())
}
