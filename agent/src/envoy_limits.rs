//! The limits that Envoy gets from us. They protect an edge, and none ends a request that a rule means to last:
//! `docs/reference/envoy.md` lists them, and `--envoy-limits` sets others.

use std::str::FromStr;

use thiserror::Error;

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EnvoyLimit {
    /// A client's connection without requests.
    ConnectionIdle,
    /// A request on which nothing moves in either direction.
    StreamIdle,
    /// A request until its last byte has come.
    Request,
    /// A request until its headers have come.
    RequestHeaders,
    /// A handshake.
    Handshake,
    /// A client's machine that does not answer.
    Keepalive,
    /// What a connection buffers in each direction.
    ConnectionBuffer,
    /// Requests of a client at a time on one HTTP/2 connection.
    Http2Streams,
    /// What a client may send on one of them before it is read.
    Http2StreamWindow,
    /// What a client may send on all of them before it is read.
    Http2ConnectionWindow,
    /// A connection that is routed as a whole, without a byte in either direction.
    TcpIdle,
    /// A connection to an upstream, until it is there.
    UpstreamConnect,
    /// A connection to an upstream without requests.
    UpstreamIdle,
    /// Connections, requests that wait and requests that are open, each, to one upstream.
    UpstreamRequests,
    /// Retries at a time to one upstream.
    UpstreamRetries,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LimitUnit {
    Seconds,
    Bytes,
    Count,
}

/// A limit's word, unit and default, and what it may be.
struct LimitRow(EnvoyLimit, &'static str, LimitUnit, u32, (u32, u32));

const DAY_S: u32 = 86_400;
const INT: u32 = 0x7fff_ffff;

const ROWS: [LimitRow; 15] = {
    use EnvoyLimit as L;
    use LimitUnit::{Bytes, Count, Seconds};
    [
        LimitRow(
            L::ConnectionIdle,
            "connection-idle",
            Seconds,
            3600,
            (0, 30 * DAY_S),
        ),
        LimitRow(L::StreamIdle, "stream-idle", Seconds, 0, (0, 30 * DAY_S)),
        LimitRow(L::Request, "request", Seconds, 0, (0, 30 * DAY_S)),
        LimitRow(L::RequestHeaders, "request-headers", Seconds, 60, (0, 30 * DAY_S)),
        LimitRow(L::Handshake, "handshake", Seconds, 15, (1, DAY_S)),
        LimitRow(L::Keepalive, "keepalive", Seconds, 60, (0, 32_767)),
        LimitRow(
            L::ConnectionBuffer,
            "connection-buffer",
            Bytes,
            32 * 1024,
            (1024, INT),
        ),
        LimitRow(L::Http2Streams, "http2-streams", Count, 100, (1, INT)),
        LimitRow(
            L::Http2StreamWindow,
            "http2-stream-window",
            Bytes,
            64 * 1024,
            (65_535, INT),
        ),
        LimitRow(
            L::Http2ConnectionWindow,
            "http2-connection-window",
            Bytes,
            1024 * 1024,
            (65_535, INT),
        ),
        LimitRow(L::TcpIdle, "tcp-idle", Seconds, 3600, (0, 30 * DAY_S)),
        LimitRow(L::UpstreamConnect, "upstream-connect", Seconds, 5, (1, DAY_S)),
        LimitRow(L::UpstreamIdle, "upstream-idle", Seconds, 300, (0, 30 * DAY_S)),
        // Envoy's breakers of 1,024 are there for meshes; an edge that reaches them turns requests away for no reason.
        LimitRow(L::UpstreamRequests, "upstream-requests", Count, 65_536, (1, INT)),
        // A retry storm is worse than the failure.
        LimitRow(L::UpstreamRetries, "upstream-retries", Count, 1024, (0, INT)),
    ]
};

impl EnvoyLimit {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.0)
    }

    fn row(self) -> &'static LimitRow {
        // The rows stand in the order of the variants, which a test holds them to.
        &ROWS[self as usize]
    }

    /// Its word in `--envoy-limits`.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.row().1
    }

    /// A value as people write it: `1h`, `32768`.
    #[must_use]
    pub fn written(self, value: u32) -> String {
        match (self.row().2, value) {
            (LimitUnit::Bytes | LimitUnit::Count, _) | (_, 0) => value.to_string(),
            (LimitUnit::Seconds, value) if value % 3600 == 0 => format!("{}h", value / 3600),
            (LimitUnit::Seconds, value) => format!("{value}s"),
        }
    }
}

