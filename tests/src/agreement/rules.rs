//! Valid rules that combine everything that rules can do.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::pools::{
    ADDED, METHODS, MIRRORS, NAMES, ORIGINS, OTHERS, PATHS, REGEXES, REPLACED, SET, STATUS, UPSTREAMS,
    VALUES, WRITTEN, WRITTEN_VALUES, once_in, pick,
};

/// The response of a host at [`MARK`], once its rules are served.
pub(super) const MARK: &str = "/edition";
const RULES: usize = 8;

/// The rules of a host: its VirtualService, and those that it delegates to.
pub(super) fn virtual_services(rng: &mut Rng, name: &str, host: &str) -> Vec<Value> {
    let mark = json!({
        "match": [{"uri": {"exact": MARK}}],
        "directResponse": {"status": 200, "body": {"string": "here"}},
    });
    let mut rules = vec![mark];
    let mut services = Vec::new();
    for at in 0..rng.usize(1..RULES) {
        if once_in(rng, 8) {
            let delegate = format!("{name}-{at}");
            rules.push(root(rng, &delegate));
            let own: Vec<Value> = (0..rng.usize(1..4)).map(|_| rule(rng)).collect();
            services.push(object(&delegate, json!({"http": own})));
        } else {
            rules.push(rule(rng));
        }
    }
    services.push(object(
        name,
        json!({"hosts": [host], "gateways": ["istio-system/edge"], "http": rules}),
    ));
    services
}

fn object(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": name}, "spec": spec,
    })
}

/// A rule that delegates to another VirtualService.
fn root(rng: &mut Rng, delegate: &str) -> Value {
    let mut root = Map::new();
    root.insert("delegate".to_owned(), json!({"name": delegate}));
    if rng.bool() {
        root.insert(
            "match".to_owned(),
            json!([{"uri": {"prefix": pick(rng, &["/", "/a"])}}]),
        );
    }
    if once_in(rng, 4) {
        root.insert("rewrite".to_owned(), rewrite(rng));
    }
    if once_in(rng, 4) {
        root.insert(
            "headers".to_owned(),
            json!({"response": operations(rng, Some(STATUS))}),
        );
    }
    root.into()
}

fn rule(rng: &mut Rng) -> Value {
    let mut rule = Map::new();
    let has_blocks = !once_in(rng, 5);
    let mut is_prefix = has_blocks;
    if has_blocks {
        let blocks: Vec<Value> = (0..rng.usize(1..3)).map(|_| block(rng)).collect();
        is_prefix = blocks.iter().all(|block| block["uri"].get("prefix").is_some());
        rule.insert("match".to_owned(), blocks.into());
    }
    match rng.u8(..8) {
        0 => drop(rule.insert("directResponse".to_owned(), direct(rng))),
        1 | 2 => drop(rule.insert("redirect".to_owned(), redirect(rng, is_prefix))),
        _ => route(rng, &mut rule),
    }
    if once_in(rng, 3) && !rule.contains_key("headers") {
        rule.insert(
            "headers".to_owned(),
            json!({"response": operations(rng, Some(STATUS))}),
        );
    }
    rule.into()
}

fn block(rng: &mut Rng) -> Value {
    let mut block = Map::new();
    if !once_in(rng, 4) {
        let uri = match rng.u8(..4) {
            0 => json!({"exact": pick(rng, PATHS)}),
            // An empty one is the same as none.
            1 => json!({"regex": pick(rng, &REGEXES[..REGEXES.len() - 1])}),
            _ => json!({"prefix": pick(rng, PATHS)}),
        };
        if once_in(rng, 4) && uri.get("regex").is_none() {
            block.insert("ignoreUriCase".to_owned(), true.into());
        }
        block.insert("uri".to_owned(), uri);
    }
    if once_in(rng, 4) {
        block.insert("method".to_owned(), json!({"exact": pick(rng, METHODS)}));
    }
    if once_in(rng, 6) {
        block.insert(
            "scheme".to_owned(),
            json!({"exact": pick(rng, &["http", "https"])}),
        );
    }
    for field in ["headers", "withoutHeaders"] {
        if once_in(rng, 5) {
            block.insert(field.to_owned(), json!({pick(rng, NAMES): condition(rng)}));
        }
    }
    if once_in(rng, 6) {
        block.insert(
            "queryParams".to_owned(),
            json!({"q": {"exact": pick(rng, &["1", "2", ""])}}),
        );
    }
    if block.is_empty() {
        block.insert("uri".to_owned(), json!({"prefix": "/"}));
    }
    block.into()
}

fn condition(rng: &mut Rng) -> Value {
    match rng.u8(..4) {
        0 => json!({}),
        1 => json!({"prefix": pick(rng, &["1", "h"])}),
        2 => json!({"regex": pick(rng, &["1.*", "https?", ".+"])}),
        _ => json!({"exact": pick(rng, &VALUES[..VALUES.len() - 1])}),
    }
}

fn direct(rng: &mut Rng) -> Value {
    json!({"status": pick(rng, &[200, 403, 404, 429, 503]), "body": {"string": "said by a rule"}})
}

