//! Limits for a rule. The API server only limits objects to megabytes; these limits bound the cost of a request, so
//! that no rule harms others. `docs/reference/limits.md` shows them.

use super::{ProblemCode, Problems};

/// `match` blocks of a rule.
pub const MATCHES: usize = 1_024;
/// Conditions on headers and query parameters of one block.
pub const CONDITIONS: usize = 64;
/// Header operations of one direction, of a rule or of a destination.
pub const HEADER_OPERATIONS: usize = 128;
/// Bytes of a header's value that a rule sets.
pub const HEADER_VALUE: usize = 8 << 10;
/// Bytes of a path, a template or a host that a rule writes.
pub const PATH: usize = 4 << 10;
/// Bytes of the body of a `directResponse`; Istio's limit.
pub const BODY: usize = 1 << 20;

/// Destinations of a rule.
pub const DESTINATIONS: usize = 256;
/// Bytes that a rule's header operations take, once for each of its destinations.
pub const REPEATED_HEADERS: usize = 4 << 20;
/// Bytes that the different regexes of a VirtualService take, compiled.
pub const REGEXES: usize = 8 << 20;

/// Checks a number.
pub(super) fn count(found: usize, limit: usize, field: &str, problems: &mut Problems) {
    if found > limit {
        let message = format!("{found} entries; the limit is {limit}");
        problems.refuse(ProblemCode::OverLimit, field, message);
    }
}

/// Checks a number of bytes; returns whether it is within the limit.
pub(super) fn bytes(found: usize, limit: usize, field: &str, problems: &mut Problems) -> bool {
    if found > limit {
        let message = format!("{found} bytes: the limit is {limit}");
        problems.refuse(ProblemCode::OverLimit, field, message);
    }
    found <= limit
}

/// Checks the length of a text in bytes; returns whether it is within the limit.
pub(super) fn length(text: &str, limit: usize, field: &str, problems: &mut Problems) -> bool {
    bytes(text.len(), limit, field, problems)
}
