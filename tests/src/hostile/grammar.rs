//! Objects as somebody would write them who knows the kinds, and means no good.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::pools::{
    CREDENTIALS, DESTINATIONS, DURATIONS, HEADERS, HOSTS, NAMES, NAMESPACES, PATHS, PREFIXES, REGEXES,
    SERVICES, STRINGS, WORDS, anything, long, number, once_in, pick, status,
};

/// Where things are that an object can name.
#[derive(Clone, Debug, Default)]
pub(super) struct Ground {
    /// The attacker's own upstream.
    pub(super) stolen: u16,
    /// Ports that a Gateway may ask for, those of others and those that somebody listens on included.
    pub(super) ports: Vec<u16>,
}

/// Any object. What it needs to be of any effect is there more often than not.
pub(super) fn object(rng: &mut Rng, ground: &Ground) -> Value {
    let (version, kind, spec) = match rng.u8(..20) {
        0..=5 => ("networking.istio.io/v1", "Gateway", gateway(rng, ground)),
        6..=12 => ("networking.istio.io/v1", "VirtualService", virtual_service(rng)),
        13..=15 => (
            "networking.istio.io/v1",
            "ServiceEntry",
            service_entry(rng, ground),
        ),
        16 | 17 => ("networking.istio.io/v1", "DestinationRule", destination_rule(rng)),
        18 => ("v1", "Service", service(rng)),
        _ => return endpoints(rng, ground),
    };
    json!({"apiVersion": version, "kind": kind, "metadata": metadata(rng, kind), "spec": spec})
}