/// A value for each limit: seconds, bytes or a count. No seconds are no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvoyLimits([u32; ROWS.len()]);

impl Default for EnvoyLimits {
    fn default() -> Self {
        Self(ROWS.map(|row| row.3))
    }
}

impl EnvoyLimits {
    /// The value of a limit.
    #[must_use]
    pub fn of(&self, limit: EnvoyLimit) -> u32 {
        self.0[limit as usize]
    }
}

/// Not `NAME=VALUE,...`.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EnvoyLimitError {
    /// Neither a name nor a value.
    #[error("{0:?}: expected NAME=VALUE")]
    NoPair(String),
    /// No limit has this name.
    #[error("{0:?}: expected one of {names}", names = names())]
    UnknownName(String),
    /// The value is none.
    #[error("{name}={value}: expected {expected}")]
    BadValue {
        /// The limit's.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it may be.
        expected: String,
    },
}

fn names() -> String {
    ROWS.map(|row| row.1).join(", ")
}

impl FromStr for EnvoyLimits {
    type Err = EnvoyLimitError;

    fn from_str(text: &str) -> Result<Self, EnvoyLimitError> {
        let mut limits = Self::default();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| EnvoyLimitError::NoPair(pair.to_owned()))?;
            let row = ROWS.iter().find(|row| row.1 == name.trim());
            let row = row.ok_or_else(|| EnvoyLimitError::UnknownName(pair.to_owned()))?;
            limits.0[row.0 as usize] = read(row, value.trim())?;
        }
        Ok(limits)
    }
}

fn read(
    &LimitRow(limit, name, unit, _, (least, most)): &LimitRow,
    value: &str,
) -> Result<u32, EnvoyLimitError> {
    let number = match unit {
        LimitUnit::Seconds => seconds(value),
        LimitUnit::Bytes | LimitUnit::Count => value.parse().ok(),
    };
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| {
            let form = match unit {
                LimitUnit::Seconds => "a duration like 90s, 15m or 1h",
                LimitUnit::Bytes => "bytes",
                LimitUnit::Count => "a number",
            };
            EnvoyLimitError::BadValue {
                name,
                value: value.to_owned(),
                expected: format!("{form}, from {} to {}", limit.written(least), limit.written(most)),
            }
        })
}

fn seconds(text: &str) -> Option<u32> {
    let units = [("s", 1), ("m", 60), ("h", 3600), ("d", DAY_S)];
    let with_unit = units
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
    match with_unit {
        Some((number, seconds)) => number.parse::<u32>().ok()?.checked_mul(seconds),
        None => (text == "0").then_some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_stands_at_its_variant_and_its_default_is_allowed() {
        for (at, row) in ROWS.iter().enumerate() {
            assert_eq!(row.0 as usize, at, "{}", row.1);
            assert_eq!(read(row, &row.0.written(row.3)), Ok(row.3), "{}", row.1);
        }
    }

    #[test]
    fn limits_are_read_and_what_is_none_is_named() {
        let limits: EnvoyLimits = " stream-idle=15m, http2-streams=7 ,request=1d".parse().unwrap();
        assert_eq!(limits.of(EnvoyLimit::StreamIdle), 900);
        assert_eq!(limits.of(EnvoyLimit::Http2Streams), 7);
        assert_eq!(limits.of(EnvoyLimit::Request), DAY_S);
        assert_eq!(limits.of(EnvoyLimit::Handshake), 15);
        assert_eq!("".parse(), Ok(EnvoyLimits::default()));
        for (bad, expected) in [
            ("request", "\"request\": expected NAME=VALUE"),
            (
                "reqest=1s",
                "\"reqest=1s\": expected one of connection-idle, stream-idle",
            ),
            (
                "request=5",
                "request=5: expected a duration like 90s, 15m or 1h, from 0 to 720h",
            ),
            (
                "handshake=0",
                "handshake=0: expected a duration like 90s, 15m or 1h, from 1s to 24h",
            ),
            ("request=-1s", "request=-1s: expected"),
            ("request=99999999h", "request=99999999h: expected"),
            (
                "http2-streams=0",
                "http2-streams=0: expected a number, from 1 to 2147483647",
            ),
            (
                "http2-stream-window=1k",
                "http2-stream-window=1k: expected bytes, from 65535",
            ),
        ] {
            let error = bad.parse::<EnvoyLimits>().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{bad}: {error}");
        }
    }
}
