//! Certificates that no CA should issue.

use super::der::{Certificate, attribute, name};
use super::*;

fn read(certificate: &Certificate) -> PeerIdentity {
    PeerIdentity::from_der(&certificate.der()).unwrap()
}

fn subject(subject: Vec<u8>) -> String {
    let certificate = Certificate {
        subject,
        ..Certificate::default()
    };
    read(&certificate).subject
}

/// One common name of this kind.
fn common_name(tag: u8, content: &[u8]) -> String {
    subject(name(&[vec![attribute(3, tag, content)]]))
}

#[test]
fn serials_are_numbers() {
    for (bytes, text) in [
        (&[7][..], "07"),
        (&[0], "0"),
        (&[0, 0x80], "80"),
        (&[0x80], "-80"),
        (&[0xff], "-01"),
        (&[0xff, 0x00], "-0100"),
        (&[0x7f; 20], "7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f"),
    ] {
        let certificate = Certificate {
            serial: bytes.to_vec(),
            ..Certificate::default()
        };
        assert_eq!(read(&certificate).serial, text);
    }
}

#[test]
fn names_are_escaped_by_rfc_2253() {
    for (tag, bytes, text) in [
        (0x0c, &b"plain name"[..], "CN=plain name"),
        (0x0c, b"a,b+c\"d\\e<f>g;h", r#"CN=a\,b\+c\"d\\e\<f\>g\;h"#),
        (0x0c, b"#a#", r"CN=\#a#"),
        (0x0c, b" a ", r"CN=\ a\20"),
        (0x0c, b" ", r"CN=\20"),
        (0x0c, b"a\r\n\0\x7f", r"CN=a\0D\0A\00\7F"),
        (0x0c, "é".as_bytes(), r"CN=\C3\A9"),
        (0x14, b"\xe9", r"CN=\C3\A9"),
        (0x1e, &[0, b'a', 0x20, 0xac], r"CN=a\E2\82\AC"),
        (0x1c, &[0, 1, 0xf6, 0], r"CN=\F0\9F\98\80"),
        (0x13, b"a*@", "CN=a*@"),
        (0x0c, b"", "CN="),
        // Invalid for its kind, or not a kind of text.
        (0x0c, b"\xff", "CN=#0C01FF"),
        (0x1e, b"odd", "CN=#1E036F6464"),
        (0x04, b"a", "CN=#040161"),
    ] {
        assert_eq!(common_name(tag, bytes), text);
    }
}

#[test]
fn parts_are_in_reverse_and_of_several_values() {
    let several = vec![attribute(3, 0x0c, b"b"), attribute(11, 0x0c, b"c")];
    let parts = name(&[vec![attribute(6, 0x13, b"US")], several]);
    assert_eq!(subject(parts), "OU=c+CN=b,C=US");
    assert_eq!(subject(name(&[])), "");
    // An unknown kind of attribute.
    assert_eq!(
        subject(name(&[vec![attribute(99, 0x0c, b"a")]])),
        "2.5.4.99=#0C0161"
    );
}

#[test]
fn in_xfcc_no_backslash_stands_before_a_quote_or_another_backslash() {
    let certificate = Certificate {
        subject: name(&[vec![attribute(3, 0x0c, br#"a"b\"#)]]),
        ..Certificate::default()
    };
    let rendered = verified(&IdentityConfig::default(), &certificate.der(), &[]);
    let expected = format!(r#"Hash="{LEAF_SHA256}";Subject="CN=a\22b\5C""#);
    assert_eq!(
        value(&rendered, "x-forwarded-client-cert"),
        Some(expected.as_str())
    );
    assert_eq!(value(&rendered, "x-client-cert-subject"), Some(r#"CN=a\"b\\"#));
}

#[test]
fn a_certificate_without_a_subject_has_no_such_header() {
    let certificate = Certificate {
        subject: name(&[]),
        ..Certificate::default()
    };
    let rendered = verified(&IdentityConfig::default(), &certificate.der(), &[]);
    assert_eq!(value(&rendered, "x-client-cert-subject"), None);
}

#[test]
fn sans_are_percent_encoded() {
    let certificate = Certificate {
        sans: vec![
            (6, b"spiffe://a/b?x=1;y,z\"%\r\n\0\xff".to_vec()),
            (2, b"a.example".to_vec()),
            (2, b"*.b.example".to_vec()),
            (1, b"a b@c".to_vec()),
            (7, vec![10, 0, 0, 1]),
            (7, [vec![0; 15], vec![1]].concat()),
            (7, vec![1, 2, 3]),
            (4, Vec::new()),
        ],
        ..Certificate::default()
    };
    let rendered = verified(&IdentityConfig::default(), &certificate.der(), &[]);
    for (name, text) in [
        (
            "x-client-cert-uri-san",
            "spiffe://a/b?x%3D1%3By%2Cz%22%25%0D%0A%00%FF",
        ),
        ("x-client-cert-dns-san", "a.example,*.b.example"),
        ("x-client-cert-email-san", "a%20b@c"),
        ("x-client-cert-ip-san", "10.0.0.1,::1"),
    ] {
        assert_eq!(value(&rendered, name), Some(text));
    }
}

#[test]
fn what_does_not_fit_is_left_out_whole() {
    let long = vec![b'a'; 10_000];
    let certificate = Certificate {
        subject: name(&[vec![attribute(3, 0x0c, &long)]]),
        sans: (0..200)
            .map(|at| (2, format!("host-{at}.of.a.long.example").into_bytes()))
            .collect(),
        ..Certificate::default()
    };
    let config = IdentityConfig {
        client_cert: CertHeader::Leaf,
        ..IdentityConfig::default()
    };
    let rendered = verified(&config, &certificate.der(), &[]);
    // The subject twice, and the names twice; then there is no room for them a third time.
    assert_eq!(rendered.left_out, ["client-cert"]);
    let xfcc = value(&rendered, "x-forwarded-client-cert").unwrap();
    assert_eq!(xfcc_reader::read(xfcc).unwrap()[0].len(), 202);
    assert_eq!(value(&rendered, "x-client-cert-subject").unwrap().len(), 10_003);
}
