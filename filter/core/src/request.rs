//! A request, from any source.

/// What a decision needs to know about a request. Headers are only read if a rule of the host needs them.
pub trait Request {
    /// `:authority`.
    fn authority(&self) -> &[u8];
    /// `:path`, query included.
    fn path(&self) -> &[u8];
    /// Calls `each` with every value of a header (`:method` and `:scheme` too); the name is lower-case.
    fn header(&self, name: &str, each: &mut dyn FnMut(&[u8]));
}
