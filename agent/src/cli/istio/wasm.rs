//! `sealgate istio wasm`: routing and identity by the filter alone, from its OCI artifact. There is no agent.
//!
//! Which certificates a handshake has checked, the filter learns of the Gateways that are given: without them, Envoy is
//! asked, which forgets it when a session is resumed. Saying it of every chain would believe a server that checks nothing.

use std::fs;
use std::path::Path;

use sealgate_core::identity::{ConnectionOrigin, IdentityConfig};
use sealgate_core::names::Guard;
use sealgate_core::reading;
use sealgate_model::{Finding, Severity, annotation, plugin};
use serde_json::{Map, Value, json};

use super::chains::{Chains, carried_out};
use super::error::{IstioError, ObjectRefusal};
use super::input::{Input, UserGateway};
use super::patches::{Patches, Where};
use super::site::{Site, ports};
use super::{Manifests, pod};
use crate::args::IstioWasmArgs;

/// Where releases push the filter to; a file of its own, because what packs it reads it too.
const IMAGE: &str = include_str!("../../../../envoy/filter-image").trim_ascii_end();
const SCHEME: &str = "oci://";

/// See the module.
///
/// # Errors
/// A flag or an object that cannot be used.
pub(super) fn manifests(args: &IstioWasmArgs) -> Result<Manifests, IstioError> {
    let site = Site::new(&args.gateway)?;
    site.needs_routes("wasm")?;
    let port_map = ports(&args.listener.port_map)?;
    let input = Input::read(&args.gateway.files, &site)?;
    let chains = Chains::of(&input.gateways, &site, |meta| meta.name.to_string())?;
    let config = plugin_config(args.plugin_config.as_deref(), &input)?;
    let identity = identity(&config, args.plugin_config.as_deref())?;
    let mut notes = checked(&config, args.plugin_config.as_deref())?;
    notes.extend(input.notes());
    let mut guard = Guard {
        keeps_peer_metadata: args.listener.keep_peer_metadata,
        ..Guard::default()
    };
    let prefix = identity.as_ref().and_then(IdentityConfig::own_prefix);
    guard.prefixes.extend(prefix.map(str::to_owned));
    let mut patches = Patches::new(&guard);
    let mut objects = Vec::new();
    if identity.is_some() {
        describe(&mut patches, &chains, |port| {
            port_map.get(&port).copied().unwrap_or(port)
        });
        objects.push(pod::without_own_xfcc(&site));
        if args.gateway.files.is_empty() {
            notes.push(
                "without your Gateways (-f), the certificate of a client that resumes its TLS session counts as not verified"
                    .to_owned(),
            );
        }
    }
    objects.push(patches.into_object(&site));
    objects.push(wasm_plugin(&site, args.image.as_deref(), &config));
    Ok(Manifests { objects, notes })
}

/// Connections say what is known of them; of those that ask for a certificate, that it was checked.
fn describe(patches: &mut Patches, chains: &Chains, bind: impl Fn(u16) -> u16) {
    let nothing = ConnectionOrigin {
        chain: "-",
        policy: "-",
        checked: false,
    };
    patches.describe(Where::default(), &nothing);
    for chain in chains
        .secure
        .iter()
        .filter(|chain| chain.own.asks() && !chain.is_nameless())
    {
        let place = Where {
            port: Some(bind(chain.port)),
            sni: chain.sni.as_deref(),
        };
        let origin = ConnectionOrigin {
            checked: true,
            ..nothing
        };
        patches.describe(place, &origin);
    }
}

fn wasm_plugin(site: &Site, image: Option<&str>, config: &Value) -> Value {
    let released = || format!("{IMAGE}:{}", env!("CARGO_PKG_VERSION"));
    let image = image.map_or_else(released, str::to_owned);
    let url = if image.contains("://") {
        image
    } else {
        format!("{SCHEME}{image}")
    };
    json!({
        "apiVersion": "extensions.istio.io/v1alpha1",
        "kind": "WasmPlugin",
        "metadata": site.metadata("sealgate"),
        "spec": {
            "selector": { "matchLabels": site.selector },
            // A gateway's listeners are those of its clients.
            "match": [{ "mode": "CLIENT" }],
            "url": url,
            // Never open: a request that was not looked at would carry what its client has written.
            "failStrategy": "FAIL_RELOAD",
            "pluginConfig": config,
        },
    })
}

