//! Where a redirect leads.

use crate::decision::{Outcome, Request};
use crate::host;
use crate::path::replace_matched;
use crate::query;
use crate::table::{Match, RedirectAction, RedirectPort};

/// `httpsRedirect`: the same request over HTTPS.
pub(crate) fn to_https<'t>(request: &impl Request, port: u16) -> Outcome<'t> {
    let action = RedirectAction {
        status: 301,
        scheme: Some("https".to_owned()),
        // The Host as it came: its port stays, as with Envoy's own.
        authority: Some(String::from_utf8_lossy(request.authority()).into_owned()),
        ..RedirectAction::default()
    };
    Outcome::Redirect {
        status: 301,
        location: location(&action, None, request, port),
        response: None,
    }
}

pub(crate) fn outcome<'t>(
    action: &'t RedirectAction,
    block: Option<&Match>,
    request: &impl Request,
    port: u16,
) -> Outcome<'t> {
    Outcome::Redirect {
        status: action.status,
        location: location(action, block, request, port),
        response: Some(&action.response),
    }
}

fn location(action: &RedirectAction, block: Option<&Match>, request: &impl Request, port: u16) -> Vec<u8> {
    let own_scheme = scheme_of(request);
    let scheme = action
        .scheme
        .as_ref()
        .map_or(own_scheme.as_slice(), |scheme| scheme.as_bytes());
    let mut url = scheme.to_vec();
    url.extend_from_slice(b"://");
    let from_request = (action.port == RedirectPort::FromRequest).then_some(port);
    write_authority(action, request, (&own_scheme, scheme), from_request, &mut url);
    url.extend_from_slice(&path(action, block, request.path()));
    url
}

fn scheme_of(request: &impl Request) -> Vec<u8> {
    let mut scheme = Vec::new();
    request.header(":scheme", &mut |value| scheme = value.to_vec());
    scheme
}

/// A default port is not written; the request's own stays, unless the scheme changes away from the one whose
/// default it is.
fn write_authority(
    action: &RedirectAction,
    request: &impl Request,
    (own, scheme): (&[u8], &[u8]),
    listener: Option<u16>,
    url: &mut Vec<u8>,
) {
    let (own_host, own_port) = host::split_port(request.authority());
    let (name, port) = match &action.authority {
        Some(authority) => (authority.as_bytes(), None),
        None => (
            own_host,
            own_port.filter(|port| scheme == own || Some(*port) != default_port(own)),
        ),
    };
    url.extend_from_slice(name);
    let chosen = match action.port {
        RedirectPort::Keep => port.map(<[u8]>::to_vec),
        RedirectPort::FromProtocol => None,
        RedirectPort::FromRequest => listener.map(|port| port.to_string().into_bytes()),
        RedirectPort::Number(number) => Some(number.to_string().into_bytes()),
    };
    let kept = action.port == RedirectPort::Keep;
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
fn path(action: &RedirectAction, block: Option<&Match>, path: &[u8]) -> Vec<u8> {
    let mut new = match (&action.uri, &action.prefix_rewrite) {
        (Some(uri), _) => uri.as_bytes().to_vec(),
        (None, Some(prefix)) => replace_matched(prefix, block, query::path_of(path)),
        (None, None) => query::path_of(path).to_vec(),
    };
    if !new.contains(&b'?') {
        new.extend_from_slice(query::suffix_of(path));
    }
    new
}
