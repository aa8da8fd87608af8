//! Whatever a certificate contains, a reader gets back exactly that.

use proptest::prelude::*;

use super::der::{Certificate, attribute, name};
use super::*;

/// SANs made of difficult bytes: separators, quotes, escapes, controls, invalid text.
fn san() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(b",;=\"\\% \r\n\0\x7f\x80URIDNSa/".to_vec()),
    ];
    prop::collection::vec(byte, 0..40)
}

fn sans() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let kind = prop::sample::select(vec![1_u8, 2, 6]);
    prop::collection::vec((kind, san()), 0..12)
}

fn of_kind(sans: &[(u8, Vec<u8>)], kind: u8) -> Vec<Vec<u8>> {
    sans.iter()
        .filter(|(own, _)| *own == kind)
        .map(|(_, value)| value.clone())
        .collect()
}

/// RFC 3986, 2.1.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
            let digits = std::str::from_utf8(&digits).unwrap();
            decoded.push(u8::from_str_radix(digits, 16).unwrap());
        } else {
            decoded.push(byte);
        }
    }
    decoded
}

/// Unescapes a name's only value: RFC 2253, 3.
fn unescaped(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut value = Vec::new();
    while let [byte, after @ ..] = rest {
        match (byte, after) {
            (b'\\', [a, b, after @ ..]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                let digits = [*a, *b];
                let digits = std::str::from_utf8(&digits).unwrap();
                value.push(u8::from_str_radix(digits, 16).unwrap());
                rest = after;
            }
            (b'\\', [special, after @ ..]) => {
                value.push(*special);
                rest = after;
            }
            _ => {
                value.push(*byte);
                rest = after;
            }
        }
    }
    value
}

proptest! {
    #[test]
    fn headers_read_back_as_the_certificate(sans in sans(), common_name in "\\PC{0,20}|[ ,;=\"\\\\#+<>\r\n\\x00]{1,8}") {
        let certificate = Certificate {
            subject: name(&[vec![attribute(3, 0x0c, common_name.as_bytes())]]),
            sans: sans.clone(),
            ..Certificate::default()
        };
        let rendered = verified(&IdentityConfig::default(), &certificate.der(), &[]);
        prop_assert!(!rendered.unreadable && rendered.left_out.is_empty());
        for (name, value) in &rendered.set {
            prop_assert!(value.iter().all(|byte| (b' '..=b'~').contains(byte)), "{name}: {value:?}");
            prop_assert!(value.first() != Some(&b' ') && value.last() != Some(&b' '), "{name}: {value:?}");
        }

        let xfcc = xfcc_reader::read(value(&rendered, "x-forwarded-client-cert").unwrap());
        let xfcc = xfcc.expect("it is in the grammar");
        prop_assert_eq!(xfcc.len(), 1);
        let values = |key: &str| -> Vec<&String> {
            xfcc[0].iter().filter(|(own, _)| own == key).map(|(_, value)| value).collect()
        };
        let decoded = |key: &str| -> Vec<Vec<u8>> {
            values(key).into_iter().map(|value| percent_decoded(value)).collect()
        };
        prop_assert_eq!(decoded("URI"), of_kind(&sans, 6));
        prop_assert_eq!(decoded("DNS"), of_kind(&sans, 2));
        prop_assert_eq!(values("Hash"), [LEAF_SHA256]);
        prop_assert_eq!(xfcc[0].len(), 2 + of_kind(&sans, 6).len() + of_kind(&sans, 2).len());

        let subject = value(&rendered, "x-client-cert-subject").unwrap();
        for subject in [subject, values("Subject")[0].as_str()] {
            prop_assert_eq!(unescaped(subject.strip_prefix("CN=").unwrap()), common_name.as_bytes());
        }
        for (name, kind) in [("uri-san", 6), ("dns-san", 2), ("email-san", 1)] {
            let all = of_kind(&sans, kind);
            let header = value(&rendered, &format!("x-client-cert-{name}"));
            let read: Vec<Vec<u8>> = header.map(|text| text.split(',').map(percent_decoded).collect()).unwrap_or_default();
            // A single empty name cannot be distinguished from no value.
            prop_assert_eq!(read, if all == [Vec::<u8>::new()] { Vec::new() } else { all });
        }
    }

    #[test]
    fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..400_usize, byte: u8) {
        let _ = PeerIdentity::from_der(&bytes);
        let _ = der_from_pem(&bytes);
        let mut der = der_from_pem(LEAF.as_bytes()).unwrap();
        der[at] = byte;
        let _ = verified(&IdentityConfig::default(), &der, &[]);
    }
}
