//! Where a redirect leads.

use std::borrow::Cow;

use crate::bounded::bounded;
use crate::decision::Outcome;
use crate::host;
use crate::matcher::ValueMatcher;
use crate::path::{replace_matched, root};
use crate::query;
use crate::request::Request;
use crate::rules::{ArchivedRedirectAction, ArchivedRedirectPort, RedirectPort};
use crate::undecided::Undecided;

/// The target of a redirect.
struct Goal<'a> {
    scheme: Option<&'a str>,
    authority: Option<Cow<'a, str>>,
    port: RedirectPort,
    uri: Option<&'a str>,
    prefix_rewrite: Option<&'a str>,
}

/// `httpsRedirect`: the same request over HTTPS.
pub(crate) fn to_https<'t>(request: &impl Request, port: u16) -> Result<Outcome<'t>, Undecided> {
    let goal = Goal {
        scheme: Some("https"),
        // The Host as it came: its port stays, as in Envoy's own redirects.
        authority: Some(String::from_utf8_lossy(request.authority())),
        port: RedirectPort::Keep,
        uri: None,
        prefix_rewrite: None,
    };
    Ok(Outcome::Redirect {
        status: 301,
        location: bounded(location(&goal, None, request, port))?,
        response: None,
    })
}

pub(crate) fn outcome<'t>(
    action: &'t ArchivedRedirectAction,
    uri: Option<ValueMatcher<'_>>,
    request: &impl Request,
    port: u16,
) -> Result<Outcome<'t>, Undecided> {
    let goal = Goal {
        scheme: action.scheme.as_deref(),
        authority: action.authority.as_deref().map(Cow::Borrowed),
        port: match action.port {
            ArchivedRedirectPort::Keep => RedirectPort::Keep,
            ArchivedRedirectPort::FromProtocol => RedirectPort::FromProtocol,
            ArchivedRedirectPort::FromRequest => RedirectPort::FromRequest,
            ArchivedRedirectPort::Number(number) => RedirectPort::Number(number.to_native()),
        },
        uri: action.uri.as_deref(),
        prefix_rewrite: action.prefix_rewrite.as_deref(),
    };
    Ok(Outcome::Redirect {
        status: action.status.to_native(),
        location: bounded(location(&goal, uri, request, port))?,
        response: Some(&action.response),
    })
}

fn location(goal: &Goal<'_>, uri: Option<ValueMatcher<'_>>, request: &impl Request, port: u16) -> Vec<u8> {
    let own_scheme = scheme_of(request);
    let scheme = goal.scheme.map_or(own_scheme.as_slice(), str::as_bytes);
    let mut url = scheme.to_vec();
    url.extend_from_slice(b"://");
    write_authority(goal, request, (&own_scheme, scheme), port, &mut url);
    url.extend_from_slice(&path(goal, uri, request.path()));
    url
}

fn scheme_of(request: &impl Request) -> Vec<u8> {
    let mut scheme = Vec::new();
    request.header(":scheme", &mut |value| scheme = value.to_vec());
    scheme
}

/// A default port is not written. The request's port stays, unless it is the default of its scheme and the redirect
/// changes the scheme.
fn write_authority(
    goal: &Goal<'_>,
    request: &impl Request,
    (own, scheme): (&[u8], &[u8]),
    listener: u16,
    url: &mut Vec<u8>,
) {
    let (own_host, own_port) = host::split_port(request.authority());
    let (name, port) = match &goal.authority {
        Some(authority) => (authority.as_bytes(), None),
        None => (
            own_host,
            own_port.filter(|port| scheme == own || Some(*port) != default_port(own)),
        ),
    };
    url.extend_from_slice(name);
    let chosen = match goal.port {
        RedirectPort::Keep => port.map(<[u8]>::to_vec),
        RedirectPort::FromProtocol => None,
        // The client's port is the one that it wrote: the listener's may be mapped.
        RedirectPort::FromRequest => {
            Some(own_port.map_or_else(|| listener.to_string().into_bytes(), <[u8]>::to_vec))
        }
        RedirectPort::Number(number) => Some(number.to_string().into_bytes()),
    };
    let kept = goal.port == RedirectPort::Keep;
    if let Some(port) = chosen.filter(|port| kept || Some(port.as_slice()) != default_port(scheme)) {
        url.push(b':');
        url.extend_from_slice(&port);
    }
}

fn default_port(scheme: &[u8]) -> Option<&'static [u8]> {
    match scheme {
        b"http" => Some(b"80"),
        b"https" => Some(b"443"),
        _ => None,
    }
}

/// The query stays, unless the new path has its own.
fn path(goal: &Goal<'_>, uri: Option<ValueMatcher<'_>>, path: &[u8]) -> Vec<u8> {
    let mut new = match (goal.uri, goal.prefix_rewrite) {
        (Some(uri), _) => uri.as_bytes().to_vec(),
        (None, Some(prefix)) => replace_matched(prefix, uri, query::path_of(path)),
        (None, None) => query::path_of(path).to_vec(),
    };
    if !new.contains(&b'?') {
        new.extend_from_slice(query::suffix_of(path));
    }
    root(&mut new);
    new
}
