use super::*;
use crate::rules::{
    Action, DirectAction, MatchConfig, RuleConfig, RuleOrigin, StringMatcher, VirtualHostConfig,
};
use crate::table::block::HostBlock;
use crate::table::view::HostView;

/// Blocks by their uri; a leading `!` ignores case.
fn index(uris: &[(&str, &str)]) -> HostBlock {
    let blocks: Vec<MatchConfig> = uris
        .iter()
        .map(|(kind, text)| {
            let (kind, ignore_uri_case) = kind.strip_prefix('!').map_or((*kind, false), |kind| (kind, true));
            let text = (*text).to_owned();
            let uri = match kind {
                "exact" => Some(StringMatcher::Exact(text)),
                "prefix" => Some(StringMatcher::Prefix(text)),
                "regex" => Some(StringMatcher::Regex(text)),
                _ => None,
            };
            MatchConfig {
                uri,
                ignore_uri_case,
                ..MatchConfig::default()
            }
        })
        .collect();
    let rule = RuleConfig {
        origin: RuleOrigin::default(),
        matches: blocks,
        action: Action::Direct(DirectAction::default()),
    };
    HostBlock::encode(&VirtualHostConfig {
        rules: vec![rule],
        ..VirtualHostConfig::default()
    })
    .unwrap()
}

fn candidates(block: &HostBlock, path: &str) -> Vec<Position> {
    let host = HostView::read(block.as_bytes()).unwrap();
    let regexes = Regexes::default();
    let mut candidates = host.candidates(path.as_bytes()).unwrap();
    std::iter::from_fn(|| candidates.next(&host, &regexes).unwrap()).collect()
}

#[test]
fn only_what_the_path_begins_with_is_a_candidate_and_in_declared_order() {
    let index = index(&[
        ("prefix", "/a/b"),
        ("exact", "/a"),
        ("prefix", "/"),
        ("regex", "/a/[0-9]+"),
        ("none", ""),
        ("prefix", "/a"),
        ("!prefix", "/A"),
        ("!exact", "/A/B"),
        ("prefix", "/b"),
        ("exact", "/a"),
    ]);
    for (path, expected) in [
        ("/a", &[1, 2, 4, 5, 6, 9][..]),
        ("/a?x=/a/b", &[1, 2, 4, 5, 6, 9]),
        ("/a/b", &[0, 2, 3, 4, 5, 6, 7]),
        ("/A/b", &[2, 4, 6, 7]),
        ("/ab", &[2, 4, 5, 6]),
        ("/b/a", &[2, 4, 8]),
        ("", &[4]),
        ("*", &[4]),
    ] {
        // A regex is tried if the path begins with its literal prefix.
        let expected: Vec<Position> = expected
            .iter()
            .copied()
            .filter(|at| *at != 3 || path.starts_with("/a/"))
            .collect();
        assert_eq!(candidates(&index, path), expected, "{path}");
    }
}

#[test]
fn nested_keys_are_found_from_any_neighbour() {
    let keys: Vec<String> = (1..40).map(|length| format!("/{}", "a".repeat(length))).collect();
    let index = index(
        &keys
            .iter()
            .map(|key| ("prefix", key.as_str()))
            .collect::<Vec<_>>(),
    );
    assert_eq!(candidates(&index, "/aab"), [0, 1]);
    assert_eq!(candidates(&index, &format!("/{}", "a".repeat(100))).len(), 39);
    assert_eq!(candidates(&index, "/b"), [] as [Position; 0]);
}

#[test]
fn many_regexes_are_one_set() {
    let patterns: Vec<String> = (0..50).map(|at| format!(r"(?:/x|/y)/{at}(?:/.*)?")).collect();
    let mut uris: Vec<(&str, &str)> = patterns
        .iter()
        .map(|pattern| ("regex", pattern.as_str()))
        .collect();
    uris.push(("prefix", "/y"));
    let index = index(&uris);
    assert_eq!(candidates(&index, "/y/7/z"), [7, 50]);
    assert_eq!(candidates(&index, "/x/49"), [49]);
    assert_eq!(candidates(&index, "/x/50"), [] as [Position; 0]);
}
