use std::collections::BTreeMap;

use sealgate_core::identity::CertHeader;
use sealgate_model::CredentialName;
use sealgate_model::identity::ANNOTATION;
use sealgate_model::resolved::TlsVersion;

use super::*;

fn annotated(text: &str) -> Meta {
    Meta {
        annotations: BTreeMap::from([(ANNOTATION.to_owned(), text.to_owned())]),
        ..Meta::default()
    }
}

fn tls(certificate: &str, trust: Option<&str>) -> Tls {
    let name = |name| CredentialName::new("ns", name);
    let client = trust.map_or(ClientCertificate::None, |trust| ClientCertificate::Checked {
        required: true,
        trust: name(trust),
        subject_alt_names: Vec::new(),
        spki: Vec::new(),
        hash: Vec::new(),
    });
    Tls {
        certificates: vec![name(certificate)],
        client,
        min_version: TlsVersion::V1_2,
        max_version: TlsVersion::V1_3,
        cipher_suites: Vec::new(),
    }
}

fn chain(name: &str, hosts: &[&str], tls: Tls, annotation: &str) -> Chain {
    let meta = if annotation.is_empty() {
        Meta::default()
    } else {
        annotated(annotation)
    };
    Chain {
        name: name.to_owned(),
        server_names: hosts.iter().map(ToString::to_string).collect(),
        meaning: meaning(&meta, Some(&tls)),
        tls: Some(tls),
        streaming: false,
    }
}

#[test]
fn annotations_are_yaml_and_every_word_is_known() {
    let read = |text: &str| annotation(&annotated(text)).unwrap();
    assert_eq!(annotation(&Meta::default()), None);
    for default in ["", " \n", "{}"] {
        assert_eq!(read(default), Ok(IdentityConfig::default()), "{default:?}");
    }
    // Plain `off` is a word and not a boolean.
    let config = read("xfcc: off\nclientCert: leaf\nheaders: [verified, uriSan]\nprefix: X-Peer-").unwrap();
    assert_eq!((config.xfcc, config.client_cert), (Xfcc::Off, CertHeader::Leaf));
    assert_eq!(config.own_prefix(), Some("x-peer-"));
    for bad in [
        "[]",
        "yes",
        "xfcc: sometimes",
        "xfccs: off",
        "headers: [verfied]",
        "headers: verified",
        "prefix: 'a b'",
        "a: b: c",
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

#[test]
fn servers_that_ask_for_certificates_tell_of_them() {
    let told = |tls: Option<Tls>, meta: &Meta| meaning(meta, tls.as_ref()).told.is_some();
    let (simple, mutual) = (tls("a", None), tls("a", Some("ca")));
    let (none, silent) = (Meta::default(), annotated("{headers: [], xfcc: off}"));
    assert!(told(Some(mutual.clone()), &none) && !told(Some(simple.clone()), &none) && !told(None, &none));
    assert!(told(Some(simple), &annotated("{}")) && told(None, &annotated("{}")));
    assert!(!told(Some(mutual), &silent));
}

#[test]
fn a_port_of_equals_asks_nothing_of_connections() {
    let simple = |name: &str, host: &str, own: &str| chain(name, &[host], tls(own, None), "");
    // Which certificate the gateway showed does not matter.
    let equals = [
        simple("a", "a.example", "one"),
        simple("b", "b.example", "another"),
    ];
    assert_eq!(policies(&equals), PoliciesConfig::default());

    let mutual = chain("m", &["m.example"], tls("one", Some("ca")), "");
    let only = policies(std::slice::from_ref(&mutual));
    assert_eq!(only.demands.len(), 1);
    assert_eq!(
        only.demands.first().map(|one| one.domains.clone()),
        Some(vec!["m.example".to_owned()])
    );

    let mixed = policies(&[simple("a", "a.example", "one"), mutual.clone()]);
    let hosts: BTreeSet<_> = mixed.demands.iter().flat_map(|one| one.domains.clone()).collect();
    assert_eq!(
        hosts,
        BTreeSet::from(["a.example".to_owned(), "m.example".to_owned()])
    );
    assert!(mixed.demands.iter().all(|one| one.policy.is_some()) && mixed.demands.len() == 2);

    let open = chain("o", &["o.example"], tls("one", None), "{misdirected: allow}");
    let with_open = policies(&[mutual, open]);
    let free = with_open.demands.iter().find(|one| one.policy.is_none());
    assert_eq!(
        free.map(|one| one.domains.clone()),
        Some(vec!["o.example".to_owned()])
    );
}

#[test]
fn a_policy_is_named_by_what_it_demands() {
    let mutual = |trust| policy(&tls("a", Some(trust)));
    assert_eq!(mutual("ca"), policy(&tls("b", Some("ca"))));
    assert_ne!(mutual("ca"), mutual("another-ca"));
    assert_ne!(mutual("ca"), policy(&tls("a", None)));
}

#[test]
fn a_host_comes_in_by_the_chain_that_envoy_would_choose() {
    let simple = |name: &str, hosts: &[&str]| chain(name, hosts, tls("a", None), "");
    let port = Port {
        number: 443,
        bind: 443,
        chains: vec![
            simple("wide", &["*.example"]),
            simple("exact", &["a.b.example"]),
            simple("narrow", &["*.b.example"]),
            simple("rest", &[]),
        ],
        table: sealgate_core::table::TableConfig::default(),
        prefixes: BTreeSet::new(),
    };
    for (host, expected) in [
        ("a.b.example", "exact"),
        ("c.b.example", "narrow"),
        ("b.example", "wide"),
        ("example", "rest"),
    ] {
        assert_eq!(
            chain_of(&port, host).map(|chain| chain.name.as_str()),
            Some(expected),
            "{host}"
        );
    }
}
