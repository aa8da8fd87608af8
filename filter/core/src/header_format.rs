//! Envoy's command operators in the values of headers that rules write: `%REQ(x-a?x-b):16%` and the like. Commands
//! whose values a filter can know work as in Envoy; a value that turns out empty is not written.

mod time;

use std::fmt;

/// The maximum number of commands in a value: the replacement of each may be long.
const COMMANDS: usize = 16;

/// What a command asks about a request and its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// `address:port` of the client, as far as it is trusted.
    RemoteAddress,
    /// `address:port` where the connection came in.
    LocalAddress,
    /// `HTTP/1.1`.
    Protocol,
    /// The server name that the client asked for.
    ServerName,
    /// `TLSv1.3`.
    TlsVersion,
    /// The subject of the client's certificate.
    PeerSubject,
    /// The SHA-256 of the client's certificate, in hex.
    PeerFingerprint,
    /// The subject of the gateway's certificate.
    LocalSubject,
    /// When the request arrived: nanoseconds since 1970, as eight bytes, little-endian.
    StartTime,
    /// The status of the response.
    ResponseCode,
}

/// Which part of a fact is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FormatPart {
    Whole,
    Address,
    Port,
    Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeaderCommand<'t> {
    Fact(Fact, FormatPart),
    /// The request's header of the first name, or else of the second.
    Header(&'t str, Option<&'t str>, Option<usize>),
}

/// A part of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'t> {
    Text(&'t str),
    /// What it means, and how it is written.
    Command(HeaderCommand<'t>, &'t str),
}

/// Why a value is not a valid format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadFormat {
    /// A percent sign that does not begin a command.
    Percent,
    /// A command that a filter cannot support, or that Envoy does not know.
    Unknown(String),
    /// A command with an invalid argument.
    Argument(String),
    /// The status of a response, in a request header.
    TooEarly,
    /// Too many commands.
    Many,
}

impl fmt::Display for BadFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent => write!(f, "write a percent sign as %%, or use one of Envoy's %COMMANDS%"),
            Self::Unknown(name) => write!(
                f,
                "%{name}% is not supported: the command does not exist, or its value is not available to a filter"
            ),
            Self::Argument(name) => write!(f, "%{name}% is not supported with this argument"),
            Self::TooEarly => write!(f, "%RESPONSE_CODE% is not known yet when a request is forwarded"),
            Self::Many => write!(f, "more than {COMMANDS} commands"),
        }
    }
}

/// The value of a header in a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderValue {
    /// Without commands.
    Plain(String),
    /// With commands.
    Format(String),
}

/// Reads a value of a request's or response's header.
pub(crate) fn read(text: &str, is_request: bool) -> Result<HeaderValue, BadFormat> {
    let pieces = parse(text)?;
    let commands = pieces.iter().filter_map(|piece| match piece {
        Piece::Command(command, _) => Some(command),
        Piece::Text(_) => None,
    });
    let commands: Vec<_> = commands.collect();
    if commands.is_empty() {
        return Ok(HeaderValue::Plain(text.replace("%%", "%")));
    }
    if commands.len() > COMMANDS {
        return Err(BadFormat::Many);
    }
    if is_request && commands.contains(&&HeaderCommand::Fact(Fact::ResponseCode, FormatPart::Whole)) {
        return Err(BadFormat::TooEarly);
    }
    Ok(HeaderValue::Format(text.to_owned()))
}

/// The request headers that a value asks for, as written.
#[must_use]
pub fn headers(text: &str) -> Vec<&str> {
    let pieces = parse(text).unwrap_or_default();
    let named = pieces.into_iter().filter_map(|piece| match piece {
        Piece::Command(HeaderCommand::Header(first, second, _), _) => Some([Some(first), second]),
        _ => None,
    });
    named.flatten().flatten().collect()
}

/// What commands are replaced with.
pub trait Facts {
    /// A fact; none if it does not exist.
    fn fact(&self, fact: Fact) -> Option<Vec<u8>>;
    /// The first value of a request header, whose name is lower-case; none if there is none.
    fn request_header(&self, name: &str) -> Option<Vec<u8>>;
}

/// The value of a format; none if nothing must be written.
#[must_use]
pub fn value(format: &str, facts: &dyn Facts) -> Option<Vec<u8>> {
    let mut value = Vec::new();
    for piece in parse(format).ok()? {
        match piece {
            Piece::Text(text) => value.extend(text.bytes()),
            Piece::Command(command, _) => value.extend(command.value(facts).unwrap_or_default()),
        }
    }
    written(value)
}

/// Removes what must not be in a header; names in certificates may contain anything.
fn written(mut value: Vec<u8>) -> Option<Vec<u8>> {
    value.retain(|byte| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7f));
    (!value.is_empty()).then_some(value)
}

/// The value to be shown, as far as it is known: other commands stay as written. None if nothing must be written.
#[must_use]
pub fn shown(format: &str, facts: &dyn Facts) -> Option<Vec<u8>> {
    let pieces = parse(format).unwrap_or_default();
    let each = pieces.into_iter().flat_map(|piece| match piece {
        Piece::Text(text) => text.as_bytes().to_vec(),
        Piece::Command(command @ HeaderCommand::Header(..), _) => command.value(facts).unwrap_or_default(),
        Piece::Command(command, written) => command.value(facts).unwrap_or_else(|| written.into()),
    });
    written(each.collect())
}

