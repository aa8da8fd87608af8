//! `redirect` and `directResponse`: what is answered without an upstream.

use super::rewrite::check_path;
use super::{ProblemCode, Problems, limits};
use crate::config::{DirectResponse, HttpMatch, HttpRedirect};
use crate::rules::{DirectAction, HeaderMutations, RedirectAction, RedirectPort};

pub(super) fn redirect(
    redirect: &HttpRedirect,
    blocks: &[HttpMatch],
    response: HeaderMutations,
    problems: &mut Problems,
) -> Option<RedirectAction> {
    let status = redirect.redirect_code.unwrap_or(301);
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        problems.refuse(
            ProblemCode::BadRedirect,
            "redirect.redirectCode",
            format!("{status} is not one of 301, 302, 303, 307, 308"),
        );
    }
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (uri, prefix_rewrite) = (given(&redirect.uri), given(&redirect.prefix_rewrite));
    if uri.is_some() && prefix_rewrite.is_some() {
        problems.refuse(
            ProblemCode::BadRedirect,
            "redirect.uri",
            "only one of uri and prefixRewrite may be given",
        );
    }
    if prefix_rewrite.is_some() && !blocks.iter().all(is_by_prefix) {
        let message = "a path that is matched as a whole or by a regex has no prefix to rewrite";
        problems.refuse(ProblemCode::BadRedirect, "redirect.prefixRewrite", message);
    }
    for (text, field) in [
        (&uri, "redirect.uri"),
        (&prefix_rewrite, "redirect.prefixRewrite"),
    ] {
        text.iter().for_each(|text| check_path(text, field, problems));
    }
    let authority = given(&redirect.authority);
    if let Some(authority) = &authority {
        limits::length(authority, limits::PATH, "redirect.authority", problems);
    }
    if authority
        .as_deref()
        .is_some_and(|authority| !authority.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        problems.refuse(
            ProblemCode::BadRedirect,
            "redirect.authority",
            "a host may contain only visible ASCII",
        );
    }
    let scheme = given(&redirect.scheme);
    if scheme
        .as_deref()
        .is_some_and(|scheme| !matches!(scheme, "http" | "https"))
    {
        problems.refuse(ProblemCode::BadRedirect, "redirect.scheme", "http or https");
    }
    let port = port_of(redirect, problems);
    let says_nothing = [&uri, &prefix_rewrite, &authority, &scheme]
        .iter()
        .all(|text| text.is_none());
    if says_nothing && redirect.port.is_none() && redirect.derive_port.is_none() {
        let message = "one of uri, prefixRewrite, authority, port, derivePort and scheme is needed";
        problems.refuse(ProblemCode::BadRedirect, "redirect", message);
    }
    Some(RedirectAction {
        status: u16::try_from(status).ok()?,
        scheme,
        authority,
        port,
        uri,
        prefix_rewrite,
        response,
    })
}

fn is_by_prefix(block: &HttpMatch) -> bool {
    let uri = block.uri.as_ref();
    uri.is_none_or(|uri| uri.exact.is_none() && uri.regex.is_none())
}

fn port_of(redirect: &HttpRedirect, problems: &mut Problems) -> RedirectPort {
    match (redirect.port, redirect.derive_port.as_deref()) {
        (None, None) => RedirectPort::Keep,
        (None, Some("FROM_PROTOCOL_DEFAULT")) => RedirectPort::FromProtocol,
        (None, Some("FROM_REQUEST_PORT")) => RedirectPort::FromRequest,
        (Some(port), None) if (1..=65535).contains(&port) => {
            RedirectPort::Number(u16::try_from(port).unwrap_or(0))
        }
        (port, derive) => {
            problems.refuse(
                ProblemCode::BadRedirect,
                "redirect.port",
                format!("port {port:?} with derivePort {derive:?}"),
            );
            RedirectPort::Keep
        }
    }
}

pub(super) fn direct(
    direct: &DirectResponse,
    response: HeaderMutations,
    problems: &mut Problems,
) -> Option<DirectAction> {
    if !(200..600).contains(&direct.status) {
        problems.refuse(
            ProblemCode::BadStatus,
            "directResponse.status",
            format!("{} is not from 200 to 599", direct.status),
        );
    }
    let body = match direct.body.as_ref().map(|body| (&body.string, &body.bytes)) {
        None | Some((None, None)) => Vec::new(),
        Some((Some(text), None)) => text.clone().into_bytes(),
        Some((None, Some(base64))) => match decode_base64(base64) {
            Some(bytes) => bytes,
            None => {
                problems.refuse(ProblemCode::BadBody, "directResponse.body.bytes", "not base64");
                Vec::new()
            }
        },
        Some((Some(_), Some(_))) => {
            problems.refuse(
                ProblemCode::BadBody,
                "directResponse.body",
                "only one of string and bytes may be given",
            );
            Vec::new()
        }
    };
    if !body.is_empty() && matches!(direct.status, 204 | 205 | 304) {
        let message = format!("an answer with status {} has no body", direct.status);
        problems.refuse(ProblemCode::BadBody, "directResponse.body", message);
    }
    limits::bytes(body.len(), limits::BODY, "directResponse.body", problems);
    Some(DirectAction {
        status: u16::try_from(direct.status).ok()?,
        body,
        response,
    })
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}
