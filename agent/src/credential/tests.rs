use std::collections::BTreeMap;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use sealgate_model::Meta;

use super::*;

struct Made {
    pem: String,
    key: String,
}

fn made(change: impl FnOnce(&mut CertificateParams)) -> Made {
    let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    Made {
        pem: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

fn secret(name: &str, data: &[(&str, &str)]) -> SecretObject {
    SecretObject {
        meta: Meta {
            namespace: "ns".into(),
            name: name.into(),
            ..Meta::default()
        },
        type_: "Opaque".to_owned(),
        data: data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Zeroizing::new(value.as_bytes().to_vec())))
            .collect::<BTreeMap<_, _>>(),
    }
}

fn policy() -> CredentialPolicy {
    CredentialPolicy {
        strict_names: false,
        refuse_expired: false,
        now: OffsetDateTime::now_utc(),
    }
}

fn pair_of(certificate: &str, key: &str) -> CredentialOutcome {
    read(
        &secret("a", &[("tls.crt", certificate), ("tls.key", key)]),
        &policy(),
    )
    .key_pair
    .unwrap()
}

fn code(outcome: &CredentialOutcome) -> &'static str {
    match outcome {
        CredentialOutcome::Ready(_) => "ready",
        CredentialOutcome::Refused(error) => error.code().as_str(),
        CredentialOutcome::Pending(reason) | CredentialOutcome::Ignored(reason) => reason.as_str(),
    }
}

#[test]
fn a_pair_is_served_whatever_its_text_looks_like() {
    let good = made(|_| ());
    let crlf = good.pem.replace('\n', "\r\n");
    let indented = good
        .pem
        .lines()
        .map(|line| format!("   {line}\n"))
        .collect::<String>();
    let plain = pair_of(&good.pem, &good.key);
    for text in [
        format!("\u{feff}{}", good.pem),
        crlf,
        indented,
        format!("a comment\n{}\ntrailing", good.pem),
    ] {
        assert_eq!(pair_of(&text, &good.key), plain, "the canonical form is the same");
    }
}

#[test]
fn what_envoy_refuses_never_gets_there() {
    let (good, other) = (made(|_| ()), made(|_| ()));
    let cut = good.pem.get(..good.pem.len() / 2).unwrap();
    let unnamed = made(|params| {
        params.subject_alt_names.clear();
        params.distinguished_name = rcgen::DistinguishedName::new();
    });
    let empty_name = made(|params| params.distinguished_name.push(rcgen::DnType::CommonName, ""));
    let no_signature = made(|params| params.key_usages = vec![KeyUsagePurpose::KeyAgreement]);
    let bad_later = format!(
        "{}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        good.pem
    );
    let joined = good.pem.replace(
        "-----END CERTIFICATE-----\n",
        "-----END CERTIFICATE----------BEGIN CERTIFICATE-----\n",
    );
    for (certificate, key, expected) in [
        (good.pem.as_str(), good.key.as_str(), "ready"),
        (&good.pem, &other.key, "key-mismatch"),
        (cut, &good.key, "bad-pem"),
        (&bad_later, &good.key, "bad-certificate"),
        (&joined, &good.key, "bad-pem"),
        ("nothing", &good.key, "bad-pem"),
        (&good.pem, "nothing", "bad-key"),
        (
            &good.pem,
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "encrypted-key",
        ),
        (&unnamed.pem, &unnamed.key, "no-name"),
        (&empty_name.pem, &empty_name.key, "bad-common-name"),
        (&no_signature.pem, &no_signature.key, "bad-certificate"),
        ("", "", "empty-values"),
    ] {
        assert_eq!(code(&pair_of(certificate, key)), expected);
    }
}

