//! Whether a pattern can match anything at all, told from its automaton: its states are walked, not its strings.

use std::collections::HashSet;

use regex_automata::nfa::thompson::{NFA, State, Transition, WhichCaptures};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;

/// A thousand rules with regexes of many thousand states would hold the changes of all others up for seconds: what is larger
/// is not looked at.
const MAX_BYTES: usize = 1 << 16;

/// The values that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// Any bytes.
    Any,
    /// Begin with `/`, and hold neither `?` nor `#`.
    Paths,
}

/// How much of a value was read on the way to a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Read {
    Nothing,
    Something,
    /// The way here holds only at a value's end.
    Everything,
}

/// Whether some value matches all of `pattern`. In doubt (word boundaries, line ends) it may.
pub(super) fn can_match(pattern: &str, values: Values) -> bool {
    let config = NFA::config()
        .nfa_size_limit(Some(MAX_BYTES))
        .utf8(false)
        .which_captures(WhichCaptures::None);
    let nfa = NFA::compiler()
        .configure(config)
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .build(pattern);
    nfa.map_or(true, |nfa| Walk { nfa: &nfa, values }.reaches_match())
}

struct Walk<'n> {
    nfa: &'n NFA,
    values: Values,
}

impl Walk<'_> {
    fn reaches_match(&self) -> bool {
        let start = (self.nfa.start_anchored(), Read::Nothing);
        let (mut seen, mut open) = (HashSet::from([start]), vec![start]);
        while let Some((id, read)) = open.pop() {
            let next: Vec<_> = match self.nfa.state(id) {
                State::Match { .. } if self.values == Values::Any || read != Read::Nothing => return true,
                State::Match { .. } | State::Fail => Vec::new(),
                State::ByteRange { trans } => self.byte(read, trans).into_iter().collect(),
                State::Sparse(sparse) => {
                    let transitions = sparse.transitions.iter();
                    transitions
                        .filter_map(|transition| self.byte(read, transition))
                        .collect()
                }
                State::Dense(dense) => {
                    let bytes = 0..=u8::MAX;
                    let transitions = bytes.filter_map(|byte| Some((byte, dense.matches_byte(byte)?)));
                    let steps = transitions.map(|(start, next)| Transition {
                        start,
                        end: start,
                        next,
                    });
                    steps.filter_map(|step| self.byte(read, &step)).collect()
                }
                State::Look { look, next } => at(*look, read).map(|read| (*next, read)).into_iter().collect(),
                State::Union { alternates } => alternates.iter().map(|next| (*next, read)).collect(),
                State::BinaryUnion { alt1, alt2 } => vec![(*alt1, read), (*alt2, read)],
                State::Capture { next, .. } => vec![(*next, read)],
            };
            open.extend(next.into_iter().filter(|step| seen.insert(*step)));
        }
        false
    }

    fn byte(&self, read: Read, range: &Transition) -> Option<(StateID, Read)> {
        let mut bytes = range.start..=range.end;
        let there_is_one = match (read, self.values) {
            (Read::Everything, _) => false,
            (_, Values::Any) => true,
            (Read::Nothing, Values::Paths) => bytes.contains(&b'/'),
            (Read::Something, Values::Paths) => bytes.any(|byte| !b"?#".contains(&byte)),
        };
        there_is_one.then_some((range.next, Read::Something))
    }
}

/// Whether a place in a value can be `look`.
fn at(look: Look, read: Read) -> Option<Read> {
    match (look, read) {
        (Look::Start, Read::Something) => None,
        (Look::End, Read::Something) => Some(Read::Everything),
        // Of an empty value start and end are the same place, and more could still be read; this keeps it simple.
        (_, read) => Some(read),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_no_value_matches_is_known() {
        for (pattern, any, path) in [
            ("/a.*", true, true),
            (".*", true, true),
            ("^/a$", true, true),
            ("(?:/a|/b)+", true, true),
            (r"\b/a", true, true),
            ("", true, false),
            ("a/b", true, false),
            ("api|v1/.*", true, false),
            ("(?:a|/)b", true, true),
            (r"/a\?b=1", true, false),
            ("/a?b", true, true),
            ("/a#b", true, false),
            ("/a^b", false, false),
            ("/a$b", false, false),
            ("/[a&&b]", false, false),
            ("/(?:[a&&b])?c", true, true),
        ] {
            assert_eq!(can_match(pattern, Values::Any), any, "{pattern}");
            assert_eq!(can_match(pattern, Values::Paths), path, "{pattern} as a path");
        }
    }
}
