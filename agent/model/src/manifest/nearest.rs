//! The known word that a misspelled one probably means.

/// The nearest of these words; none if more than a third of its letters differ.
pub(super) fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let far = |other: &str| distance(&word.to_ascii_lowercase(), &other.to_ascii_lowercase());
    let ranked = known.into_iter().map(|other| (far(other), other));
    let (far, found) = ranked.min()?;
    let most = word.chars().count().max(found.chars().count()) / 3;
    (far <= most.max(1)).then_some(found)
}

/// How many letters must be inserted, removed, changed, or swapped with their neighbor.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let (mut before, mut last) = (Vec::new(), (0..=other.len()).collect::<Vec<_>>());
    for (row, letter) in one.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, against) in other.iter().enumerate() {
            let changed = last[column] + usize::from(letter != against);
            let mut least = changed.min(last[column + 1] + 1).min(next[column] + 1);
            let is_swap = row > 0 && column > 0 && one[row - 1] == *against && *letter == other[column - 1];
            if is_swap {
                least = least.min(before[column - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut last, next);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_another_word_finds_none() {
        let known = [
            "match",
            "route",
            "rewrite",
            "timeout",
            "retries",
            "corsPolicy",
            "headers",
            "mirror",
        ];
        for (word, found) in [
            ("timeuot", Some("timeout")),
            ("Retries", Some("retries")),
            ("retry", None),
            ("rewrites", Some("rewrite")),
            ("cors_policy", Some("corsPolicy")),
            ("mathc", Some("match")),
            ("websocketUpgrade", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, known), found, "{word}");
        }
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn letters_are_counted() {
        for (one, other, far) in [
            ("", "", 0),
            ("", "ab", 2),
            ("ab", "ba", 1),
            ("abc", "abd", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(
                (distance(one, other), distance(other, one)),
                (far, far),
                "{one} {other}"
            );
        }
    }
}
