//! The vectors of RFC 9440 bit for bit, certificates that no CA should issue, and round trips of random ones.

mod der;
mod hostile;
mod round_trip;
mod xfcc_reader;

use super::*;

const LEAF: &str = include_str!("../../../../tests/data/identity/rfc9440-1.pem");
const INTERMEDIATE: &str = include_str!("../../../../tests/data/identity/rfc9440-2.pem");
const ROOT: &str = include_str!("../../../../tests/data/identity/rfc9440-3.pem");
const LEAF_SHA256: &str = "bfaf1f7e070f9fa8dd62905f158da73f84a1136624fbafcc9393c8f7287a69eb";

fn connection(sha256: &str) -> Connection<'_> {
    Connection {
        sha256: Some(sha256),
        version: Some("TLSv1.3"),
        cipher: Some("TLS_AES_128_GCM_SHA256"),
        sni: Some("a.example"),
        ..Connection::default()
    }
}

/// The headers of a verified certificate.
fn verified(config: &IdentityConfig, leaf: &[u8], chain: &[Vec<u8>]) -> Rendered {
    let sources = Sources {
        connection: Some(connection(LEAF_SHA256)),
        standing: Standing::Verified,
        leaf: Some(leaf),
        chain,
    };
    render(config, &sources)
}

fn value<'a>(rendered: &'a Rendered, name: &str) -> Option<&'a str> {
    let (_, value) = rendered.set.iter().find(|(own, _)| own == name)?;
    Some(std::str::from_utf8(value).unwrap())
}

