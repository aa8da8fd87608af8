//! Rust as a list of tokens: enough to see what a file refers to and defines, also within macros.

/// The tokens of a text, with `::` as one; without comments, and with `"` for each literal.
pub(crate) fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, is_token) = next(rest, first);
        let (token, after) = rest.split_at(length.min(rest.len()));
        if is_token {
            tokens.push(if is_literal(token) { "\"" } else { token });
        }
        rest = after;
    }
    tokens
}

fn is_literal(token: &str) -> bool {
    token.len() > 1 && token.ends_with(['"', '\'', '#'])
}

/// The length of the next token, and whether it counts.
fn next(rest: &str, first: char) -> (usize, bool) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), false);
    }
    if rest.starts_with("/*") {
        return (comment(rest), false);
    }
    if let Some(length) = raw_string(rest) {
        return (length, true);
    }
    let quote = rest.strip_prefix('b').unwrap_or(rest);
    if quote.starts_with('"') {
        return (rest.len() - quote.len() + quoted(quote, '"'), true);
    }
    if let Some(length) = character(quote) {
        return (rest.len() - quote.len() + length, true);
    }
    if is_word(first) {
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        return (length, true);
    }
    if rest.starts_with("::") {
        return (2, true);
    }
    (first.len_utf8(), !first.is_whitespace())
}

/// The length of a block comment, which may be nested.
fn comment(rest: &str) -> usize {
    let (mut at, mut deep) = (0, 0);
    while let Some(left) = rest.get(at..).filter(|left| !left.is_empty()) {
        let step = match left.get(..2) {
            Some("/*") => 1,
            Some("*/") => -1,
            _ => 0,
        };
        deep += step;
        at += if step == 0 {
            left.chars().next().map_or(1, char::len_utf8)
        } else {
            2
        };
        if deep == 0 {
            break;
        }
    }
    at
}

/// `r"..."`, `r#"..."#` and the same for bytes.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after.get(hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end)? + end.len();
    Some(rest.len() - body.len() + length)
}

/// From one quote to the next that is not escaped.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if !escaped && c == quote {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// A character literal, as opposed to a lifetime.
fn character(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix('\'')?;
    let first = body.chars().next()?;
    let is_one = body.get(first.len_utf8()..)?.starts_with('\'');
    (first == '\\' || is_one).then(|| {
        if first == '\\' {
            quoted(rest, '\'')
        } else {
            first.len_utf8() + 2
        }
    })
}

/// Removes everything that is only for tests.
pub(crate) fn without_tests<'t>(tokens: &[&'t str]) -> Vec<&'t str> {
    const TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if tokens.get(at..).is_some_and(|rest| rest.starts_with(&TEST)) {
            at += TEST.len();
            at += item(tokens.get(at..).unwrap_or_default());
        } else {
            kept.push(*token);
            at += 1;
        }
    }
    kept
}

/// The length of an item: until the end of its block, or its semicolon.
fn item(tokens: &[&str]) -> usize {
    let mut deep = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "{" => deep += 1,
            "}" => deep = deep.saturating_sub(1),
            _ => {}
        }
        if deep == 0 && matches!(*token, "}" | ";" | ",") {
            return at + 1;
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_name_nothing() {
        let text = r##"// crate::a
            /* crate::b /* c */ crate::d */ let x: &'static str = "crate::e \" f"; // "
            call(b"g", 'h', '\'', b'"', r#"crate::i " "#, x::<'a>::y)"##;
        let expected = [
            "let", "x", ":", "&", "'", "static", "str", "=", "\"", ";", "call", "(", "\"", ",", "\"", ",",
            "\"", ",", "\"", ",", "\"", ",", "x", "::", "<", "'", "a", ">", "::", "y", ")",
        ];
        assert_eq!(tokens(text), expected);
    }

    #[test]
    fn what_is_for_tests_alone_goes() {
        let text = "a; #[cfg(test)] use b::{c, d}; e; #[cfg(test)] mod f { fn g() { h } } i";
        assert_eq!(without_tests(&tokens(text)).join(" "), "a ; ; e ; i");
    }
}
