//! SNI as clients send it: in any case, with a dot at the end, or not a name at all.

/// The longest name of a host.
const LONGEST: usize = 253;

/// The form in which a name is looked up; none if no host can have this name.
pub(super) fn normalized(wire: &[u8]) -> Option<String> {
    let name = wire.strip_suffix(b".").unwrap_or(wire);
    let is_label = |label: &[u8]| {
        let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        !label.is_empty() && label.iter().all(is_host)
    };
    let good = name.len() <= LONGEST && name.split(|byte| *byte == b'.').all(is_label);
    let text = std::str::from_utf8(name).ok().filter(|_| good)?;
    Some(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_lower_case_and_without_its_last_dot() {
        for (wire, name) in [
            ("a.test", Some("a.test")),
            ("A.Test.", Some("a.test")),
            ("no-sni", Some("no-sni")),
            ("_x.a-b.test", Some("_x.a-b.test")),
            ("127.0.0.1", Some("127.0.0.1")),
            ("a.test..", None),
            (".a.test", None),
            ("a..test", None),
            ("*.test", None),
            ("a.test:443", None),
            ("a/b", None),
            ("", None),
            (".", None),
            ("ä.test", None),
        ] {
            assert_eq!(normalized(wire.as_bytes()).as_deref(), name, "{wire}");
        }
        assert_eq!(normalized(b"a\0.test"), None);
        assert_eq!(normalized(b"a\xff.test"), None);
        assert!(normalized("x".repeat(253).as_bytes()).is_some());
        assert_eq!(normalized("x".repeat(254).as_bytes()), None);
    }
}
