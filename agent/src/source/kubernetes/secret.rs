//! Converts a Secret of the API into the agent's type, which wipes its values and does not print them.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use sealgate_model::annotation::ALLOWED_NAMESPACES;
use sealgate_model::{Kind, Meta, Object, ObjectRef, SecretObject, SourceObject};
use zeroize::Zeroizing;

/// The Secret as an entry of the source. Its values are moved, not copied.
pub(super) fn entry(secret: Secret) -> SourceObject {
    let meta = Meta {
        namespace: secret.namespace().unwrap_or_default().into(),
        name: secret.name_any().into(),
        labels: secret.labels().clone(),
        // Only this annotation: `kubectl apply` stores the whole object in one, including keys.
        annotations: secret
            .annotations()
            .get_key_value(ALLOWED_NAMESPACES)
            .map(|(key, value)| (key.clone(), value.clone()))
            .into_iter()
            .collect(),
        created: secret
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0.as_second()),
    };
    let values = secret.data.unwrap_or_default();
    let object = SecretObject {
        type_: secret
            .type_
            .filter(|type_| !type_.is_empty())
            .unwrap_or_else(|| "Opaque".to_owned()),
        data: values
            .into_iter()
            .map(|(key, value)| (key, Zeroizing::new(value.0)))
            .collect(),
        meta,
    };
    SourceObject {
        object_ref: ObjectRef::new(
            Kind::Secret,
            Arc::clone(&object.meta.namespace),
            Arc::clone(&object.meta.name),
        ),
        object: Some(Object::Secret(object)),
        findings: Vec::new(),
    }
}
