//! Cross-origin requests, answered and marked as Envoy's own filter does (`cors_filter.cc`).

use crate::decision::Request;
use crate::matcher::Matcher;
use crate::table::Cors;

/// A header of an answer.
pub type Header = (&'static str, Vec<u8>);

/// What a request of another origin gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrossOrigin {
    /// A pre-flight: it is answered at once, with 200 and these headers.
    Preflight(Vec<Header>),
    /// It goes its way, and these headers are set on what comes back.
    Simple(Vec<Header>),
}

/// A policy that runs.
#[derive(Debug)]
pub(crate) struct Policy {
    config: Cors,
    origins: Vec<Matcher>,
}

impl Policy {
    pub(crate) fn compile(config: &Cors) -> Result<Self, String> {
        let origins = config.origins.iter().map(Matcher::compile);
        Ok(Self {
            config: config.clone(),
            origins: origins.collect::<Result<_, _>>()?,
        })
    }

    /// None for a request without an origin, and for one of an origin that is not allowed unless its pre-flight is
    /// answered all the same.
    pub(crate) fn apply(&self, request: &impl Request) -> Option<CrossOrigin> {
        let origin = value(request, "origin");
        if origin.is_empty() {
            return None;
        }
        let allowed = self.allows(&origin);
        let asked = self.asked_method(request);
        match asked {
            Some(method) if allowed || self.config.answer_unmatched => {
                let origin = allowed.then_some(origin);
                Some(CrossOrigin::Preflight(self.preflight(origin, method, request)))
            }
            _ if allowed => Some(CrossOrigin::Simple(self.simple(origin))),
            _ => None,
        }
    }

    /// A condition that takes the word `*` takes every origin.
    fn allows(&self, origin: &[u8]) -> bool {
        let takes = |matcher: &Matcher| matcher.is_match(b"*", false) || matcher.is_match(origin, false);
        self.origins.iter().any(takes)
    }

    /// The method that a pre-flight asks for; none if the request is no pre-flight.
    fn asked_method(&self, request: &impl Request) -> Option<Vec<u8>> {
        if value(request, ":method") != b"OPTIONS" {
            return None;
        }
        Some(value(request, "access-control-request-method")).filter(|method| !method.is_empty())
    }

    fn preflight(&self, origin: Option<Vec<u8>>, method: Vec<u8>, request: &impl Request) -> Vec<Header> {
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
        if let Some(seconds) = self.config.max_age {
            headers.push(("access-control-max-age", seconds.to_string().into_bytes()));
        }
        headers
    }

    fn simple(&self, origin: Vec<u8>) -> Vec<Header> {
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

    fn credentials(&self) -> impl Iterator<Item = Header> {
        let header = ("access-control-allow-credentials", b"true".to_vec());
        self.config.credentials.then_some(header).into_iter()
    }
}

/// All values of a header as one, the way Envoy joins those that it knows by name.
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
