//! An explanation as `sealgate explain` and `/api/explain` give it, for people and for programs.

mod text;

use sealgate_core::explain::Question;
use serde::de::Error as _;

pub use self::text::text;

/// A line of a batch. A question is an object; serde alone would take a list of its fields too.
///
/// # Errors
/// It is no such object.
pub fn read(line: &[u8]) -> serde_json::Result<Question> {
    if line.trim_ascii_start().starts_with(b"[") {
        return Err(serde_json::Error::custom("expected an object, not a list"));
    }
    let question: Question = serde_json::from_slice(line)?;
    let odd = |name| serde_json::Error::custom(format!("{name}: must be at least 0 and less than 1"));
    question.check_draws().map_err(odd)?;
    Ok(question)
}
