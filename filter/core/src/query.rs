//! Paths and their query, as bytes.

/// The path before `?` or `#`.
pub(crate) fn path_of(path: &[u8]) -> &[u8] {
    path.split(|byte| matches!(byte, b'?' | b'#'))
        .next()
        .unwrap_or_default()
}

/// The query with its `?`, or nothing.
pub(crate) fn suffix_of(path: &[u8]) -> &[u8] {
    path.get(path_of(path).len()..).unwrap_or_default()
}

/// The first value of a query parameter, which is empty for a name without `=`. Nothing is decoded.
pub(crate) fn param<'p>(path: &'p [u8], name: &[u8]) -> Option<&'p [u8]> {
    let query = suffix_of(path).strip_prefix(b"?")?;
    let query = query.split(|byte| *byte == b'#').next().unwrap_or_default();
    query.split(|byte| *byte == b'&').find_map(|pair| {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        (parts.next() == Some(name)).then(|| parts.next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_wins_and_nothing_is_decoded() {
        let path = b"/p?a=1&a=2&b&c=%20&d=x=y#e";
        for (name, value) in [
            ("a", Some("1")),
            ("b", Some("")),
            ("c", Some("%20")),
            ("d", Some("x=y")),
            ("e", None),
        ] {
            assert_eq!(param(path, name.as_bytes()), value.map(str::as_bytes), "{name}");
        }
        assert_eq!(param(b"/p", b"a"), None);
        assert_eq!(path_of(path), b"/p");
    }
}
