//! How Envoy's codecs read a request's first line: which requests reach the rules, and with which host and path.
//! Reimplemented for `explain`; a test compares it with the real Envoy, over both versions of HTTP.

use std::borrow::Cow;

use super::{CodecRefusal, Protocol, Question};

/// The methods that Envoy's parser of HTTP/1.1 knows.
const METHODS: [&str; 34] = [
    "ACL",
    "BIND",
    "CHECKOUT",
    "CONNECT",
    "COPY",
    "DELETE",
    "GET",
    "HEAD",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MOVE",
    "MSEARCH",
    "NOTIFY",
    "OPTIONS",
    "PATCH",
    "POST",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "PUT",
    "REBIND",
    "REPORT",
    "SEARCH",
    "SOURCE",
    "SUBSCRIBE",
    "TRACE",
    "UNBIND",
    "UNLINK",
    "UNLOCK",
    "UNSUBSCRIBE",
];

impl Question {
    /// The same, with the host and path from its first line.
    ///
    /// # Errors
    /// Envoy's codec rejects it.
    pub(super) fn received(&self) -> Result<Self, CodecRefusal> {
        let (authority, path) = self.target()?;
        Ok(Self {
            authority,
            path,
            target_scheme: self.target_scheme(),
            ..self.clone()
        })
    }

    /// The host that rules see: that of the target, if it names one. A request that Envoy rejects, which no rule sees,
    /// keeps its host.
    #[must_use]
    pub fn seen_authority(&self) -> Cow<'_, str> {
        self.target()
            .map_or(Cow::Borrowed(&*self.authority), |(authority, _)| authority.into())
    }

    /// The host and path in its first line.
    fn target(&self) -> Result<(String, String), CodecRefusal> {
        let (authority, path) = match self.protocol {
            Protocol::Http1 => self.first_line()?,
            Protocol::Http2 => self.pseudo_headers()?,
        };
        if !is_authority(&authority, self.protocol) {
            return Err(self.refusal("authority"));
        }
        Ok((authority, path))
    }

    /// Envoy believes a target with `http` even over TLS.
    fn target_scheme(&self) -> Option<String> {
        let is_url =
            self.protocol == Protocol::Http1 && self.method != "CONNECT" && !self.path.starts_with('/');
        let (scheme, _) = self.path.split_once("://").filter(|_| is_url)?;
        Some(scheme.to_ascii_lowercase())
    }

    /// A violation of the protocol.
    fn refusal(&self, reason: &'static str) -> CodecRefusal {
        let status = (self.protocol == Protocol::Http1).then_some(400);
        CodecRefusal { status, reason }
    }

    fn first_line(&self) -> Result<(String, String), CodecRefusal> {
        if !METHODS.contains(&&*self.method) {
            return Err(self.refusal("method"));
        }
        let target = self.path.as_str();
        let refused = Err(self.refusal("target"));
        if target.is_empty() || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refused;
        }
        if self.method == "CONNECT" {
            let has_port = target.contains(':') && has_port_or_none(target);
            return if has_port {
                Ok((target.to_owned(), String::new()))
            } else {
                refused
            };
        }
        match target {
            _ if target.starts_with('*') && self.method == "OPTIONS" => Err(NOBODYS),
            _ if target.starts_with('/') => Ok((self.authority.clone(), target.to_owned())),
            _ => self.absolute(target),
        }
    }

    /// A whole URL, as sent to proxies: its host and path count.
    fn absolute(&self, target: &str) -> Result<(String, String), CodecRefusal> {
        let refused = self.refusal("target");
        let (scheme, rest) = target.split_once("://").ok_or(refused)?;
        if scheme.eq_ignore_ascii_case("https") {
            if self.scheme != "https" {
                return Err(CodecRefusal {
                    status: Some(403),
                    reason: "scheme",
                });
            }
        } else if !scheme.eq_ignore_ascii_case("http") {
            return Err(refused);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        if host.is_empty() || authority.matches('@').count() > 1 || !has_port_or_none(host) {
            return Err(refused);
        }
        match path.as_bytes().first() {
            None => Ok((host.to_owned(), "/".to_owned())),
            Some(b'/') => Ok((host.to_owned(), path.to_owned())),
            Some(_) => Err(NOBODYS),
        }
    }

    fn pseudo_headers(&self) -> Result<(String, String), CodecRefusal> {
        if self.method.is_empty() || !self.method.bytes().all(is_token) {
            return Err(self.refusal("method"));
        }
        if self.method == "CONNECT" {
            return Ok((self.path.clone(), String::new()));
        }
        let path = self.path.as_str();
        if path.chars().any(|letter| matches!(letter, '\0'..=' ' | '\x7f')) {
            return Err(self.refusal("target"));
        }
        if path == "*" && self.method == "OPTIONS" {
            return Err(NOBODYS);
        }
        if !path.starts_with('/') {
            return Err(self.refusal("target"));
        }
        Ok((self.authority.clone(), path.to_owned()))
    }
}

/// Whether it has a valid port number or none.
fn has_port_or_none(authority: &str) -> bool {
    let behind = authority.rsplit_once(']').map_or(authority, |(_, behind)| behind);
    match behind.split_once(':') {
        Some((_, port)) => port.parse::<u16>().is_ok_and(|port| port > 0),
        None => true,
    }
}

/// A target that is well-formed, but not a path.
const NOBODYS: CodecRefusal = CodecRefusal {
    status: Some(404),
    reason: "target",
};

/// RFC 9110, 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// HTTP/1.1 also accepts credentials and the empty text.
fn is_authority(text: &str, protocol: Protocol) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"!$%&'()*+,-.:;=[]_~".contains(&byte);
    match protocol {
        Protocol::Http1 => text.bytes().all(|byte| known(byte) || byte == b'@'),
        Protocol::Http2 => !text.is_empty() && text.bytes().all(known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_that_rules_see_is_the_targets() {
        let seen = |text: &str| {
            let question: Question = serde_json::from_str(text).unwrap();
            question.seen_authority().into_owned()
        };
        for (question, host) in [
            (r#"{"authority":"a.test","path":"/x"}"#, "a.test"),
            (
                r#"{"authority":"a.test","scheme":"http","path":"http://b.test:80/x"}"#,
                "b.test:80",
            ),
            (
                r#"{"authority":"a.test","method":"CONNECT","path":"b.test:80"}"#,
                "b.test:80",
            ),
            (
                r#"{"authority":"a.test","method":"CONNECT","path":"b.test:80","protocol":"HTTP/2"}"#,
                "b.test:80",
            ),
            // Rejected requests have no other host.
            (
                r#"{"authority":"a.test","scheme":"http","path":"https://b.test/"}"#,
                "a.test",
            ),
            (
                r#"{"authority":"a.test","path":"http://b.test/","protocol":"HTTP/2"}"#,
                "a.test",
            ),
        ] {
            assert_eq!(seen(question), host, "{question}");
        }
    }
}