fn metadata(rng: &mut Rng, kind: &str) -> Value {
    let name = if once_in(rng, 60) {
        format!("b{}", long(rng))
    } else {
        pick(rng, &NAMES[..]).to_owned()
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

fn list(rng: &mut Rng, most: usize, mut one: impl FnMut(&mut Rng) -> Value) -> Value {
    let mut all: Vec<Value> = (0..rng.usize(1..=most)).map(|_| one(rng)).collect();
    if once_in(rng, 80) {
        // What is small once is large so many times.
        let first = all.first().cloned().unwrap_or_default();
        all.extend(std::iter::repeat_n(first, rng.usize(1..200)));
    }
    Value::Array(all)
}

/// Each field by chance.
fn some(rng: &mut Rng, fields: &[(&str, u32, &dyn Fn(&mut Rng) -> Value)]) -> Value {
    let mut map = Map::new();
    for (name, once, value) in fields {
        if once_in(rng, *once) {
            map.insert((*name).to_owned(), value(rng));
        }
    }
    Value::Object(map)
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

fn virtual_service(rng: &mut Rng) -> Value {
    if once_in(rng, 10) {
        // A delegate.
        return json!({"http": list(rng, 3, rule)});
    }
    let odd = [
        "mesh",
        "b0",
        "a-team/a-shop",
        "b-team/a-bank",
        "c-team/a-wild",
        "b",
        "",
        "/",
        "*",
        "a/b/c",
    ];
    let gateway = |rng: &mut Rng| {
        if once_in(rng, 4) {
            return json!(pick(rng, &odd));
        }
        json!(format!("{}/b{}", pick(rng, NAMESPACES), rng.u8(..4)))
    };
    let mut spec = some(
        rng,
        &[
            ("exportTo", 8, &|rng| {
                list(rng, 2, |rng| {
                    json!(pick(rng, &["*", ".", "~", "a-team", "", "é"]))
                })
            }),
            ("tls", 20, &anything),
            ("tcp", 20, &anything),
        ],
    );
    spec["hosts"] = list(rng, 3, |rng| json!(pick(rng, HOSTS)));
    spec["gateways"] = list(rng, 4, gateway);
    spec["http"] = list(rng, 5, rule);
    spec
}

fn rule(rng: &mut Rng) -> Value {
    let mut rule = some(
        rng,
        &[
            ("match", 2, &|rng| list(rng, 3, condition)),
            ("name", 10, &|rng| json!(pick(rng, STRINGS))),
            ("rewrite", 5, &rewrite),
            ("timeout", 8, &|rng| json!(pick(rng, DURATIONS))),
            ("retries", 8, &retries),
            ("fault", 8, &fault),
            ("mirror", 10, &destination),
            ("mirrors", 10, &|rng| {
                list(
                    rng,
                    3,
                    |rng| json!({"destination": destination(rng), "percentage": {"value": number(rng)}}),
                )
            }),
            ("mirrorPercentage", 15, &|rng| json!({"value": number(rng)})),
            ("corsPolicy", 10, &cors),
            ("headers", 3, &operations),
        ],
    );
    match rng.u8(..10) {
        0 => rule["redirect"] = redirect(rng),
        1 => rule["directResponse"] = direct_response(rng),
        2 => {
            rule["delegate"] = json!({"name": format!("b{}", rng.u8(..24)), "namespace": pick(rng, &["evil", "a-team", "", "default"])})
        }
        3 => {}
        _ => rule["route"] = list(rng, 3, route),
    }
    rule
}

fn route(rng: &mut Rng) -> Value {
    let mut route = some(
        rng,
        &[
            ("weight", 3, &|rng| json!(number(rng))),
            ("headers", 4, &operations),
        ],
    );
    route["destination"] = destination(rng);
    route
}

fn destination(rng: &mut Rng) -> Value {
    let mut destination = some(
        rng,
        &[
            ("subset", 5, &|rng| {
                json!(pick(rng, &["v1", "v2", "", "a|b", "a\nforged line", "é", "V1"]))
            }),
            (
                "port",
                2,
                &|rng| json!({"number": if once_in(rng, 4) { number(rng) } else { 80 }}),
            ),
        ],
    );
    destination["host"] = if once_in(rng, 60) {
        json!(long(rng))
    } else {
        json!(pick(rng, DESTINATIONS))
    };
    destination
}

fn text_match(rng: &mut Rng) -> Value {
    match rng.u8(..12) {
        0 => json!({}),
        1 => anything(rng),
        2..=4 => json!({"exact": pick(rng, PATHS)}),
        5..=8 => json!({"prefix": pick(rng, PATHS)}),
        9 => json!({"regex": long(rng)}),
        _ => json!({"regex": pick(rng, REGEXES)}),
    }
}

fn header_matches(rng: &mut Rng) -> Value {
    let pairs = (0..rng.usize(1..4)).map(|_| (pick(rng, HEADERS).to_owned(), text_match(rng)));
    Value::Object(pairs.collect())
}

fn condition(rng: &mut Rng) -> Value {
    some(
        rng,
        &[
            ("uri", 2, &text_match),
            ("ignoreUriCase", 6, &|rng| json!(rng.bool())),
            ("scheme", 12, &text_match),
            ("method", 12, &text_match),
            ("authority", 10, &text_match),
            ("headers", 4, &header_matches),
            ("withoutHeaders", 8, &header_matches),
            ("queryParams", 8, &header_matches),
            ("port", 15, &|rng| json!(number(rng))),
            ("gateways", 15, &|rng| list(rng, 2, |rng| json!(pick(rng, NAMES)))),
            ("sourceNamespace", 20, &|rng| json!(pick(rng, NAMESPACES))),
        ],
    )
}

fn rewrite(rng: &mut Rng) -> Value {
    let template = |rng: &mut Rng| {
        if once_in(rng, 8) {
            long(rng)
        } else {
            format!("{}{}", pick(rng, PATHS), pick(rng, STRINGS))
        }
    };
    match rng.u8(..3) {
        0 => json!({"uri": template(rng)}),
        1 => json!({"authority": pick(rng, HOSTS)}),
        _ => json!({"uriRegexRewrite": {"match": pick(rng, REGEXES), "rewrite": template(rng)}}),
    }
}

fn retries(rng: &mut Rng) -> Value {
    let on = [
        "gateway-error,503",
        "5xx",
        "",
        "a,b",
        "599",
        "600",
        "reset\nforged line",
        "retriable-headers",
        "envoy-ratelimited",
    ];
    json!({"attempts": number(rng), "perTryTimeout": pick(rng, DURATIONS), "retryOn": pick(rng, &on)})
}

fn fault(rng: &mut Rng) -> Value {
    some(
        rng,
        &[
            (
                "delay",
                2,
                &|rng| json!({"fixedDelay": pick(rng, DURATIONS), "percentage": {"value": number(rng)}}),
            ),
            (
                "abort",
                2,
                &|rng| json!({"httpStatus": status(rng), "percentage": {"value": number(rng)}}),
            ),
        ],
    )
}

fn cors(rng: &mut Rng) -> Value {
    json!({
        "allowOrigins": list(rng, 3, text_match),
        "allowMethods": list(rng, 2, |rng| json!(pick(rng, STRINGS))),
        "allowHeaders": list(rng, 2, |rng| json!(pick(rng, HEADERS))),
        "exposeHeaders": list(rng, 2, |rng| json!(pick(rng, HEADERS))),
        "maxAge": pick(rng, DURATIONS),
        "allowCredentials": rng.bool(),
    })
}

fn operations(rng: &mut Rng) -> Value {
    let values = |rng: &mut Rng| {
        let value = if once_in(rng, 30) {
            long(rng)
        } else {
            pick(rng, STRINGS).to_owned()
        };
        json!({pick(rng, HEADERS): value})
    };
    let one = |rng: &mut Rng| match rng.u8(..3) {
        0 => json!({"set": values(rng)}),
        1 => json!({"add": values(rng)}),
        _ => json!({"remove": [pick(rng, HEADERS)]}),
    };
    json!({pick(rng, &["request", "response"]): one(rng)})
}

fn redirect(rng: &mut Rng) -> Value {
    some(
        rng,
        &[
            ("uri", 2, &|rng| json!(pick(rng, PATHS))),
            ("prefixRewrite", 4, &|rng| json!(pick(rng, PATHS))),
            ("authority", 3, &|rng| json!(pick(rng, HOSTS))),
            ("port", 4, &|rng| json!(number(rng))),
            ("scheme", 4, &|rng| {
                json!(pick(rng, &["http", "https", "ftp", ""]))
            }),
            ("redirectCode", 3, &|rng| json!(status(rng))),
        ],
    )
}

fn direct_response(rng: &mut Rng) -> Value {
    let body = if once_in(rng, 10) {
        long(rng)
    } else {
        pick(rng, STRINGS).to_owned()
    };
    json!({"status": status(rng), "body": {pick(rng, &["string", "bytes"]): body}})
}

fn service_entry(rng: &mut Rng, ground: &Ground) -> Value {
    let resolution = if once_in(rng, 8) {
        pick(rng, WORDS)
    } else {
        pick(rng, &["STATIC", "STATIC", "DNS"])
    };
    let mut spec = json!({
        "hosts": list(rng, 2, |rng| json!(pick(rng, SERVICES))),
        "resolution": resolution,
        "ports": list(rng, 2, |rng| {
            let number = if once_in(rng, 6) { number(rng) } else { 80 };
            json!({"number": number, "name": pick(rng, &["http", "http", "http2", ""]), "protocol": pick(rng, &["HTTP", "HTTP2", "TCP", ""])})
        }),
        "endpoints": list(rng, 3, |rng| endpoint(rng, ground)),
    });
    if once_in(rng, 8) {
        spec["exportTo"] = json!([pick(rng, &["*", ".", "~", "a-team"])]);
    }
    if once_in(rng, 10) {
        spec["location"] = json!(pick(rng, &["MESH_EXTERNAL", "MESH_INTERNAL", "é"]));
    }
    spec
}

fn endpoint(rng: &mut Rng, ground: &Ground) -> Value {
    let addresses = [
        "127.0.0.1",
        "127.0.0.1",
        "127.0.0.1",
        "::1",
        "localhost",
        "0.0.0.0",
        "169.254.169.254",
        "224.0.0.1",
        "",
        " ",
        "127.0.0.1:80",
        "256.1.1.1",
        "1.2.3",
        "unix:///tmp/a.sock",
        "evil..test",
        "::ffff:127.0.0.1",
        "fe80::1%lo",
        "240.0.0.1",
        "é",
        "2130706433",
        "0x7f.1",
    ];
    let port = if once_in(rng, 5) {
        number(rng)
    } else {
        i64::from(ground.stolen)
    };
    let port = if once_in(rng, 6) {
        ground
            .ports
            .get(rng.usize(..ground.ports.len().max(1)))
            .copied()
            .map_or(port, i64::from)
    } else {
        port
    };
    let mut endpoint =
        json!({"address": pick(rng, &addresses), "ports": {pick(rng, &["http", "http", "http2", ""]): port}});
    if once_in(rng, 3) {
        endpoint["labels"] = json!({"version": pick(rng, &["v1", "v2", "good", ""])});
    }
    if once_in(rng, 5) {
        endpoint["weight"] = json!(number(rng));
    }
    endpoint
}

fn destination_rule(rng: &mut Rng) -> Value {
    json!({
        "host": if once_in(rng, 2) { pick(rng, SERVICES) } else { pick(rng, DESTINATIONS) },
        "subsets": list(rng, 3, |rng| json!({
            "name": pick(rng, &["v1", "v2", "v3", "", "a|b", "a\nforged line"]),
            "labels": {"version": pick(rng, &["v1", "v2", "good", ""])},
        })),
        "trafficPolicy": anything(rng),
    })
}

fn service(rng: &mut Rng) -> Value {
    let mut spec = json!({
        "selector": {"app": "b"},
        "ports": list(rng, 2, |rng| json!({"name": "http", "port": if once_in(rng, 3) { number(rng) } else { 80 }, "targetPort": number(rng)})),
    });
    if once_in(rng, 4) {
        spec["type"] = json!(pick(rng, &["ExternalName", "LoadBalancer", "é"]));
        spec["externalName"] = json!(pick(
            rng,
            &["127.0.0.1", "localhost", "evil.test", "", "é", "::1"]
        ));
    }
    if once_in(rng, 4) {
        spec["clusterIP"] = json!(pick(rng, &["None", "127.0.0.1", ""]));
    }
    spec
}

fn endpoints(rng: &mut Rng, ground: &Ground) -> Value {
    let address = |rng: &mut Rng| {
        pick(
            rng,
            &[
                "127.0.0.1",
                "::1",
                "0.0.0.0",
                "",
                "x",
                "127.0.0.1/8",
                "224.0.0.1",
                "é",
            ],
        )
        .to_owned()
    };
    let port = |rng: &mut Rng| {
        if once_in(rng, 3) {
            number(rng)
        } else {
            i64::from(ground.stolen)
        }
    };
    let metadata = json!({
        "name": "b",
        "namespace": pick(rng, NAMESPACES),
        "labels": {"kubernetes.io/service-name": pick(rng, &["b", "web", "", "é"])},
    });
    if rng.bool() {
        json!({
            "apiVersion": "v1", "kind": "Endpoints", "metadata": metadata,
            "subsets": [{"addresses": [{"ip": address(rng)}], "ports": [{"name": "http", "port": port(rng)}]}],
        })
    } else {
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata,
            "addressType": pick(rng, &["IPv4", "IPv6", "FQDN", "é"]),
            "endpoints": [{"addresses": [address(rng), address(rng)], "conditions": {"ready": rng.bool()}}],
            "ports": [{"name": "http", "port": port(rng), "protocol": pick(rng, &["TCP", "UDP", ""])}],
        })
    }
}
