//! How much of what there is the agent is for: `--only`.

/// What is read and served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    All,
    /// Secrets (`--only secrets`).
    Secrets,
}
