//! `route`, `redirect` and `directResponse` with what belongs to them.

use super::headers::{Operations, convert as operations, is_value, merge};
use super::{Problems, milliseconds};
use crate::config::{
    Destination, DirectResponse, Headers, HttpRedirect, HttpRetry, HttpRewrite, HttpRoute,
    HttpRouteDestination,
};
use crate::regex::search;
use crate::table::{
    Action, DirectAction, PathRewrite, RedirectAction, RedirectPort, Retries, RouteAction, WeightedCluster,
};

pub(super) fn convert(
    route: &HttpRoute,
    cluster: &mut dyn FnMut(&Destination) -> String,
    problems: &mut Problems,
) -> Option<Action> {
    if let Some(delegate) = &route.delegate {
        let name = delegate.name.as_deref().unwrap_or_default();
        problems.refuse(
            "not-carried-out",
            "delegate",
            format!("delegation to {name} is not carried out"),
        );
        return None;
    }
    match (&route.redirect, &route.direct_response, route.route.is_empty()) {
        (None, None, false) => {
            destinations(route, cluster, problems).map(|route| Action::Route(Box::new(route)))
        }
        (Some(redirect), None, true) => {
            redirect_action(redirect, problems).map(|to| Action::Redirect(Box::new(to)))
        }
        (None, Some(direct), true) => direct_action(direct, problems).map(Action::Direct),
        (None, None, true) => {
            problems.refuse(
                "no-action",
                "route",
                "one of route, redirect, directResponse is needed",
            );
            None
        }
        _ => {
            problems.refuse(
                "ambiguous-action",
                "route",
                "only one of route, redirect, directResponse may be given",
            );
            None
        }
    }
}

fn destinations(
    route: &HttpRoute,
    cluster: &mut dyn FnMut(&Destination) -> String,
    problems: &mut Problems,
) -> Option<RouteAction> {
    let single = route.route.len() == 1;
    let (rule_request, rule_response) = both(route.headers.as_ref(), "headers", problems);
    let rewrite = rewrite_authority(route, &rule_request, problems);
    let mut converted = Vec::with_capacity(route.route.len());
    for (at, to) in route.route.iter().enumerate() {
        let weight = weight(to, at, single, problems);
        let (request, response) = both(to.headers.as_ref(), &format!("route[{at}].headers"), problems);
        if to.destination.host.is_empty() {
            problems.refuse(
                "no-destination",
                format!("route[{at}].destination.host"),
                "a destination has a host",
            );
            continue;
        }
        // The winner where both levels speak of a header: with one destination it, with several the rule.
        let merged = |of_rule, own| {
            if single {
                merge(of_rule, own)
            } else {
                merge(own, of_rule)
            }
        };
        let request = merged(&rule_request, &request);
        converted.push(WeightedCluster {
            cluster: cluster(&to.destination),
            weight,
            authority: rewrite.clone().or(request.authority),
            request: request.mutations,
            response: merged(&rule_response, &response).mutations,
        });
    }
    if !single {
        converted.retain(|to| to.weight > 0);
    }
    if converted.is_empty() {
        problems.refuse("no-weight", "route", "every weight is 0");
        return None;
    }
    Some(RouteAction {
        destinations: converted,
        path: route
            .rewrite
            .as_ref()
            .and_then(|rewrite| rewrite_path(rewrite, problems)),
        timeout_ms: route
            .timeout
            .as_deref()
            .and_then(|text| duration(text, "timeout", problems)),
        retries: route
            .retries
            .as_ref()
            .and_then(|retries| retry(retries, problems)),
    })
}

fn both(headers: Option<&Headers>, field: &str, problems: &mut Problems) -> (Operations, Operations) {
    let request = headers.and_then(|headers| headers.request.as_ref());
    let response = headers.and_then(|headers| headers.response.as_ref());
    (
        operations(request, &format!("{field}.request"), true, problems),
        operations(response, &format!("{field}.response"), false, problems),
    )
}

fn weight(to: &HttpRouteDestination, at: usize, single: bool, problems: &mut Problems) -> u32 {
    let weight = to.weight.unwrap_or(0);
    if weight < 0 {
        problems.refuse(
            "bad-weight",
            format!("route[{at}].weight"),
            format!("{weight} is negative"),
        );
    }
    if single {
        100
    } else {
        u32::try_from(weight).unwrap_or(0)
    }
}

fn rewrite_authority(route: &HttpRoute, request: &Operations, problems: &mut Problems) -> Option<String> {
    let authority = route
        .rewrite
        .as_ref()?
        .authority
        .clone()
        .filter(|authority| !authority.is_empty())?;
    if request.authority.is_some() {
        let message = "together with a header operation on the host it is not clear which one is meant";
        problems.refuse("ambiguous-authority", "rewrite.authority", message);
    }
    if !is_value(&authority) {
        problems.refuse(
            "invalid-header-value",
            "rewrite.authority",
            "a host holds no control characters",
        );
    }
    Some(authority)
}

