//! Reads XFCC like a strict upstream, only by Envoy's documentation, independently of the writer: elements are
//! separated by commas, pairs by semicolons; a value in quotes may contain both, and a quote as `\"`.

/// The elements' keys and values.
pub(super) fn read(text: &str) -> Option<Vec<Vec<(String, String)>>> {
    let mut elements = vec![Vec::new()];
    let mut rest = text;
    loop {
        let (key, after) = rest.split_once('=')?;
        if !["By", "Hash", "Cert", "Chain", "Subject", "URI", "DNS"].contains(&key) {
            return None;
        }
        let (value, after) = value(after)?;
        elements.last_mut()?.push((key.to_owned(), value));
        match after.split_at_checked(1) {
            None => return Some(elements),
            Some((";", next)) => rest = next,
            Some((",", next)) => {
                elements.push(Vec::new());
                rest = next;
            }
            _ => return None,
        }
    }
}

/// A value, and the rest.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', ';']).unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        return (!value.contains(['=', '"'])).then(|| (value.to_owned(), after));
    };
    let mut value = String::new();
    loop {
        if let Some(after) = rest.strip_prefix("\\\"") {
            value.push('"');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('"') {
            return Some((value, after));
        } else {
            let character = rest.chars().next()?;
            value.push(character);
            rest = rest.get(character.len_utf8()..)?;
        }
    }
}

#[test]
fn the_reader_reads_the_documentations_examples() {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let text = r#"By=http://a.example;Hash=468e;Subject="/C=US/CN=a \"b\", c";URI=http://b.example,Hash="1";URI="x;=,""#;
    let expected = vec![
        vec![
            pair("By", "http://a.example"),
            pair("Hash", "468e"),
            pair("Subject", r#"/C=US/CN=a "b", c"#),
            pair("URI", "http://b.example"),
        ],
        vec![pair("Hash", "1"), pair("URI", "x;=,")],
    ];
    assert_eq!(read(text), Some(expected));
    for bad in ["", "URI=a=b", "URI=\"a", "URI=\"a\"b", "Uri=a", "URI=a;"] {
        assert_eq!(read(bad), None, "{bad}");
    }
}
