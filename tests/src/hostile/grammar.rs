//! Objects as an attacker would write them who knows the kinds.

use fastrand::Rng;
use serde_json::{Value, json};

use super::chance::{anything, list, long, number, once_in, pick, some};
use super::ground::Ground;
use super::pools::{CREDENTIALS, HOSTS, NAMES, NAMESPACES, PREFIXES, STRINGS, WORDS};
use super::routes::virtual_service;
use super::services::{destination_rule, endpoint, endpoints, service, service_entry};

/// Any object. What it needs to be of any effect is there more often than not.
pub(super) fn object(rng: &mut Rng, ground: &Ground) -> Value {
    let (version, kind, spec) = match rng.u8(..21) {
        0..=5 => ("networking.istio.io/v1", "Gateway", gateway(rng, ground)),
        6..=12 => ("networking.istio.io/v1", "VirtualService", virtual_service(rng)),
        13..=15 => (
            "networking.istio.io/v1",
            "ServiceEntry",
            service_entry(rng, ground),
        ),
        16 | 17 => ("networking.istio.io/v1", "DestinationRule", destination_rule(rng)),
        18 => ("v1", "Service", service(rng)),
        19 => ("networking.istio.io/v1", "WorkloadEntry", endpoint(rng, ground)),
        _ => return endpoints(rng, ground),
    };
    json!({"apiVersion": version, "kind": kind, "metadata": metadata(rng, kind), "spec": spec})
}

fn metadata(rng: &mut Rng, kind: &str) -> Value {
    let name = if once_in(rng, 60) {
        format!("b{}", long(rng))
    } else {
        pick(rng, NAMES).to_owned()
    };
    // Few names, so that objects find and replace each other; Gateways have the fewest.
    let few = if kind == "Gateway" { 4 } else { 24 };
    let name = if once_in(rng, 6) {
        name
    } else {
        format!("b{}", rng.u8(..few))
    };
    let mut metadata = json!({"name": name, "namespace": pick(rng, NAMESPACES)});
    if kind == "Gateway" && once_in(rng, 4) {
        let identity = [
            "{prefix: x-keep-}",
            "{prefix: x-amz-content-}",
            "{prefix: x-evil-client-cert-}",
            "{misdirected: allow}",
            "{xfcc: appendForward}",
            "{unverified: show}",
            "{headers: []}",
            "{clientCert: chain}",
            "{",
            "",
        ];
        metadata["annotations"] = json!({
            "sealgate.dev/identity": pick(rng, &identity),
            "sealgate.dev/certificates": pick(rng, &["auto", "eager", "onDemand", "odd"]),
        });
    }
    metadata
}

fn host(rng: &mut Rng) -> Value {
    json!(format!("{}{}", pick(rng, PREFIXES), pick(rng, HOSTS)))
}

fn gateway(rng: &mut Rng, ground: &Ground) -> Value {
    let selector = if once_in(rng, 12) {
        anything(rng)
    } else {
        json!({"istio": "ingressgateway"})
    };
    json!({"selector": selector, "servers": list(rng, 3, |rng| server(rng, ground))})
}

fn server(rng: &mut Rng, ground: &Ground) -> Value {
    let is_secure = rng.bool();
    let usual = if is_secure { 443 } else { 80 };
    let port = match rng.u8(..8) {
        0 => number(rng),
        1 => 80,
        2 => 443,
        3 => ground
            .ports
            .get(rng.usize(..ground.ports.len().max(1)))
            .copied()
            .map_or(0, i64::from),
        _ => usual,
    };
    let protocol = match rng.u8(..10) {
        0 => pick(rng, WORDS),
        _ if is_secure => "HTTPS",
        _ => "HTTP",
    };
    let mut server = json!({
        "port": {"number": port, "name": pick(rng, &["http", "https", "", "é"]), "protocol": protocol},
        "hosts": list(rng, 3, host),
    });
    if is_secure {
        server["tls"] = tls(rng);
    } else if once_in(rng, 3) {
        server["tls"] = json!({"httpsRedirect": true});
    }
    server
}

fn tls(rng: &mut Rng) -> Value {
    let mode = if once_in(rng, 6) {
        pick(rng, WORDS)
    } else {
        pick(rng, &WORDS[..3])
    };
    let pins = |rng: &mut Rng| {
        let pins = [
            "AAAA",
            "",
            "xyz",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            &"00".repeat(32),
            &"0:".repeat(32),
        ];
        json!([pick(rng, &pins)])
    };
    let version = |rng: &mut Rng| {
        json!(pick(
            rng,
            &["TLSV1_0", "TLSV1_2", "TLSV1_3", "TLS_AUTO", "TLSV1_4"]
        ))
    };
    let suites = |rng: &mut Rng| {
        let suites = [
            "ECDHE-RSA-AES128-GCM-SHA256",
            "ECDHE-ECDSA-AES128-GCM-SHA256",
            "AES128-SHA",
            "ALL",
            "!a",
            "",
            "[A|B]",
        ];
        list(rng, 3, |rng| json!(pick(rng, &suites)))
    };
    let mut tls = some(
        rng,
        &[
            ("caCertCredentialName", 8, &|rng| json!(pick(rng, CREDENTIALS))),
            ("credentialNames", 12, &|rng| {
                list(rng, 3, |rng| json!(pick(rng, CREDENTIALS)))
            }),
            ("subjectAltNames", 8, &|rng| {
                list(rng, 2, |rng| json!(pick(rng, STRINGS)))
            }),
            ("verifyCertificateSpki", 10, &pins),
            ("verifyCertificateHash", 10, &pins),
            ("minProtocolVersion", 6, &version),
            ("maxProtocolVersion", 6, &version),
            ("cipherSuites", 8, &suites),
            ("httpsRedirect", 8, &|rng| json!(rng.bool())),
        ],
    );
    tls["mode"] = json!(mode);
    tls["credentialName"] = json!(pick(rng, CREDENTIALS));
    tls
}