fn rewrite_path(rewrite: &HttpRewrite, problems: &mut Problems) -> Option<PathRewrite> {
    let uri = rewrite.uri.clone().filter(|uri| !uri.is_empty());
    match (uri, &rewrite.uri_regex_rewrite) {
        (Some(_), Some(_)) => {
            problems.refuse(
                "ambiguous-rewrite",
                "rewrite",
                "only one of uri and uriRegexRewrite may be given",
            );
            None
        }
        (Some(uri), None) => {
            check_path(&uri, "rewrite.uri", problems);
            Some(PathRewrite::Matched(uri))
        }
        (None, Some(regex)) => {
            check_path(&regex.rewrite, "rewrite.uriRegexRewrite.rewrite", problems);
            if let Err(reason) = search(&regex.r#match) {
                let message = format!("`{}` is not a valid regex: {reason}", regex.r#match);
                problems.refuse("bad-regex", "rewrite.uriRegexRewrite.match", message);
            }
            Some(PathRewrite::Regex(regex.r#match.clone(), regex.rewrite.clone()))
        }
        (None, None) => None,
    }
}

fn check_path(path: &str, field: &str, problems: &mut Problems) {
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        problems.refuse(
            "bad-path",
            field,
            "a path holds visible ASCII alone; encode the rest as %XX",
        );
    }
}

fn duration(text: &str, field: &str, problems: &mut Problems) -> Option<u64> {
    match milliseconds(text) {
        // Beyond a year a float has no business in a header.
        Some(ms) if (1.0..3.2e10).contains(&ms) => Some(ms as u64),
        Some(_) => {
            problems.refuse(
                "bad-duration",
                field,
                format!("{text}: at least 1ms and at most a year"),
            );
            None
        }
        None => {
            problems.refuse(
                "bad-duration",
                field,
                format!("`{text}` is not a duration such as 1.5s or 300ms"),
            );
            None
        }
    }
}

fn retry(retries: &HttpRetry, problems: &mut Problems) -> Option<Retries> {
    problems.not_carried_out(
        "retries.retryRemoteLocalities",
        retries.retry_remote_localities.is_some(),
    );
    problems.not_carried_out(
        "retries.retryIgnorePreviousHosts",
        retries.retry_ignore_previous_hosts.is_some(),
    );
    problems.not_carried_out("retries.backoff", retries.backoff.is_some());
    let default = Retries::default();
    let attempts = retries.attempts.unwrap_or(0);
    let Ok(attempts) = u32::try_from(attempts) else {
        problems.refuse(
            "bad-retries",
            "retries.attempts",
            format!("{attempts} is not a number of attempts"),
        );
        return None;
    };
    let per_try = retries.per_try_timeout.as_deref();
    let retry_on = retries
        .retry_on
        .clone()
        .filter(|on| !on.is_empty())
        .unwrap_or(default.retry_on);
    if !retry_on
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-, _".contains(&byte))
    {
        problems.refuse(
            "bad-retries",
            "retries.retryOn",
            "a list of conditions and status codes, separated by commas",
        );
    }
    Some(Retries {
        attempts,
        per_try_timeout_ms: per_try.and_then(|text| duration(text, "retries.perTryTimeout", problems)),
        retry_on,
    })
}

fn redirect_action(redirect: &HttpRedirect, problems: &mut Problems) -> Option<RedirectAction> {
    let status = redirect.redirect_code.unwrap_or(301);
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        problems.refuse(
            "bad-redirect",
            "redirect.redirectCode",
            format!("{status}: one of 301, 302, 303, 307, 308"),
        );
    }
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (uri, prefix_rewrite) = (given(&redirect.uri), given(&redirect.prefix_rewrite));
    if uri.is_some() && prefix_rewrite.is_some() {
        problems.refuse(
            "bad-redirect",
            "redirect.uri",
            "only one of uri and prefixRewrite may be given",
        );
    }
    for (text, field) in [
        (&uri, "redirect.uri"),
        (&prefix_rewrite, "redirect.prefixRewrite"),
    ] {
        text.iter().for_each(|text| check_path(text, field, problems));
    }
    let authority = given(&redirect.authority);
    if authority
        .as_deref()
        .is_some_and(|authority| !authority.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        problems.refuse(
            "bad-redirect",
            "redirect.authority",
            "a host holds visible ASCII alone",
        );
    }
    let scheme = given(&redirect.scheme);
    if scheme
        .as_deref()
        .is_some_and(|scheme| !matches!(scheme, "http" | "https"))
    {
        problems.refuse("bad-redirect", "redirect.scheme", "http or https");
    }
    let port = redirect_port(redirect, problems);
    Some(RedirectAction {
        status: u16::try_from(status).ok()?,
        scheme,
        authority,
        port,
        uri,
        prefix_rewrite,
    })
}

fn redirect_port(redirect: &HttpRedirect, problems: &mut Problems) -> RedirectPort {
    match (redirect.port, redirect.derive_port.as_deref()) {
        (None, None) => RedirectPort::Keep,
        (None, Some("FROM_PROTOCOL_DEFAULT")) => RedirectPort::FromProtocol,
        (None, Some("FROM_REQUEST_PORT")) => RedirectPort::FromRequest,
        (Some(port), None) if (1..=65535).contains(&port) => {
            RedirectPort::Number(u16::try_from(port).unwrap_or(0))
        }
        (port, derive) => {
            problems.refuse(
                "bad-redirect",
                "redirect.port",
                format!("port {port:?} with derivePort {derive:?}"),
            );
            RedirectPort::Keep
        }
    }
}

fn direct_action(direct: &DirectResponse, problems: &mut Problems) -> Option<DirectAction> {
    if !(200..600).contains(&direct.status) {
        problems.refuse(
            "bad-status",
            "directResponse.status",
            format!("{}: from 200 to 599", direct.status),
        );
    }
    let body = match direct.body.as_ref().map(|body| (&body.string, &body.bytes)) {
        None | Some((None, None)) => Vec::new(),
        Some((Some(text), None)) => text.clone().into_bytes(),
        Some((None, Some(base64))) => match decode_base64(base64) {
            Some(bytes) => bytes,
            None => {
                problems.refuse("bad-body", "directResponse.body.bytes", "not base64");
                Vec::new()
            }
        },
        Some((Some(_), Some(_))) => {
            problems.refuse(
                "bad-body",
                "directResponse.body",
                "only one of string and bytes may be given",
            );
            Vec::new()
        }
    };
    Some(DirectAction {
        status: u16::try_from(direct.status).ok()?,
        body,
    })
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}
