//! What the gateway's Deployment says that a kubelet would carry out.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::NAMESPACE;

const PROXY: &str = "istio-proxy";
const AGENT: &str = "sealgate";

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Deployment {
    /// Of the pods.
    pub(super) annotations: Vec<(String, String)>,
    /// Of Istio's proxy.
    pub(super) environment: Vec<(String, String)>,
    /// Of our agent, if there is a container of it.
    pub(super) arguments: Option<Vec<String>>,
}

impl Deployment {
    pub(super) fn read(object: &Value) -> Result<Self> {
        let template = &object["spec"]["template"];
        let annotations = template["metadata"]["annotations"].as_object();
        let annotations = annotations.into_iter().flatten().map(|(key, value)| {
            let value = value.as_str().with_context(|| format!("annotation {key}"))?;
            Ok((key.clone(), value.to_owned()))
        });
        let proxy = container(template, "containers", PROXY).context("no container of Istio's proxy")?;
        let environment = proxy["env"].as_array().into_iter().flatten().map(|variable| {
            let (name, value) = (variable["name"].as_str(), variable["value"].as_str());
            let (name, value) = name
                .zip(value)
                .with_context(|| format!("{variable} is not a value"))?;
            Ok((name.to_owned(), value.to_owned()))
        });
        let arguments = container(template, "initContainers", AGENT).map(|agent| {
            let arguments = agent["args"].as_array().into_iter().flatten();
            let arguments = arguments.map(|own| own.as_str().map(expanded));
            arguments.collect::<Option<_>>().context("args that are no text")
        });
        Ok(Self {
            annotations: annotations.collect::<Result<_>>()?,
            environment: environment.collect::<Result<_>>()?,
            arguments: arguments.transpose()?,
        })
    }
}

fn container<'a>(template: &'a Value, list: &str, name: &str) -> Option<&'a Value> {
    let mut containers = template["spec"][list].as_array()?.iter();
    containers.find(|container| container["name"] == name)
}

/// The one variable that arguments are made of.
fn expanded(argument: &str) -> String {
    argument.replace("$(POD_NAMESPACE)", NAMESPACE)
}
