//! Cross-origin requests, answered and given headers as in Envoy's own filter (`cors_filter.cc`).

use crate::matcher::ValueMatcher;
use crate::regex::Regexes;
use crate::request::Request;
use crate::rules::ArchivedCors;
use crate::undecided::Undecided;

/// A header of an answer.
pub type Header = (&'static str, Vec<u8>);

/// What a cross-origin request gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CrossOrigin {
    /// A pre-flight: it is answered immediately, with 200 and these headers.
    Preflight(Vec<Header>),
    /// It is forwarded, and these headers are set on the response.
    Simple(Vec<Header>),
}

/// A policy and what it needs to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'t> {
    pub(crate) config: &'t ArchivedCors,
    pub(crate) regexes: &'t Regexes,
}

impl Policy<'_> {
    /// None for a request without an origin, and for one of a forbidden origin unless its pre-flight is answered
    /// anyway.
    pub(crate) fn apply(self, request: &impl Request) -> Result<Option<CrossOrigin>, Undecided> {
        let origin = value(request, "origin");
        if origin.is_empty() {
            return Ok(None);
        }
        let allowed = self.allows(&origin)?;
        let asked = asked_method(request);
        Ok(match asked {
            Some(method) if allowed || self.config.answer_unmatched => {
                let origin = allowed.then_some(origin);
                Some(CrossOrigin::Preflight(self.preflight(origin, method, request)))
            }
            _ if allowed => Some(CrossOrigin::Simple(self.simple(origin))),
            _ => None,
        })
    }

    /// A condition that matches the text `*` allows every origin.
    fn allows(self, origin: &[u8]) -> Result<bool, Undecided> {
        for own in self.config.origins.iter() {
            let takes = |value: &[u8]| ValueMatcher::from(own).is_match(value, false, self.regexes);
            if takes(b"*")? || takes(origin)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn preflight(self, origin: Option<Vec<u8>>, method: Vec<u8>, request: &impl Request) -> Vec<Header> {
        let mut headers = match origin {
            Some(origin) => self.simple(origin),
            None => self.credentials().collect(),
        };
        let asked = |list: &str, asked: Vec<u8>| {
            if list == "*" {
                asked
            } else {
                list.as_bytes().to_vec()
            }
        };
        if !self.config.methods.is_empty() {
            let methods = asked(&self.config.methods, method);
            headers.push(("access-control-allow-methods", methods));
        }
        if !self.config.headers.is_empty() {
            let names = asked(
                &self.config.headers,
                value(request, "access-control-request-headers"),
            );
            headers.push(("access-control-allow-headers", names));
        }
        if let Some(seconds) = self.config.max_age.as_ref() {
            let seconds = seconds.to_native();
            headers.push(("access-control-max-age", seconds.to_string().into_bytes()));
        }
        headers
    }

    fn simple(self, origin: Vec<u8>) -> Vec<Header> {
        let mut headers = vec![("access-control-allow-origin", origin)];
        headers.extend(self.credentials());
        if !self.config.expose.is_empty() {
            headers.push((
                "access-control-expose-headers",
                self.config.expose.as_bytes().to_vec(),
            ));
        }
        headers
    }

    fn credentials(self) -> impl Iterator<Item = Header> {
        let header = ("access-control-allow-credentials", b"true".to_vec());
        self.config.credentials.then_some(header).into_iter()
    }
}

/// The method that a pre-flight asks for; none if the request is not a pre-flight.
fn asked_method(request: &impl Request) -> Option<Vec<u8>> {
    if value(request, ":method") != b"OPTIONS" {
        return None;
    }
    Some(value(request, "access-control-request-method")).filter(|method| !method.is_empty())
}

/// All values of a header, joined like Envoy joins those of headers that it knows.
fn value(request: &impl Request, name: &str) -> Vec<u8> {
    let mut joined = Vec::new();
    request.header(name, &mut |value| {
        if !joined.is_empty() {
            joined.push(b',');
        }
        joined.extend_from_slice(value);
    });
    joined
}
