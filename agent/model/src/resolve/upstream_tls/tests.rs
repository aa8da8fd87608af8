use serde_json::{Value, json};

use super::*;

fn asked(own: Value) -> Result<Option<UpstreamTls>, TlsRefusal> {
    let own: ClientTls = serde_json::from_value(own).unwrap();
    lower(&own, "gw", &["entry.test".to_owned()])
}

#[test]
fn plain_text_is_what_nobody_asks_tls_for() {
    for own in [
        json!({}),
        json!({"mode": ""}),
        json!({"mode": "DISABLE", "sni": "a"}),
    ] {
        assert_eq!(asked(own), Ok(None));
    }
}

#[test]
fn without_a_secret_public_authorities_are_trusted() {
    let tls = asked(json!({"mode": "SIMPLE"})).unwrap().unwrap();
    assert_eq!(tls.trust, UpstreamTrust::Public);
    assert_eq!((tls.certificate, tls.sni), (None, None));
    assert_eq!(tls.subject_alt_names, ["entry.test"]);
}

#[test]
fn a_secret_holds_the_authorities_and_with_mutual_the_certificate() {
    let name = CredentialName::new("gw", "own");
    for credential in ["own", "own-cacert", "sds://own"] {
        let tls = asked(json!({"mode": "SIMPLE", "credentialName": credential}));
        let tls = tls.unwrap().unwrap();
        assert_eq!(
            (tls.certificate, tls.trust),
            (None, UpstreamTrust::Bundle(name.bundle()))
        );
    }
    let mutual =
        json!({"mode": "MUTUAL", "credentialName": "own", "subjectAltNames": ["a.test"], "sni": "b.test"});
    let tls = asked(mutual).unwrap().unwrap();
    assert_eq!(
        tls.credentials().collect::<Vec<_>>(),
        [name.clone(), name.bundle()]
    );
    assert_eq!(
        (tls.subject_alt_names, tls.sni),
        (vec!["a.test".to_owned()], Some("b.test".to_owned()))
    );
    let blind = json!({"mode": "MUTUAL", "credentialName": "own", "insecureSkipVerify": true});
    let tls = asked(blind).unwrap().unwrap();
    assert_eq!((tls.certificate, tls.trust), (Some(name), UpstreamTrust::Anybody));
}

#[test]
fn what_cannot_be_had_names_its_field() {
    for (own, field) in [
        (json!({"mode": "ISTIO_MUTUAL"}), "mode"),
        (json!({"mode": "simple"}), "mode"),
        (json!({"mode": "MUTUAL"}), "credentialName"),
        (json!({"mode": "MUTUAL", "credentialName": ""}), "credentialName"),
        (
            json!({"mode": "MUTUAL", "clientCertificate": "/a", "privateKey": "/b"}),
            "clientCertificate",
        ),
        (
            json!({"mode": "SIMPLE", "caCertificates": "/a"}),
            "caCertificates",
        ),
        (json!({"mode": "SIMPLE", "caCrl": "/a"}), "caCrl"),
        (json!({"mode": "SIMPLE", "sni": "a".repeat(256)}), "sni"),
        (json!({"mode": "SIMPLE", "sni": "a b"}), "sni"),
        (
            json!({"mode": "SIMPLE", "credentialName": "a=b,c"}),
            "credentialName",
        ),
        (
            json!({"mode": "SIMPLE", "credentialName": "bad\\"}),
            "credentialName",
        ),
        (
            json!({"mode": "MUTUAL", "credentialName": "own-cacert"}),
            "credentialName",
        ),
        (
            json!({"mode": "SIMPLE", "subjectAltNames": vec!["a.test"; 101]}),
            "subjectAltNames",
        ),
        (
            json!({"mode": "SIMPLE", "subjectAltNames": ["a.test", ""]}),
            "subjectAltNames",
        ),
    ] {
        assert_eq!(asked(own.clone()).unwrap_err().field, field, "{own}");
    }
}

#[test]
fn a_destination_rule_is_told_of_each_place() {
    let spec = json!({"host": "a", "trafficPolicy": {
        "tls": {"mode": "ISTIO_MUTUAL"},
        "portLevelSettings": [{"port": {"number": 1}, "tls": {"mode": "SIMPLE"}}, {"port": {"number": 2}, "tls": {"mode": "X"}}],
    }, "subsets": [{"name": "b", "trafficPolicy": {"tls": {"mode": "MUTUAL"}}}]});
    let spec: DestinationRuleSpec = serde_json::from_value(spec).unwrap();
    let rule = ObjectRef::new(crate::Kind::DestinationRule, "a", "b");
    let fields: Vec<_> = findings(&rule, &spec)
        .into_iter()
        .filter_map(|finding| finding.field)
        .collect();
    assert_eq!(
        fields,
        [
            "spec.trafficPolicy.tls.mode",
            "spec.trafficPolicy.portLevelSettings[1].tls.mode",
            "spec.subsets[0].trafficPolicy.tls.credentialName",
        ]
    );
}
