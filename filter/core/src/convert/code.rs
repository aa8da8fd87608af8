//! What can be wrong with a rule.

/// The kind of a problem with one field. Programs that show problems use their own names for these.
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
    /// `bad-body`: the body is neither a string nor base64 bytes, or the status must not have one.
    BadBody,
    /// `bad-cors`: `unmatchedPreflights` is neither FORWARD nor IGNORE.
    BadCors,
    /// `bad-delegate`: a delegate without a name, or one that delegates further.
    BadDelegate,
    /// `bad-duration`: not a duration such as `1.5s`, or below 1 ms.
    BadDuration,
    /// `bad-fault`: a fault with neither delay nor abort, a delay without `fixedDelay`, an exponential delay, an abort
    /// without a status.
    BadFault,
    /// `bad-path`: a path with anything but visible ASCII.
    BadPath,
    /// `bad-percentage`: a percentage that is not from 0 to 100.
    BadPercentage,
    /// `bad-redirect`: a redirect without any field, or with one that it cannot have.
    BadRedirect,
    /// `bad-regex`: not RE2 syntax, or too large.
    BadRegex,
    /// `bad-retries`: `attempts` or `retryOn` cannot be read, or there are settings although there are no attempts.
    BadRetries,
    /// `bad-rewrite`: a rewrite without any field, or a template that cannot be filled in.
    BadRewrite,
    /// `bad-status`: the status of a `directResponse` or an abort is not from 200 to 599, or not one of gRPC's names.
    BadStatus,
    /// `bad-weight`: a negative weight.
    BadWeight,
    /// `empty-match`: a condition without exact, prefix or regex, or an empty one of the latter two.
    EmptyMatch,
    /// `forbidden-header`: a header operation on a header that the gateway vouches for, that steers Envoy, or that
    /// frames messages.
    ForbiddenHeader,
    /// `header-dropped`: names that start with `:` and `host` cannot be set here.
    HeaderDropped,
    /// `invalid-header-name`: not a header name.
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
    /// `over-limit`: more, or longer, than the limit.
    OverLimit,
    /// `not-carried-out`: a field that Sealgate knows but does not support; an error if ignoring it would be wrong.
    NotCarriedOut,
}
