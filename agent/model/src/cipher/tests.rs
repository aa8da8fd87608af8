use super::*;

fn list(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[test]
fn the_entry_that_cannot_be_read_is_named() {
    for (text, at) in [
        ("AES128-SHA fake", 1),
        ("fake AES128-SHA", 0),
        ("AES128-SHA AES256-SHA ALL+fake", 2),
        ("[AES128-SHA|AES256-SHA] -AES128-SHA", 1),
        ("AES128-SHA !RC4", 1),
        ("ALL @FOO", 1),
        ("AES128-SHA [AES256-SHA", 1),
    ] {
        let found = chosen(&list(text));
        assert!(
            matches!(found, Err(BadSuites::Entry(found, _)) if found == at),
            "{text}: {found:?}"
        );
    }
    assert_eq!(chosen(&list("TLS_AES_256_GCM_SHA384")), Err(BadSuites::Nothing));
    assert_eq!(chosen(&list("ALL -ALL")), Err(BadSuites::Nothing));
}

#[test]
fn what_is_left_says_for_which_keys_and_versions() {
    let of = |text: &str| {
        let chosen = chosen(&list(text)).unwrap();
        let has = |key| chosen.iter().any(|suite| suite.key == Some(key));
        let old = chosen.iter().any(|suite| suite.is_old);
        (has(KeyKind::Rsa), has(KeyKind::Ecdsa), old)
    };
    assert_eq!(of(""), (true, true, false));
    assert_eq!(of("ALL"), (true, true, true));
    assert_eq!(
        of("[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]"),
        (false, true, false)
    );
    assert_eq!(of("ALL -ECDSA -SHA1"), (true, false, false));
    assert_eq!(of("-ALL ECDHE-RSA-AES128-SHA"), (true, false, true));
    assert_eq!(
        of("ECDHE-RSA-AES128-GCM-SHA256 TLS_AES_128_GCM_SHA256"),
        (true, false, false)
    );
    assert_eq!(of("PSK"), (false, false, true));
}
