//! `sealgate istio full`: certificates, routing and identity from the agent, in listeners that are Istio's.
//!
//! The agent gets Gateways of its own, twins of the user's, and the VirtualServices are bound to these: istiod builds
//! nothing of routes that it need not know.

use std::collections::BTreeMap;

use sealgate_core::identity::ConnectionOrigin;
use sealgate_core::names::Guard;
use sealgate_model::Meta;
use serde_json::{Value, json};

use super::chains::Chains;
use super::error::{IstioError, ObjectRefusal};
use super::input::{Input, UserGateway, UserObject};
use super::patches::{Patches, Where};
use super::pod::Pod;
use super::site::{LABEL, Site, labels, labels_text, name, ports};
use super::{Manifests, rights, sds};
use crate::args::IstioFullArgs;

/// What a twin's name ends with.
const TWIN: &str = "-sealgate";

const NAMELESS: &str = "a server that asks for client certificates must list its hosts: EnvoyFilter patches cannot \
    distinguish `*` from other servers";

/// See the module.
///
/// # Errors
/// A flag or an object that cannot be used.
pub(super) fn manifests(args: &IstioFullArgs) -> Result<Manifests, IstioError> {
    let site = Site::new(&args.gateway)?;
    site.needs_routes("full")?;
    let account = name("--service-account", &args.agent.service_account)?;
    let own_selector = labels("--agent-selector", &args.agent_selector)?;
    if own_selector == site.selector {
        let reason = "expected labels that no pod has: with the gateway's own labels, Istio would serve the agent's \
            Gateways too";
        return Err(IstioError::flag("--agent-selector", &args.agent_selector, reason));
    }
    let port_map = ports(&args.listener.port_map)?;
    if args.gateway.files.is_empty() {
        return Err(IstioError::NoFiles);
    }
    let input = Input::read(&args.gateway.files, &site)?;
    let refused: Vec<ObjectRefusal> = input
        .virtual_services
        .iter()
        .flat_map(UserObject::refusals)
        .collect();
    if !refused.is_empty() {
        return Err(IstioError::Refused(refused));
    }
    let chains = Chains::of(&input.gateways, &site, twin_name)?;
    let nameless = chains.secure.iter().filter(|chain| chain.is_nameless());
    let refused: Vec<ObjectRefusal> = nameless.map(|chain| chain.refusal(NAMELESS)).collect();
    if !refused.is_empty() {
        return Err(IstioError::Refused(refused));
    }
    let guard = Guard {
        prefixes: chains.prefixes.clone(),
        keeps_xfcc: false,
        keeps_peer_metadata: args.listener.keep_peer_metadata,
    };
    let bind = |port: u16| port_map.get(&port).copied().unwrap_or(port);
    let pod = Pod {
        agent: &args.agent,
        shared: sds::OWN,
        flags: vec![
            format!("--gateway-labels={}", labels_text(&own_selector)),
            // Connections name their server, which a chain that servers share would not.
            "--on-demand-from=0".to_owned(),
        ],
        proxy_env: Vec::new(),
        routes: true,
    };
    let mut objects = Vec::from(rights::of_secrets(&site, &account)?);
    objects.extend(rights::of_routes(&site, &account)?);
    objects.extend(sds::provider(&site));
    objects.push(pod.deployment(&site)?);
    objects.push(patches(&guard, &chains, bind).into_object(&site));
    objects.extend(sds::with_scheme(&input.gateways)?);
    objects.extend(
        input
            .gateways
            .iter()
            .map(|gateway| twin(gateway, &json!(own_selector))),
    );
    objects.extend(
        input
            .virtual_services
            .iter()
            .map(|own| rebound(own, &input.gateways)),
    );
    let mut notes = vec![sds::NAME_PROVIDER.to_owned()];
    notes.extend(input.notes());
    notes.extend(input.virtual_services.iter().flat_map(mirrors));
    Ok(Manifests { objects, notes })
}

/// What a VirtualService asks for that is not done: each list of mirrors needs a route that Envoy has by configuration.
fn mirrors(own: &UserObject) -> Vec<String> {
    let rules = own.value.pointer("/spec/http").and_then(Value::as_array);
    let mut notes = Vec::new();
    for (at, rule) in rules.into_iter().flatten().enumerate() {
        let keys = ["mirror", "mirrors"].into_iter();
        notes.extend(keys.filter(|key| rule.get(key).is_some()).map(|key| {
            let object = &own.object;
            format!("{object}: spec.http[{at}].{key}: has no effect in Istio's listeners")
        }));
    }
    notes
}

fn patches(guard: &Guard, chains: &Chains, bind: impl Fn(u16) -> u16) -> Patches {
    let socket = sds::OWN.socket;
    let mut patches = Patches::new(guard);
    for chain in &chains.secure {
        let place = Where {
            port: Some(bind(chain.port)),
            sni: chain.sni.as_deref(),
        };
        let origin = ConnectionOrigin {
            chain: &chain.own.name,
            policy: chain.own.policy.as_deref().unwrap_or("-"),
            checked: chain.own.asks(),
        };
        patches.describe(place, &origin);
    }
    patches.table(socket);
    for port in &chains.ports {
        patches.filter((*port, bind(*port)), socket);
    }
    patches
}

fn twin_name(meta: &Meta) -> String {
    format!("{}{TWIN}", meta.name)
}

/// The Gateway as the agent reads it.
fn twin(gateway: &UserGateway, selector: &Value) -> Value {
    let mut value = gateway.own.value.clone();
    value["metadata"]["name"] = json!(twin_name(&gateway.own.meta));
    let own = (LABEL.0.to_owned(), LABEL.1.to_owned());
    let labels: BTreeMap<String, String> = gateway.own.meta.labels.clone().into_iter().chain([own]).collect();
    value["metadata"]["labels"] = json!(labels);
    value["spec"]["selector"] = selector.clone();
    value
}

/// The VirtualService, bound to the twins; to other Gateways, and to a mesh, as it is.
fn rebound(own: &UserObject, gateways: &[UserGateway]) -> Value {
    let mut value = own.value.clone();
    let rebind = |list: Option<&mut Value>| {
        for name in list.and_then(Value::as_array_mut).into_iter().flatten() {
            let meant = name.as_str().map(|name| own.gateway(name));
            let meant = meant.and_then(|meant| gateways.iter().find(|gateway| gateway.is(&meant)));
            if let Some(gateway) = meant {
                let meta = &gateway.own.meta;
                *name = json!(format!("{}/{}", meta.namespace, twin_name(meta)));
            }
        }
    };
    rebind(value.pointer_mut("/spec/gateways"));
    let rules = value.pointer_mut("/spec/http").and_then(Value::as_array_mut);
    for rule in rules.into_iter().flatten() {
        let blocks = rule.get_mut("match").and_then(Value::as_array_mut);
        for block in blocks.into_iter().flatten() {
            rebind(block.get_mut("gateways"));
        }
    }
    value
}