/// The names of all headers, for a certificate with everything.
pub(crate) fn everything_written_with(prefix: &str) -> Vec<String> {
    let config = IdentityConfig {
        prefix: prefix.to_owned(),
        client_cert: CertHeader::Chain,
        ..IdentityConfig::default()
    };
    let certificate = der::Certificate {
        sans: vec![(1, vec![b'a']), (2, vec![b'a']), (6, vec![b'a']), (7, vec![0; 4])],
        ..der::Certificate::default()
    };
    let rendered = verified(&config, &certificate.der(), &[vec![0]]);
    rendered.set.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn the_certificates_of_rfc_9440_are_read() {
    let facts = |pem: &str| {
        let identity = PeerIdentity::from_der(&der_from_pem(pem.as_bytes()).unwrap()).unwrap();
        (identity.serial, identity.subject, identity.issuer)
    };
    let (authority, root) = (
        "CN=LA Intermediate CA,O=Let's Authenticate",
        "CN=Let's Authenticate Root Authority,O=Let's Authenticate,C=US",
    );
    for (pem, serial, subject, issuer) in [
        (LEAF, "07", "CN=BC", authority),
        (INTERMEDIATE, "16", authority, root),
        (ROOT, "a4b4ca2a8ab65868", root, root),
    ] {
        assert_eq!(
            facts(pem),
            (serial.to_owned(), subject.to_owned(), issuer.to_owned())
        );
    }
}

#[test]
fn the_leaf_of_rfc_9440_is_told_in_full() {
    let rendered = verified(
        &IdentityConfig::default(),
        &der_from_pem(LEAF.as_bytes()).unwrap(),
        &[],
    );
    let expected = [
        ("x-client-cert-verified", "true"),
        ("x-client-cert-subject", "CN=BC"),
        (
            "x-client-cert-issuer",
            "CN=LA Intermediate CA,O=Let's Authenticate",
        ),
        ("x-client-cert-serial", "07"),
        ("x-client-cert-sha256", LEAF_SHA256),
        ("x-client-cert-not-before", "2020-01-14T22:55:33Z"),
        ("x-client-cert-not-after", "2021-01-23T22:55:33Z"),
        ("x-client-cert-email-san", "bdc@example.com"),
        ("x-tls-version", "TLSv1.3"),
        ("x-tls-cipher", "TLS_AES_128_GCM_SHA256"),
        ("x-tls-sni", "a.example"),
        (
            "x-forwarded-client-cert",
            &format!("Hash=\"{LEAF_SHA256}\";Subject=\"CN=BC\""),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    assert_eq!(rendered.set, expected);
}

/// The header as RFC 9440's appendix A folds it (RFC 8792), unfolded.
fn published(pem: &str) -> String {
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    format!(":{base64}:")
}

#[test]
fn client_cert_is_as_published() {
    let config = IdentityConfig {
        client_cert: CertHeader::Chain,
        ..IdentityConfig::default()
    };
    let der = |pem: &str| der_from_pem(pem.as_bytes()).unwrap();
    let rendered = verified(&config, &der(LEAF), &[der(INTERMEDIATE), der(ROOT)]);
    assert_eq!(value(&rendered, "client-cert"), Some(published(LEAF).as_str()));
    let chain = format!("{}, {}", published(INTERMEDIATE), published(ROOT));
    assert_eq!(value(&rendered, "client-cert-chain"), Some(chain.as_str()));
    assert!(rendered.vary);
    // Envoy writes the chain into XFCC; ours replaces it.
    assert!(!rendered.remove_xfcc);
    let alone = IdentityConfig {
        xfcc: Xfcc::Off,
        ..config
    };
    assert!(verified(&alone, &der(LEAF), &[]).remove_xfcc);
}

#[test]
fn what_nobody_checked_is_not_told_unless_asked_for() {
    let leaf = der_from_pem(LEAF.as_bytes()).unwrap();
    let names = |config: &IdentityConfig, standing| {
        let sources = Sources {
            connection: Some(connection(LEAF_SHA256)),
            standing,
            leaf: Some(&leaf),
            chain: &[],
        };
        let rendered = render(config, &sources);
        let verified = value(&rendered, "x-client-cert-verified").map(str::to_owned);
        (
            verified,
            rendered.set.len(),
            value(&rendered, "x-forwarded-client-cert").is_some(),
        )
    };
    let hide = IdentityConfig {
        client_cert: CertHeader::Leaf,
        ..IdentityConfig::default()
    };
    let show = IdentityConfig {
        unverified: Unverified::Show,
        ..hide.clone()
    };
    for (config, standing, expected) in [
        (&hide, Standing::None, ("none", 4, false)),
        (&hide, Standing::Presented, ("false", 4, false)),
        (&show, Standing::None, ("none", 4, false)),
        (&show, Standing::Presented, ("false", 11, false)),
        (&show, Standing::Verified, ("true", 13, true)),
    ] {
        let (verified, count, xfcc) = names(config, standing);
        assert_eq!(
            (verified.as_deref(), count, xfcc),
            (Some(expected.0), expected.1, expected.2)
        );
    }
}

#[test]
fn a_clients_own_elements_stay_only_beside_a_verified_one() {
    let config = IdentityConfig {
        xfcc: Xfcc::AppendForward,
        ..IdentityConfig::default()
    };
    let leaf = der_from_pem(LEAF.as_bytes()).unwrap();
    let rendered = verified(&config, &leaf, &[]);
    let element = format!("Hash=\"{LEAF_SHA256}\";Subject=\"CN=BC\"").into_bytes();
    assert_eq!((rendered.append, rendered.remove_xfcc), (Some(element), false));
    for standing in [Standing::None, Standing::Presented] {
        let sources = Sources {
            standing,
            leaf: Some(&leaf),
            ..Sources::default()
        };
        let rendered = render(&config, &sources);
        assert_eq!((rendered.append, rendered.remove_xfcc), (None, true));
    }
}

#[test]
fn what_cannot_be_read_is_a_fingerprint() {
    let rendered = verified(&IdentityConfig::default(), b"no certificate", &[]);
    assert!(rendered.unreadable);
    assert_eq!(value(&rendered, "x-client-cert-verified"), Some("true"));
    assert_eq!(value(&rendered, "x-client-cert-sha256"), Some(LEAF_SHA256));
    assert_eq!(value(&rendered, "x-client-cert-subject"), None);
}

#[test]
fn annotations_are_read_to_the_letter() {
    let read = |text: &str| serde_json::from_str::<IdentityConfig>(text);
    assert_eq!(read("{}").unwrap(), IdentityConfig::default());
    let config = read(
        r#"{"headers":["verified","uriSan"],"prefix":"X-Peer-Client-Cert-","xfcc":"off","clientCert":"leaf"}"#,
    );
    let config = config.unwrap();
    assert_eq!(config.prefix, "x-peer-client-cert-");
    assert_eq!(config.check(), Ok(()));
    for bad in [
        r#"{"header":[]}"#,
        r#"{"xfcc":"sanitize"}"#,
        r#"{"headers":["uri"]}"#,
        r#"{"prefix":null}"#,
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
    for (bad, field) in [
        (r#"{"prefix":""}"#, "prefix"),
        (r#"{"prefix":"a b"}"#, "prefix"),
        (r#"{"prefix":"x_envoy-client-cert-"}"#, "prefix"),
        (r#"{"prefix":"x-amz-content-"}"#, "prefix"),
        (r#"{"prefix":"x-peer-"}"#, "prefix"),
        (r#"{"prefix":"client-cert"}"#, "prefix"),
        (r#"{"prefix":"x-sealgate-client-cert-"}"#, "prefix"),
        (r#"{"headers":["subject"],"unverified":"show"}"#, "unverified"),
        (r#"{"xfcc":"appendForward","clientCert":"chain"}"#, "clientCert"),
    ] {
        assert_eq!(read(bad).unwrap().check().unwrap_err().field, field, "{bad}");
    }
}

/// Presented is not verified. Envoy no longer knows when a session is resumed, so the chain's setting also counts.
#[test]
fn a_certificate_stands_as_its_handshake_demanded() {
    let standing = |facts: &str, is_valid| Connection::parse(facts.as_bytes()).unwrap().standing(is_valid);
    for (facts, is_valid, expected) in [
        ("a p checked - aa V C s", false, Standing::Verified),
        ("a p - - aa V C s", true, Standing::Verified),
        ("a p - - aa V C s", false, Standing::Presented),
        ("a p checked - - V C s", true, Standing::None),
        ("a p checks aa aa V C checked", false, Standing::Presented),
    ] {
        assert_eq!(standing(facts, is_valid), expected, "{facts}");
    }
}

#[test]
fn a_connection_says_what_envoy_wrote() {
    let text = "istio-system/edge/0 4f1c checked - aa TLSv1.3 TLS_AES_128_GCM_SHA256 a.example";
    let origin = ConnectionOrigin {
        chain: "istio-system/edge/0",
        policy: "4f1c",
        checked: true,
    };
    let expected = Connection {
        origin,
        ..connection("aa")
    };
    assert_eq!(Connection::parse(text.as_bytes()), Some(expected));
    assert_eq!(format(&origin, true).split(' ').count(), text.split(' ').count());
    let bare = Connection::parse(b"a/b/0 4f1c - - - TLSv1.2 X -").unwrap();
    assert_eq!((bare.sha256, bare.sni), (None, None));
    for bad in [&b""[..], b"a/b/0", b"a b c d e f g", b"\xff b c d e f g h"] {
        assert_eq!(Connection::parse(bad), None);
    }
}
