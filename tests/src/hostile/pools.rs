//! Values from which hostile objects are made: plausible ones, those of attacks that are known, and nonsense.

use fastrand::Rng;
use serde_json::{Value, json};

/// What is known to disturb and is not mended yet: no object is made that has all texts of an entry. To be emptied.
pub(super) const KNOWN_KILLERS: &[&[&str]] = &[
    // Findings tell names and hosts as they are, and so a line feed in one begins a line of the agent's log.
    &[r"\nforged line"],
    // The name of a trust bundle as that of a server's certificate: Envoy keeps what it cannot use, and refuses the port's listener
    // from the next change on.
    &[r#"-cacert""#],
    // What one Gateway says of identity headers is told by every plain server of the port, those of others included.
    &["sealgate.dev/identity", r#""protocol":"HTTP""#],
];

/// How a line of the agent's log begins that the agent has not written; every value with a line feed goes on with it.
pub(super) const FORGED: &str = "forged line";

/// Namespaces of the attacker; the platform's namespaces come before them.
pub(super) const NAMESPACES: &[&str] = &[
    "evil", "evil", "evil", "evil-too", "default", "evil-too", "default",
];

/// Names of objects. A directory has no times: the smaller name is the older object, and the platform's begin with `a-`.
pub(super) const NAMES: &[&str] = &[
    "b",
    "bb",
    "c",
    "routes",
    "web",
    "zzz",
    "b\nforged line",
    "b c",
    "b/c",
    "ü",
    "b.c.d",
    "b'; --",
    "b{{}}",
    "b%s%n",
];

/// Host names that nobody else has, and those of others.
pub(super) const HOSTS: &[&str] = &[
    "evil.test",
    "evil.test",
    "evil.test",
    "a.evil.test",
    "*.evil.test",
    "*",
    "*.test",
    "*.com",
    "shop.test",
    "SHOP.test",
    "bank.test",
    "docs.test",
    "a.shop.test",
    "*.wild.test",
    "shop.test.",
    "bank.test.",
    "*.bank.test",
    "named.wild.test",
    "evil.wild.test",
    "*.evil.wild.test",
    "wild.test",
    "*test",
    "*.",
    ".",
    "..",
    "",
    "evil..test",
    "-evil.test",
    "evil_test",
    "evil.test:443",
    "[::1]",
    "::1",
    "127.0.0.1",
    "evil.test\nforged line",
    "evil test",
    "évil.test",
    "xn--vil-9la.test",
    "*.*.test",
    "e*.test",
    "evil\u{0}.test",
    "evil.test#",
    "%2a",
    "localhost",
];

/// What may stand before a server's host.
pub(super) const PREFIXES: &[&str] = &[
    "",
    "",
    "",
    "",
    "./",
    "*/",
    "evil/",
    "a-team/",
    "b-team/",
    "/",
    "//",
    "~/",
    "evil/evil/",
];

/// Hosts of destinations.
pub(super) const DESTINATIONS: &[&str] = &[
    "stolen.test",
    "stolen.test",
    "stolen.test",
    "stolen",
    "web.a-team.svc.cluster.local",
    "web",
    "bank.b-team.svc.cluster.local",
    "audit.b-team.svc.cluster.local",
    "docs.example",
    "nobody.test",
    "metadata.google.internal",
    "169.254.169.254",
    "127.0.0.1",
    "localhost",
    "*.test",
    "*",
    "",
    "x\nforged line",
    "outbound|80||web.a-team.svc.cluster.local",
    "sealgate",
    "xds",
    "a|b",
    "stolen.test.",
    "STOLEN.test",
    "é",
];

/// Hosts of ServiceEntries.
pub(super) const SERVICES: &[&str] = &[
    "stolen.test",
    "stolen.test",
    "stolen.test",
    "stolen.evil.svc.cluster.local",
    "web.a-team.svc.cluster.local",
    "bank.b-team.svc.cluster.local",
    "*.a-team.svc.cluster.local",
    "a.web.a-team.svc.cluster.local",
    "docs.example",
    "*.example",
    "WEB.a-team.svc.cluster.local",
    "web.a-team.svc.cluster.local.",
    "svc.cluster.local",
    "*",
    "",
    "a|b",
    "y\nforged line",
];

/// Names of Secrets. `evil` is the attacker's own.
pub(super) const CREDENTIALS: &[&str] = &[
    "evil",
    "evil",
    "evil",
    "evil",
    "missing",
    "shop",
    "bank",
    "wild",
    "evil-cacert",
    "bank-cacert",
    "a=b",
    "a,b",
    "bad\\",
    "../edge",
    "/etc/passwd",
    "",
    " ",
    "evil\nforged line",
    "EVIL",
    "kubernetes://evil",
    "b-team/bank",
    "istio-system/evil",
    "é",
    ".",
    "..",
    "a..b",
    "sds://evil",
    "file-cert:/etc/passwd~/etc/passwd",
    "default",
    "ROOTCA",
];

/// Patterns.
pub(super) const REGEXES: &[&str] = &[
    "/.*",
    "/a/[0-9]+",
    ".*",
    "(?i)/login",
    "^/login$",
    "(?s).*",
    "(a+)+$",
    "/(?:[a-z]{1000}){14}",
    ".*a.{4000}b",
    "(",
    "[",
    "\\",
    "*",
    "",
    "(?P<a>.)(?P<b>.)",
    "\\pL+",
    "\\C",
    "a{1001}",
    "((((((((((a))))))))))",
    "-----------------------------------------------",
    "/\u{fffd}",
    "(?:/[^/]*){50}",
    "\\1",
    "(?=a)",
    "\\x{10FFFF}",
    "(|)*",
    "(?:)",
];

/// Paths.
pub(super) const PATHS: &[&str] = &[
    "/",
    "/login",
    "/a",
    "//",
    "/;/",
    "/..",
    "/%2e",
    "",
    "a",
    "/a\nforged line",
    "/é",
    "/ ",
    "*",
    "/a?b",
    "/a#b",
    "/\\1",
    "/a/",
    "http://evil.test/",
    "-----------------------------------------------",
];

/// Names of headers.
pub(super) const HEADERS: &[&str] = &[
    "x-a",
    "x-keep-me",
    "x-amz-content-sha256",
    "cookie",
    "authorization",
    "x-forwarded-for",
    "content-type",
    "vary",
    "alt-svc",
    "grpc-status",
    "expect",
    "x-request-id",
    "x-envoy-original-path",
    "strict-transport-security",
    "x-client-cert-verified",
    "x-client-cert-subject",
    "X-Client-Cert-Verified",
    "x_client_cert_verified",
    "x-forwarded-client-cert",
    "x-sealgate-cluster",
    "x-envoy-retry-on",
    "x-envoy-upstream-rq-timeout-ms",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "host",
    "Host",
    ":path",
    ":authority",
    ":method",
    ":status",
    ":scheme",
    "",
    " ",
    "a b",
    "a\nforged line",
    "a:b",
    "é",
    "proxy-connection",
    "keep-alive",
    "grpc-timeout",
];

/// Values of headers, and other strings.
pub(super) const STRINGS: &[&str] = &[
    "a",
    "true",
    "0",
    "1",
    "close",
    "%REQ(host)%",
    "100-continue",
    "\\1",
    "chunked",
    "websocket",
    "",
    " ",
    "a\r\nx-b: c",
    "a\nforged line",
    "a\u{0}",
    "é",
    "%DOWNSTREAM_PEER_CERT%",
    "%",
    "%%",
    "{{",
    "\\99",
    "\\",
    "$1",
    "null",
    "~",
    "🔑",
    "\u{202e}",
    "-1",
    "1e999",
    "outbound|80||web.a-team.svc.cluster.local",
];

/// Durations.
pub(super) const DURATIONS: &[&str] = &[
    "1s",
    "1ms",
    "1h",
    "10s",
    "0s",
    "0.1ms",
    "-1s",
    "999999h",
    "1",
    "",
    "1s1s",
    "1e9s",
    "NaNs",
    "inf",
    "292y",
    "9223372036s",
    "9223372037s",
    "315576000000s",
    "1us",
];

/// Words that choose something, of any field.
pub(super) const WORDS: &[&str] = &[
    "SIMPLE",
    "MUTUAL",
    "OPTIONAL_MUTUAL",
    "PASSTHROUGH",
    "AUTO_PASSTHROUGH",
    "ISTIO_MUTUAL",
    "HTTP",
    "HTTP2",
    "GRPC",
    "HTTPS",
    "TLS",
    "TCP",
    "MONGO",
    "STATIC",
    "DNS",
    "DNS_ROUND_ROBIN",
    "NONE",
    "simple",
    "",
];

/// Numbers, and what is none.
const NUMBERS: &[i64] = &[
    0,
    1,
    -1,
    2,
    42,
    80,
    100,
    200,
    204,
    301,
    304,
    404,
    443,
    503,
    599,
    600,
    999,
    15000,
    65535,
    65536,
    70000,
    2_147_483_647,
    2_147_483_648,
    4_294_967_295,
    4_294_967_296,
    i64::MAX,
    i64::MIN,
];

/// Once in so many times a value may be odd.
const ODD: u32 = 7;

/// One of them: those in front are the plausible ones, and come more often. An object of nonsense alone is refused for the first
/// of it.
pub(super) fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    let plausible = from.len().div_ceil(3);
    let among = if once_in(rng, ODD) { from.len() } else { plausible };
    from.get(rng.usize(..among)).copied().unwrap_or_default()
}

/// Whether it happens, once in so many times.
pub(super) fn once_in(rng: &mut Rng, times: u32) -> bool {
    rng.u32(..times) == 0
}

/// A number.
pub(super) fn number(rng: &mut Rng) -> i64 {
    if !once_in(rng, ODD) {
        return rng.i64(1..=100);
    }
    NUMBERS
        .get(rng.usize(..NUMBERS.len()))
        .copied()
        .unwrap_or_default()
}

/// A status of HTTP, more often than not.
pub(super) fn status(rng: &mut Rng) -> i64 {
    let statuses = [200, 204, 205, 301, 304, 404, 421, 503, 599];
    if once_in(rng, ODD) {
        return number(rng);
    }
    statuses
        .get(rng.usize(..statuses.len()))
        .copied()
        .unwrap_or_default()
}

/// A text of any length, up to what a name may never have.
pub(super) fn long(rng: &mut Rng) -> String {
    let length = [60, 64, 253, 254, 256, 1_000, 4_096, 4_097, 9_000, 70_000];
    let length = length.get(rng.usize(..length.len())).copied().unwrap_or(64);
    let unit = pick(rng, &["a", "a.", "/a", "é", "-", "(", "%41"]);
    unit.repeat(length / unit.len().max(1) + 1)
}

/// Anything that JSON can say, for a field that wants something else.
pub(super) fn anything(rng: &mut Rng) -> Value {
    match rng.u8(..14) {
        0 => Value::Null,
        1 => json!(rng.bool()),
        2 | 3 => json!(number(rng)),
        4 => json!(1.5e300),
        5 => json!([]),
        6 => json!({}),
        7 => json!(long(rng)),
        8 => json!([null, [], {}]),
        9 => json!({"": "", "a": null}),
        10 => json!(pick(rng, HOSTS)),
        11 => json!(pick(rng, REGEXES)),
        12 => json!(pick(rng, WORDS)),
        _ => json!(pick(rng, STRINGS)),
    }
}