impl HeaderCommand<'_> {
    fn value(&self, facts: &dyn Facts) -> Option<Vec<u8>> {
        match self {
            Self::Fact(fact, part) => part.of(facts.fact(*fact)?),
            Self::Header(first, second, most) => {
                let own = |name: &str| facts.request_header(&name.to_ascii_lowercase());
                let mut value = own(first).or_else(|| own((*second)?))?;
                value.truncate(most.unwrap_or(usize::MAX));
                Some(value)
            }
        }
    }
}

impl FormatPart {
    fn of(self, value: Vec<u8>) -> Option<Vec<u8>> {
        let at_colon = || value.iter().rposition(|byte| *byte == b':');
        match self {
            Self::Whole => Some(value),
            Self::Address => {
                let address = value.get(..at_colon()?)?;
                let bare = address
                    .strip_prefix(b"[")
                    .and_then(|rest| rest.strip_suffix(b"]"));
                Some(bare.unwrap_or(address).to_vec())
            }
            Self::Port => Some(value.get(at_colon()? + 1..)?.to_vec()),
            Self::Time => {
                let nanoseconds: [u8; 8] = value.try_into().ok()?;
                Some(time::written(i64::from_le_bytes(nanoseconds)).into_bytes())
            }
        }
    }
}

fn parse(text: &str) -> Result<Vec<Piece<'_>>, BadFormat> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        if let Some(after) = after.strip_prefix('%') {
            pieces.push(Piece::Text("%"));
            rest = after;
            continue;
        }
        let end = end_of_command(after).ok_or(BadFormat::Percent)?;
        let inner = after.get(..end).unwrap_or_default();
        let written = rest.get(before.len()..before.len() + end + 2).unwrap_or_default();
        pieces.push(Piece::Command(command(inner)?, written));
        rest = after.get(end + 1..).unwrap_or_default();
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

/// The position of the percent sign that ends a command: `NAME` or `NAME(...)`, either perhaps with `:NUMBER`.
fn end_of_command(text: &str) -> Option<usize> {
    let is_of_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let length = |text: &str, is: &dyn Fn(u8) -> bool| text.bytes().take_while(|byte| is(*byte)).count();
    let mut at = length(text, &is_of_name);
    if at == 0 {
        return None;
    }
    if let Some(rest) = text.get(at..).and_then(|rest| rest.strip_prefix('(')) {
        at += rest.find(')')? + 2;
    }
    if let Some(rest) = text.get(at..).and_then(|rest| rest.strip_prefix(':')) {
        let digits = length(rest, &|byte| byte.is_ascii_digit());
        at += if digits > 0 { digits + 1 } else { return None };
    }
    text.get(at..)?.starts_with('%').then_some(at)
}

fn command(inner: &str) -> Result<HeaderCommand<'_>, BadFormat> {
    let name = inner.split(['(', ':']).next().unwrap_or(inner);
    let behind = inner.get(name.len()..).unwrap_or_default();
    if name == "REQ" {
        return header(behind).ok_or_else(|| BadFormat::Argument(name.to_owned()));
    }
    let (fact, part) = match name {
        "DOWNSTREAM_REMOTE_ADDRESS" => (Fact::RemoteAddress, FormatPart::Whole),
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => (Fact::RemoteAddress, FormatPart::Address),
        "DOWNSTREAM_REMOTE_PORT" => (Fact::RemoteAddress, FormatPart::Port),
        "DOWNSTREAM_LOCAL_ADDRESS" => (Fact::LocalAddress, FormatPart::Whole),
        "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT" => (Fact::LocalAddress, FormatPart::Address),
        "DOWNSTREAM_LOCAL_PORT" => (Fact::LocalAddress, FormatPart::Port),
        "PROTOCOL" => (Fact::Protocol, FormatPart::Whole),
        "REQUESTED_SERVER_NAME" => (Fact::ServerName, FormatPart::Whole),
        "DOWNSTREAM_TLS_VERSION" => (Fact::TlsVersion, FormatPart::Whole),
        "DOWNSTREAM_PEER_SUBJECT" => (Fact::PeerSubject, FormatPart::Whole),
        "DOWNSTREAM_PEER_FINGERPRINT_256" => (Fact::PeerFingerprint, FormatPart::Whole),
        "DOWNSTREAM_LOCAL_SUBJECT" => (Fact::LocalSubject, FormatPart::Whole),
        "START_TIME" => (Fact::StartTime, FormatPart::Time),
        "RESPONSE_CODE" => (Fact::ResponseCode, FormatPart::Whole),
        _ => return Err(BadFormat::Unknown(name.to_owned())),
    };
    if behind.is_empty() {
        Ok(HeaderCommand::Fact(fact, part))
    } else {
        Err(BadFormat::Argument(name.to_owned()))
    }
}

/// `(FIRST?SECOND):LENGTH`, of which only the first name is required.
fn header(behind: &str) -> Option<HeaderCommand<'_>> {
    let (names, length) = behind.strip_prefix('(')?.split_once(')')?;
    let (first, second) = match names.split_once('?') {
        Some((first, second)) => (first, Some(second)),
        None => (names, None),
    };
    let is_name = |name: &str| {
        let bare = name.strip_prefix(':').unwrap_or(name);
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !bare.is_empty() && bare.bytes().all(is_of_name)
    };
    let length = match length.strip_prefix(':') {
        Some(digits) => Some(digits.parse().ok()?),
        None => None,
    };
    (is_name(first) && second.is_none_or(is_name)).then_some(HeaderCommand::Header(first, second, length))
}

#[cfg(test)]
mod tests;