fn redirect(rng: &mut Rng, is_prefix: bool) -> Value {
    let mut redirect = Map::new();
    match rng.u8(..4) {
        0 | 1 => drop(redirect.insert("uri".to_owned(), pick(rng, WRITTEN).into())),
        2 if is_prefix => drop(redirect.insert("prefixRewrite".to_owned(), pick(rng, WRITTEN).into())),
        _ => {}
    }
    if rng.bool() || redirect.is_empty() {
        redirect.insert("authority".to_owned(), pick(rng, OTHERS).into());
    }
    if once_in(rng, 3) {
        redirect.insert("scheme".to_owned(), pick(rng, &["http", "https"]).into());
    }
    match rng.u8(..6) {
        0 => drop(redirect.insert("port".to_owned(), pick(rng, &[80, 443, 8443]).into())),
        1 => drop(redirect.insert("derivePort".to_owned(), "FROM_REQUEST_PORT".into())),
        2 => drop(redirect.insert("derivePort".to_owned(), "FROM_PROTOCOL_DEFAULT".into())),
        _ => {}
    }
    if rng.bool() {
        redirect.insert(
            "redirectCode".to_owned(),
            pick(rng, &[301, 302, 303, 307, 308]).into(),
        );
    }
    redirect.into()
}

fn route(rng: &mut Rng, rule: &mut Map<String, Value>) {
    let to = |rng: &mut Rng, name: &str, weight: u32| {
        let mut to = json!({"destination": {"host": format!("{name}.local")}, "weight": weight});
        if once_in(rng, 4) {
            to["headers"] =
                json!({"request": operations(rng, None), "response": operations(rng, Some(STATUS))});
        }
        to
    };
    let [one, two] = UPSTREAMS;
    let destinations = match rng.u8(..4) {
        0 => vec![to(rng, one, 50), to(rng, two, 50)],
        1 => vec![to(rng, two, 100)],
        _ => vec![to(rng, one, 100)],
    };
    rule.insert("route".to_owned(), destinations.into());
    if once_in(rng, 2) {
        rule.insert("rewrite".to_owned(), rewrite(rng));
    }
    if once_in(rng, 3) {
        rule.insert("corsPolicy".to_owned(), cors(rng));
    }
    if once_in(rng, 4) {
        rule.insert("fault".to_owned(), fault(rng));
    }
    if once_in(rng, 4) {
        rule.insert(
            "retries".to_owned(),
            json!({"attempts": rng.u8(..3), "retryOn": "5xx"}),
        );
    }
    if once_in(rng, 4) {
        rule.insert("timeout".to_owned(), json!("30s"));
    }
    if once_in(rng, 5) {
        rule.insert("mirrors".to_owned(), mirrors(pick(rng, MIRRORS)));
    }
    if once_in(rng, 3) {
        let both = json!({"request": operations(rng, None), "response": operations(rng, Some(STATUS))});
        rule.insert("headers".to_owned(), both);
    }
}

fn rewrite(rng: &mut Rng) -> Value {
    let mut rewrite = Map::new();
    if rng.bool() {
        rewrite.insert("uri".to_owned(), pick(rng, WRITTEN).into());
    } else if rng.bool() {
        let (pattern, template) = pick(rng, REPLACED);
        rewrite.insert(
            "uriRegexRewrite".to_owned(),
            json!({"match": pattern, "rewrite": template}),
        );
    }
    if once_in(rng, 3) || rewrite.is_empty() {
        rewrite.insert("authority".to_owned(), "in.side".into());
    }
    rewrite.into()
}

fn cors(rng: &mut Rng) -> Value {
    let origin = match rng.u8(..3) {
        0 => json!({"exact": pick(rng, ORIGINS)}),
        1 => json!({"prefix": "http"}),
        _ => json!({"regex": "https?://.*"}),
    };
    let mut cors = json!({"allowOrigins": [origin]});
    if rng.bool() {
        cors["allowMethods"] = json!(["GET", "PUT"]);
    }
    if once_in(rng, 3) {
        cors["allowCredentials"] = true.into();
        cors["exposeHeaders"] = json!(["x-a"]);
        cors["maxAge"] = "2m".into();
    }
    if once_in(rng, 3) {
        cors["unmatchedPreflights"] = "IGNORE".into();
    }
    cors
}

fn fault(rng: &mut Rng) -> Value {
    let share = |rng: &mut Rng| json!({"value": pick(rng, &[100, 100, 50])});
    let mut fault = Map::new();
    if rng.bool() {
        fault.insert(
            "delay".to_owned(),
            json!({"fixedDelay": "1ms", "percentage": share(rng)}),
        );
    }
    if rng.bool() || fault.is_empty() {
        let status = if rng.bool() {
            ("httpStatus", json!(pick(rng, &[418, 503, 200])))
        } else {
            (
                "grpcStatus",
                json!(pick(rng, &["PERMISSION_DENIED", "UNAVAILABLE", "OK"])),
            )
        };
        fault.insert(
            "abort".to_owned(),
            json!({status.0: status.1, "percentage": share(rng)}),
        );
    }
    fault.into()
}

/// On headers of the rule's own, and on some that requests have.
fn operations(rng: &mut Rng, more: Option<&'static str>) -> Value {
    let value = |rng: &mut Rng| match more {
        Some(more) if once_in(rng, 8) => more,
        _ => pick(rng, WRITTEN_VALUES),
    };
    let mut operations = Map::new();
    if rng.bool() {
        let written = (0..rng.usize(1..3)).map(|_| (pick(rng, SET).to_owned(), value(rng).into()));
        operations.insert("set".to_owned(), Value::Object(written.collect()));
    }
    if once_in(rng, 3) {
        operations.insert("add".to_owned(), json!({pick(rng, ADDED): value(rng)}));
    }
    if once_in(rng, 3) {
        operations.insert("remove".to_owned(), json!([pick(rng, ADDED)]));
    }
    operations.into()
}

/// Copies for others.
pub(super) fn mirrors(list: &[(&str, u8)]) -> Value {
    let mirror =
        |(host, share): &(&str, u8)| json!({"destination": {"host": host}, "percentage": {"value": share}});
    list.iter().map(mirror).collect::<Vec<_>>().into()
}