#[test]
fn the_keys_own_certificate_is_served_first() {
    let authority = CertificateParams::new(Vec::new()).map(|mut params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "CA");
        params
    });
    let authority_key = KeyPair::generate().unwrap();
    let authority_pem = authority
        .as_ref()
        .unwrap()
        .self_signed(&authority_key)
        .unwrap()
        .pem();
    let issuer = Issuer::new(authority.unwrap(), authority_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["a.example".to_owned()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap()
        .pem();
    let wrong_order = secret(
        "a",
        &[
            ("tls.crt", &format!("{authority_pem}{leaf}")),
            ("tls.key", &key.serialize_pem()),
        ],
    );
    let reading = read(&wrong_order, &policy());
    let Some(CredentialOutcome::Ready(credential)) = reading.key_pair else {
        panic!("refused")
    };
    let Credential::KeyPair(pair) = &*credential else {
        panic!("a bundle")
    };
    assert_eq!(pair.facts().dns_names, ["a.example"]);
    assert_eq!(
        reading
            .findings
            .iter()
            .map(|finding| finding.code.as_str())
            .collect::<Vec<_>>(),
        ["chain-order"]
    );
}

#[test]
fn dates_warn_or_refuse() {
    let old = made(|params| params.not_after = OffsetDateTime::now_utc() - time::Duration::days(1));
    let both = secret(
        "a",
        &[("tls.crt", &old.pem), ("tls.key", &old.key), ("ca.crt", &old.pem)],
    );
    let reading = read(&both, &policy());
    assert_eq!(code(&reading.key_pair.unwrap()), "ready");
    assert_eq!(reading.findings[0].code.as_str(), "expired");
    assert_eq!(code(&reading.trust_bundle.unwrap()), "expired");
    let strict = CredentialPolicy {
        refuse_expired: true,
        ..policy()
    };
    assert_eq!(code(&read(&both, &strict).key_pair.unwrap()), "expired");
}

#[test]
fn shapes_and_names() {
    let good = made(|_| ());
    let generic = secret(
        "a",
        &[("cert", &good.pem), ("key", &good.key), ("cacert", &good.pem)],
    );
    let reading = read(&generic, &policy());
    assert_eq!(
        (
            code(&reading.key_pair.unwrap()),
            code(&reading.trust_bundle.unwrap())
        ),
        ("ready", "ready")
    );
    let bundle = read(&secret("a-cacert", &[("ca.crt", &good.pem)]), &policy());
    assert!(bundle.key_pair.is_none() && code(&bundle.trust_bundle.unwrap()) == "ready");
    let keyless = read(&secret("a", &[("tls.crt", &good.pem)]), &policy());
    assert_eq!(code(&keyless.key_pair.unwrap()), "no-key");
    assert_eq!(
        code(&read(&secret("a", &[("user", "x")]), &policy()).key_pair.unwrap()),
        "no-certificate-keys"
    );
    let token = SecretObject {
        type_: "kubernetes.io/service-account-token".to_owned(),
        ..generic
    };
    assert_eq!(
        code(&read(&token, &policy()).key_pair.unwrap()),
        "never-served-type"
    );
    let strict = CredentialPolicy {
        strict_names: true,
        ..policy()
    };
    let named = secret("istio-a", &[("tls.crt", &good.pem), ("tls.key", &good.key)]);
    assert_eq!(code(&read(&named, &strict).key_pair.unwrap()), "strict-name");
}

#[test]
fn a_revocation_list_must_be_one_and_the_bundles_own() {
    let good = made(|_| ());
    for (crl, expected) in [("garbage", "bad-crl"), (good.pem.as_str(), "bad-crl")] {
        let reading = read(
            &secret("a-cacert", &[("ca.crt", &good.pem), ("ca.crl", crl)]),
            &policy(),
        );
        assert_eq!(code(&reading.trust_bundle.unwrap()), expected);
    }
}

#[test]
fn nothing_shows_a_key() {
    let good = made(|_| ());
    let secret = secret("a", &[("tls.crt", &good.pem), ("tls.key", &good.key)]);
    let line = good.key.lines().nth(1).unwrap();
    assert!(!format!("{secret:?} {:?}", read(&secret, &policy())).contains(line));
}

#[test]
fn of_two_keys_the_one_that_fits_is_served() {
    let (good, other) = (made(|_| ()), made(|_| ()));
    let alone = pair_of(&good.pem, &good.key);
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for keys in [
        format!("{}{}", good.key, other.key),
        format!("{}{}", other.key, good.key),
        format!("{}{}", good.key, good.key),
        format!("{}{encrypted}", good.key),
        format!("{encrypted}{}", good.key),
    ] {
        assert_eq!(pair_of(&good.pem, &keys), alone);
    }
    let third = made(|_| ());
    let neither = format!("{}{}", other.key, third.key);
    assert_eq!(code(&pair_of(&good.pem, &neither)), "several-keys");
    let perhaps = format!("{}{encrypted}", other.key);
    assert_eq!(code(&pair_of(&good.pem, &perhaps)), "encrypted-key");
    // Both have a certificate: the first is the leaf.
    let both = format!("{}{}", other.key, good.key);
    let chain = format!("{}{}", good.pem, other.pem);
    assert_eq!(
        pair_of(&chain, &both),
        pair_of(&chain, &good.key),
        "the first certificate's"
    );
}

#[test]
fn a_key_of_a_secret_counts_by_its_value() {
    let good = made(|_| ());
    let both = |data: &[(&str, &str)]| {
        let reading = read(&secret("a", data), &policy());
        let word = |outcome: &Option<CredentialOutcome>| outcome.as_ref().map(code);
        (word(&reading.key_pair), word(&reading.trust_bundle))
    };
    let pair = [("tls.crt", good.pem.as_str()), ("tls.key", &good.key)];
    let with = |more: &[(&'static str, &'static str)]| both(&[&pair[..], more].concat());
    let (ready, empty) = (Some("ready"), Some("empty-values"));
    assert_eq!(with(&[("key", "")]), (ready, None));
    assert_eq!(with(&[("cert", ""), ("key", "")]), (ready, None));
    assert_eq!(
        both(&[("cacert", ""), ("ca.crt", &good.pem)]),
        (None, ready),
        "an empty one beside a good one"
    );
    assert_eq!(both(&[("cacert", ""), ("ca.crt", "")]), (None, empty));
    assert_eq!(both(&[("tls.crt", ""), ("tls.key", &good.key)]), (empty, None));
    assert_eq!(both(&[("tls.crt", &good.pem), ("tls.key", "")]), (empty, None));
    assert_eq!(both(&[("tls.key", &good.key)]), (Some("no-certificate"), None));
    // Half of one shape beside the whole of the other.
    assert_eq!(with(&[("cert", "nonsense")]), (ready, None));
    let strict = CredentialPolicy {
        strict_names: true,
        ..policy()
    };
    let token = secret("a", &[&pair[..], &[("token", "")]].concat());
    assert_eq!(code(&read(&token, &strict).key_pair.unwrap()), "ready");
}

#[test]
fn a_key_that_waits_for_its_certificate_is_no_error() {
    let good = made(|_| ());
    let mut waiting = secret("a-x7k2p", &[("tls.key", &good.key)]);
    let label = "cert-manager.io/next-private-key".to_owned();
    waiting.meta.labels = [(label, "true".to_owned())].into();
    let outcome = read(&waiting, &policy()).key_pair.unwrap();
    assert_eq!(outcome, CredentialOutcome::Ignored(Code::NoCertificateKeys));
}

#[test]
fn a_refusal_names_the_key_that_holds_what_is_bad() {
    let good = made(|_| ());
    let field = |data: &[(&str, &str)]| {
        let secret = secret("a", data);
        let material = material(&secret, &policy());
        let part = material.key_pair.or(material.trust_bundle).unwrap();
        part.judge(&object(&secret), &policy()).field.unwrap()
    };
    assert_eq!(field(&[("tls.crt", &good.pem)]), "data[tls.key]");
    assert_eq!(
        field(&[("key", ""), ("tls.crt", "x"), ("tls.key", "x")]),
        "data[tls.crt]"
    );
    assert_eq!(field(&[("cacert", ""), ("ca.crt", "x")]), "data[ca.crt]");
    let bad_list = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
    let within = format!("{}{bad_list}", good.pem);
    assert_eq!(field(&[("ca.crt", &within)]), "data[ca.crt]");
    assert_eq!(
        field(&[("ca.crt", &good.pem), ("ca.crl", bad_list)]),
        "data[ca.crl]"
    );
}