/// What the user wrote, and the rules of the VirtualServices that are given.
fn plugin_config(path: Option<&Path>, input: &Input) -> Result<Value, IstioError> {
    let mut config = match path {
        Some(path) => read(path)?,
        None => Map::from_iter([("identity".to_owned(), annotated(&input.gateways)?)]),
    };
    if input.virtual_services.is_empty() {
        return Ok(config.into());
    }
    let refused: Vec<ObjectRefusal> = input
        .virtual_services
        .iter()
        .flat_map(|own| own.refusals())
        .collect();
    if !refused.is_empty() {
        return Err(IstioError::Refused(refused));
    }
    let rules = input.virtual_services.iter().map(|own| own.value.clone());
    let routing = config.entry("routing").or_insert_with(|| json!({}));
    let list = routing
        .as_object_mut()
        .map(|routing| routing.entry("virtualServices").or_insert_with(|| json!([])));
    match list.and_then(Value::as_array_mut) {
        Some(list) => list.extend(rules),
        None => return Err(bad(path, "routing.virtualServices is not a list")),
    }
    Ok(config.into())
}

fn read(path: &Path) -> Result<Map<String, Value>, IstioError> {
    let failed = |reason: String| bad(Some(path), &reason);
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let read: Option<Map<String, Value>> =
        serde_saphyr::from_str(&text).map_err(|error| failed(error.to_string()))?;
    Ok(read.unwrap_or_default())
}

fn bad(path: Option<&Path>, reason: &str) -> IstioError {
    let path = path.map(|path| path.display().to_string()).unwrap_or_default();
    IstioError::flag("--plugin-config", &path, reason)
}

/// What the Gateways' annotations say of identity headers. The filter says the same of all connections.
fn annotated(gateways: &[UserGateway]) -> Result<Value, IstioError> {
    let said = gateways.iter().filter_map(|gateway| {
        let identity = annotation::identity(&gateway.own.meta)?.ok()?;
        Some((gateway, identity))
    });
    let said: Vec<_> = said.collect();
    let Some(((first, identity), others)) = said.split_first() else {
        return Ok(json!({}));
    };
    if let Some((other, _)) = others.iter().find(|(_, other)| other != identity) {
        let field = format!("metadata.annotations[{}]", annotation::IDENTITY);
        let reason = format!(
            "it differs from that of {}, and the filter has one for all",
            first.own.object
        );
        return Err(IstioError::Refused(vec![other.own.refusal(&field, reason)]));
    }
    let text = first.own.meta.annotations.get(annotation::IDENTITY);
    let value: Option<Value> = text.and_then(|text| serde_saphyr::from_str(text).ok());
    Ok(value.filter(Value::is_object).unwrap_or_else(|| json!({})))
}

/// What the filter would say of its configuration: what it would reject is an error, the rest is returned.
fn checked(config: &Value, path: Option<&Path>) -> Result<Vec<String>, IstioError> {
    let name = path.map_or_else(|| "pluginConfig".to_owned(), |path| path.display().to_string());
    let findings = plugin::check_value(&name, config.clone());
    let (rejected, notes): (Vec<Finding>, Vec<Finding>) = findings
        .into_iter()
        .partition(|finding| finding.severity == Severity::Error);
    if rejected.is_empty() {
        return Ok(notes.iter().map(ToString::to_string).collect());
    }
    let refusals = rejected.into_iter().map(|finding| ObjectRefusal {
        object: finding.object,
        field: finding.field.unwrap_or_default(),
        reason: finding.message,
    });
    Err(IstioError::Refused(refusals.collect()))
}

/// What the plugin tells of clients, if anything.
fn identity(config: &Value, path: Option<&Path>) -> Result<Option<IdentityConfig>, IstioError> {
    let Some(value) = config.get("identity") else {
        return Ok(None);
    };
    let read = reading::read(value, "identity");
    let identity: IdentityConfig =
        read.map_err(|misread| bad(path, &format!("{}: {}", misread.place, misread.reason)))?;
    identity
        .check()
        .map_err(|error| bad(path, &format!("identity.{error}")))?;
    carried_out(&identity).map_err(|(field, reason)| bad(path, &format!("identity.{field}: {reason}")))?;
    Ok(Some(identity))
}
