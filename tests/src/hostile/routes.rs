//! VirtualServices, delegates among them.

use fastrand::Rng;
use serde_json::{Value, json};

use super::chance::{anything, list, long, number, once_in, pick, some, status};
use super::pools::{DESTINATIONS, DURATIONS, HEADERS, HOSTS, NAMES, NAMESPACES, PATHS, REGEXES, STRINGS};

/// The `spec` of one.
pub(super) fn virtual_service(rng: &mut Rng) -> Value {
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
