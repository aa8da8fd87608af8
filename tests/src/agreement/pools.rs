//! The values to choose from. There are few, so that requests match rules.

use fastrand::Rng;

/// Upstreams, by name.
pub(super) const UPSTREAMS: [&str; 2] = ["one", "two"];
/// What each of them sends besides its answer's length.
pub(super) const OF_UPSTREAMS: [(&str, &str); 3] = [("x-a", "up"), ("x-b", "up"), ("x-b", "again")];
/// The server that clients ask for.
pub(super) const SNI: &str = "sni.example";
/// Paths that rules name.
pub(super) const PATHS: &[&str] = &["/", "/a", "/a/", "/a/b", "/b", "/B", "/a.b", "/c/d/e"];
/// What requests have before a path, or between its parts.
pub(super) const ODD: &[&str] = &[
    "/", "/./", "//", "/../", "/x/../", "/%2e%2e/", "/%61", "/%2f", "/%5c", "/\\", "/;x/", "/..;/", "/%",
    "/%41", "/~",
];
/// Behind a path, in requests.
pub(super) const BEHIND: &[&str] = &[
    "",
    "",
    "",
    "",
    "?",
    "?q=1",
    "?q=2&r",
    "?x=/a&q=1",
    "/",
    "//",
    "/.",
    "/%2e",
    "#f",
    "%00",
];
/// Targets that are no paths.
pub(super) const TARGETS: &[&str] = &[
    "*",
    "",
    "a",
    "?q",
    "/a b",
    "/é",
    "https://z.example/a",
    "ftp://z.example/a",
    "http:///a",
];
/// Paths that rules write, not all of which begin with a slash.
pub(super) const WRITTEN: &[&str] = &["/", "/n", "/n/", "n", "/n?own=1", "//n", "/n%2fm", "/n/../m"];
/// Regexes for paths.
pub(super) const REGEXES: &[&str] = &["/a.*", "/[ab]", ".*b", "/a/?", "/(a|b)/.*", "(?i)/B.*", ""];
/// What is replaced, and by what.
pub(super) const REPLACED: &[(&str, &str)] = &[
    ("/a", "/z"),
    ("^/", ""),
    ("([a-z])", "\\1\\1"),
    ("/.*", ""),
    ("b$", "/"),
];
/// Names of headers that rules and requests know.
pub(super) const NAMES: &[&str] = &[
    "x-a",
    "x-b",
    "user-agent",
    "accept",
    "x-forwarded-proto",
    "cookie",
];
/// Values of theirs.
pub(super) const VALUES: &[&str] = &["1", "2", "12", "https", "http", ""];
/// Origins.
pub(super) const ORIGINS: &[&str] = &["http://o.test", "https://o.test", "null"];
/// Methods.
pub(super) const METHODS: &[&str] = &[
    "GET", "GET", "GET", "GET", "POST", "PUT", "OPTIONS", "OPTIONS", "DELETE", "PATCH", "HEAD", "HEAD",
    "TRACE", "PURGE",
];
/// What rules write into headers of requests.
pub(super) const WRITTEN_VALUES: &[&str] = &[
    "s",
    "t",
    "100%%",
    "%REQ(x-a)%",
    "%REQ(COOKIE):1%",
    "<%REQ(x-b?x-a)%>",
    "%REQ(x-set)%%REQ(x-add)%",
    "%REQ(user-agent)%",
    "%REQ(cookie)%",
    "%REQ(:method)% %REQ(:path)% %PROTOCOL%",
    "%REQ(:authority?host)% %REQ(:scheme)%",
    "%REQ(x-forwarded-proto)%",
    "%REQUESTED_SERVER_NAME%",
    "%DOWNSTREAM_TLS_VERSION%",
    "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
];
/// What they write into those of responses besides.
pub(super) const STATUS: &str = "%RESPONSE_CODE%";
/// Names of headers that rules write.
pub(super) const SET: &[&str] = &["x-set", "x-a", "x-b", "user-agent", "accept"];
/// Names that rules append to, and take off.
pub(super) const ADDED: &[&str] = &["x-add", "x-a", "x-b", "x-set", "accept"];
/// How far Envoy brings a path into one form, and what becomes of escaped slashes.
pub(super) const NORMALIZATIONS: &[&str] = &["none", "base", "merge-slashes", "decode-and-merge-slashes"];
pub(super) const ESCAPED_SLASHES: &[&str] = &["keep", "reject", "redirect", "unescape"];
/// Mirrors, and their percentages: each list is a native route from the start.
pub(super) const MIRRORS: &[&[(&str, u8)]] = &[
    &[("glass.local", 100)],
    &[("glass.local", 50)],
    &[("one.local", 100), ("glass.local", 100)],
];
/// Hosts of others.
pub(super) const OTHERS: &[&str] = &["other.example", "o.test:81"];

/// One of them.
pub(super) fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

/// Whether it happens, once in so many times.
pub(super) fn once_in(rng: &mut Rng, times: u32) -> bool {
    rng.u32(..times) == 0
}
