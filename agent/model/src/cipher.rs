//! The cipher suites of a server, as Envoy's TLS library (BoringSSL) reads them: a list of names, aliases, groups of equal
//! preference and operators, of which something has to be left. Those of TLS 1.3 cannot be chosen, and their names do nothing.

mod list;
mod suites;

pub use self::suites::{KeyKind, Suite};

use self::list::BadRule;
use self::suites::{ENVOYS_OWN, TLS_1_3};

/// Why Envoy refuses a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadSuites {
    /// This entry cannot be read: why.
    Entry(usize, BadRule),
    /// Nothing is left of it.
    Nothing,
}

/// The suites that a list leaves; Envoy's own, if there is no list.
///
/// # Errors
/// Envoy refuses it.
pub fn chosen(entries: &[String]) -> Result<Vec<&'static Suite>, BadSuites> {
    let joined = entries.join(":");
    if joined.is_empty() {
        return Ok(ENVOYS_OWN.iter().collect());
    }
    match list::chosen(&joined) {
        Ok(suites) if suites.is_empty() => Err(BadSuites::Nothing),
        Ok(suites) => Ok(suites),
        Err((reason, at)) => Err(BadSuites::Entry(entry_of(entries, at), reason)),
    }
}

/// Whether this is a suite of TLS 1.3.
#[must_use]
pub fn is_of_tls_1_3(entry: &str) -> bool {
    TLS_1_3.contains(&entry)
}

/// The entry that a place of the joined list lies in.
fn entry_of(entries: &[String], at: usize) -> usize {
    let mut end = 0;
    let ends = entries.iter().map(|entry| {
        end += entry.len() + 1;
        end
    });
    ends.take_while(|end| *end <= at)
        .count()
        .min(entries.len().saturating_sub(1))
}

#[cfg(test)]
mod tests;
