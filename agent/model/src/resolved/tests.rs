use sealgate_core::identity::Xfcc;

use super::*;

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

#[test]
fn servers_that_ask_for_certificates_tell_of_them() {
    let tells =
        |identity: Option<&IdentityConfig>, tls: Option<&Tls>| Meaning::new(identity, tls).told.is_some();
    let (simple, mutual) = (tls("a", None), tls("a", Some("ca")));
    let said = IdentityConfig::default();
    let silent = IdentityConfig {
        headers: Vec::new(),
        xfcc: Xfcc::Off,
        ..IdentityConfig::default()
    };
    assert!(tells(None, Some(&mutual)) && !tells(None, Some(&simple)) && !tells(None, None));
    assert!(tells(Some(&said), Some(&simple)) && tells(Some(&said), None));
    assert!(!tells(Some(&silent), Some(&mutual)));
}

#[test]
fn a_policy_is_named_by_what_it_demands() {
    let mutual = |trust| tls("a", Some(trust)).policy();
    assert_eq!(mutual("ca"), tls("b", Some("ca")).policy());
    assert_ne!(mutual("ca"), mutual("another-ca"));
    assert_ne!(mutual("ca"), tls("a", None).policy());
}

fn chain(name: &str, hosts: &[&str]) -> Arc<FilterChain> {
    Arc::new(FilterChain {
        name: name.into(),
        server_names: hosts.iter().map(|host| Arc::from(*host)).collect(),
        ..FilterChain::plain(Meaning::default())
    })
}

#[test]
fn a_host_comes_in_by_the_chain_that_envoy_would_choose() {
    let port = ServedPort {
        number: 443,
        bind: 443,
        chains: vec![
            chain("wide", &["*.example"]),
            chain("exact", &["a.b.example"]),
            chain("narrow", &["*.b.example"]),
            chain("rest", &[]),
        ],
        told: Vec::new(),
        demands: false,
        prefixes: BTreeSet::new(),
        mirrors: Vec::new(),
        delays: false,
    };
    for (host, expected) in [
        ("a.b.example", "exact"),
        ("c.b.example", "narrow"),
        ("b.example", "wide"),
        ("example", "rest"),
    ] {
        assert_eq!(
            port.chain_of(host).map(|chain| &*chain.name),
            Some(expected),
            "{host}"
        );
    }
}
