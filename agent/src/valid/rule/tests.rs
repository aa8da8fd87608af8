use super::*;

#[test]
fn texts() {
    assert!(min_len("", 0).is_ok() && min_len("a", 1).is_ok() && min_len("", 1).is_err());
    assert!(min_len("äö", 2).is_ok() && min_len("äö", 3).is_err());
    assert!(max_bytes("ä", 2).is_ok() && max_bytes("äa", 2).is_err());
    assert!(max_size(2, 2).is_ok() && max_size(3, 2).is_err());
    assert!(max_len("ä", 1).is_ok() && max_len("äö", 1).is_err());
    assert!(len("ä", 1).is_ok() && len("", 1).is_err());
    assert!(min_bytes("ä", 2).is_ok() && min_bytes("a", 2).is_err());
    assert!(len_bytes("ä", 2).is_ok() && len_bytes("a", 2).is_err());
    assert!(prefix("ab", "a").is_ok() && prefix("ab", "b").is_err());
    assert!(suffix("ab", "b").is_ok() && suffix("ab", "a").is_err());
    assert!(contains("abc", "b").is_ok() && contains("ac", "b").is_err());
    assert!(not_contains("ac", "b").is_ok() && not_contains("abc", "b").is_err());
    assert!(is("a", "a").is_ok() && is("b", "a").is_err());
    assert!(pattern("/a", "^[^?#]+[^?#/]$").is_ok() && pattern("/a/", "^[^?#]+[^?#/]$").is_err());
    assert!(one_of("a", &["a", "b"]).is_ok() && one_of("c", &["a", "b"]).is_err());
}

#[test]
fn headers() {
    for name in [":path", "x-a", "x_a,b"] {
        assert!(header_name(name, true).is_ok(), "{name}");
    }
    for name in ["", ":", "a b", "ä", "a\n", "a:b"] {
        assert!(header_name(name, true).is_err(), "{name:?}");
    }
    assert!(header_name("a b", false).is_ok() && header_name("a\r", false).is_err());
    // As in Envoy: a mirror names its cluster, not a header with it.
    assert!(header_name("", false).is_ok());
    assert!(header_value("a\tb", true).is_ok() && header_value("a\x01b", true).is_err());
    assert!(header_value("a\x01b", false).is_ok() && header_value("a\0", false).is_err());
}

#[test]
fn numbers() {
    assert!(gt(2, 1).is_ok() && gt(1, 1).is_err());
    assert!(gte(1, 1).is_ok() && gte(0, 1).is_err());
    assert!(lt(0, 1).is_ok() && lt(1, 1).is_err());
    assert!(lte(1, 1).is_ok() && lte(2, 1).is_err());
    assert!(none_of(1, &[0]).is_ok() && none_of(0, &[0]).is_err());
    assert!(defined(1, |value| value == 1).is_ok() && defined(2, |value| value == 1).is_err());
    assert!(outside(0, 0, 2).is_ok() && outside(2, 0, 2).is_ok() && outside(1, 0, 2).is_err());
    let bound = gt(Span::new(0, 0), Span::new(0, 1_000_000)).unwrap_err();
    assert_eq!(bound.to_string(), "more than 0.001 s");
}

#[test]
fn many() {
    assert!(required(&Some(1)).is_ok() && required::<u8>(&None).is_err());
    assert!(min_items(1, 1).is_ok() && min_items(0, 1).is_err());
    assert!(max_items(1, 1).is_ok() && max_items(2, 1).is_err());
    assert!(unique(&[1, 2]).is_ok() && unique(&[1, 2, 1]).is_err());
}
