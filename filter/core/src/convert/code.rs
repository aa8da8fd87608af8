//! What can be wrong with a rule.

/// What is wrong with, or to be said of, one field. The words that people see are not ours: a program that shows problems
/// has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemCode {
    /// `ambiguous-action`: more than one of them.
    AmbiguousAction,
    /// `ambiguous-authority`: the host is set in more than one place of one level.
    AmbiguousAuthority,
    /// `ambiguous-match`: more than one of exact, prefix and regex.
    AmbiguousMatch,
    /// `ambiguous-rewrite`: `uri` and `uriRegexRewrite`.
    AmbiguousRewrite,
    /// `bad-body`: the body is not one of string and base64 bytes, or the status has none.
    BadBody,
    /// `bad-cors`: `unmatchedPreflights` is neither FORWARD nor IGNORE.
    BadCors,
    /// `bad-delegate`: a delegate without a name, or one that delegates further.
    BadDelegate,
    /// `bad-duration`: not a duration such as `1.5s`, or below 1 ms.
    BadDuration,
    /// `bad-fault`: a fault with neither delay nor abort, a delay without `fixedDelay`, an exponential delay, an abort without a status.
    BadFault,
    /// `bad-path`: a path holds visible ASCII alone.
    BadPath,
    /// `bad-percentage`: a share that is not from 0 to 100.
    BadPercentage,
    /// `bad-redirect`: a redirect that says nothing, or what it cannot have.
    BadRedirect,
    /// `bad-regex`: not RE2 syntax, or too large.
    BadRegex,
    /// `bad-retries`: `attempts` or `retryOn` cannot be read, or there are no attempts to be said anything of.
    BadRetries,
    /// `bad-rewrite`: a rewrite that says nothing, or a template that cannot be filled in.
    BadRewrite,
    /// `bad-status`: the status of a `directResponse` or an abort is not from 200 to 599, or not one of gRPC's names.
    BadStatus,
    /// `bad-weight`: a negative weight.
    BadWeight,
    /// `empty-match`: a condition without exact, prefix or regex, or an empty one of the latter two.
    EmptyMatch,
    /// `forbidden-header`: a header operation on what the gateway vouches for, what steers Envoy, or what frames messages.
    ForbiddenHeader,
    /// `header-dropped`: names that start with `:` and `host` cannot be set here.
    HeaderDropped,
    /// `invalid-header-name`: not a header's name.
    InvalidHeaderName,
    /// `invalid-header-value`: a control character in a header's value or a host.
    InvalidHeaderValue,
    /// `no-action`: none of route, redirect, directResponse.
    NoAction,
    /// `no-destination`: a destination without a host.
    NoDestination,
    /// `no-effect`: a fault without a percentage; what needs an upstream, on a redirect or direct response.
    NoEffect,
    /// `no-weight`: every weight is 0.
    NoWeight,
    /// `over-limit`: more, or longer, than is taken.
    OverLimit,
    /// `not-carried-out`: a field that Sealgate knows and does not carry out; an error where leaving it out would be wrong.
    NotCarriedOut,
}
