//! Replacements of what a pattern matches.

use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::util::captures::Captures;

use super::work::Work;
use crate::bounded::LONGEST_PATH;
use crate::undecided::Undecided;

/// A template: `\0` to `\9` are groups, `\\` is a backslash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replacement<'t>(pub(crate) &'t str);

impl Replacement<'_> {
    /// A value with every match replaced.
    ///
    /// # Errors
    /// The search costs too much, or the result is too long: it never exceeds the limit, not even in between.
    pub(super) fn apply(self, pattern: &PikeVM, value: &[u8], work: &Work) -> Result<Vec<u8>, Undecided> {
        let slots = pattern.get_nfa().group_info().slot_len();
        // Each thread copies its groups, eight words at a time; a quarter of all threads is already many.
        let per_byte = pattern.get_nfa().states().len() * (1 + slots / 8);
        let mut new = Replaced(Vec::with_capacity(value.len()));
        let mut done = 0;
        let mut cache = pattern.create_cache();
        let mut matches = pattern.captures_iter(&mut cache, value);
        loop {
            // A match may be known only at the end of the value.
            work.spend(per_byte.saturating_mul(value.len() - done) / 4)?;
            let Some(captures) = matches.next() else {
                break;
            };
            let Some(span) = captures.get_match().map(|found| found.span()) else {
                continue;
            };
            new.push(value.get(done..span.start).unwrap_or_default())?;
            self.expand(&captures, value, &mut new)?;
            done = span.end;
        }
        new.push(value.get(done..).unwrap_or_default())?;
        Ok(new.0)
    }

    fn expand(self, captures: &Captures, value: &[u8], new: &mut Replaced) -> Result<(), Undecided> {
        let mut bytes = self.0.bytes();
        while let Some(byte) = bytes.next() {
            if byte != b'\\' {
                new.push(&[byte])?;
                continue;
            }
            match bytes.next() {
                Some(digit @ b'0'..=b'9') => {
                    let group = captures.get_group(usize::from(digit - b'0'));
                    new.push(group.and_then(|span| value.get(span.range())).unwrap_or_default())?;
                }
                Some(other) => new.push(&[other])?,
                None => new.push(b"\\")?,
            }
        }
        Ok(())
    }
}

/// The result so far; never too long.
struct Replaced(Vec<u8>);

impl Replaced {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Undecided> {
        if self.0.len() + bytes.len() > LONGEST_PATH {
            return Err(Undecided::TooLong);
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}
