use std::collections::BTreeMap;

use sealgate_core::explain::{Protocol, Question};
use serde_json::{Value, json};

use super::*;
use crate::CredentialName;
use crate::cipher::KeyKind;
use crate::explain::{Explainer, request};
use crate::line::{BeginLine, ClaimLine, CredentialLine, NameLine, ObjectLine, TableLine};
use crate::resolve::ServedCertificate;

const TEXT: &str = r#"
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
    - port: { number: 443, name: https, protocol: HTTPS }
      hosts: ["*.example"]
      tls: { mode: SIMPLE, credentialName: edge }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop }
spec:
  hosts: [shop.example]
  gateways: [istio-system/edge]
  http:
    - match: [{ uri: { prefix: /cart } }]
      route: [{ destination: { host: cart.local } }]
    - route: [{ destination: { host: shop.local } }]
    - match: [{ uri: { exact: /old } }]
      redirect: { uri: / }
"#;

fn of(text: &str) -> Preview {
    Preview::of_manifests(text, &GatewayOptions::default()).unwrap()
}

fn question(url: &str) -> Question {
    request(url, "GET", [], Protocol::Http1).unwrap()
}

/// Where a request goes.
fn asked(preview: &Preview, url: &str) -> String {
    let question = question(url);
    let answer = preview.served_host(&question).explain(&question, None).unwrap();
    let answer: Value = serde_json::to_value(&answer).unwrap();
    let decision = &answer["decision"];
    let cluster = decision["cluster"].as_str().or(decision["type"].as_str());
    cluster.unwrap_or_default().to_owned()
}

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn manifests_are_served_and_doubted_as_in_a_directory() {
    let preview = of(TEXT);
    assert_eq!(
        asked(&preview, "https://shop.example/cart/1"),
        "outbound|443||cart.local"
    );
    assert_eq!(
        asked(&preview, "https://shop.example/"),
        "outbound|443||shop.local"
    );
    assert_eq!(asked(&preview, "https://other.example/"), "notFound");
    assert!(codes(&preview.findings()).contains(&"dead-rule"));
    let [host] = &preview.hosts()[..] else {
        panic!("{:?}", preview.hosts())
    };
    assert_eq!(
        (host.port, host.domain.as_str(), host.rules, host.marked),
        (443, "shop.example", 2, 3)
    );
    assert_eq!(
        (&*host.services, host.passed_on),
        (&["default/shop".to_owned()][..], false)
    );
    let rules = preview.rules(443, "shop.example");
    assert_eq!(rules[0].blocks, [["path prefix \"/cart\""]]);
    assert_eq!(rules[0].action, "to cart.local:443");
    assert_eq!(rules[0].marks[0].code, Code::UnknownDestination);
    assert_eq!((rules[0].cut_by.as_ref(), rules[1].cut_by.as_ref()), (None, None));
    // What stands behind a rule that takes every request is in no table, and is told of all the same.
    assert_eq!(rules[2].blocks, [["path exact \"/old\""]]);
    assert_eq!(rules[2].action, "redirect with 301");
    assert_eq!(rules[2].cut_by.as_deref(), Some("default/shop http[1]"));
    assert_eq!(rules[2].marks[0].code, Code::DeadRule);
    assert_eq!(rules.len(), 3);
    assert_eq!(
        preview.gateways()[0].servers[0].credentials,
        ["istio-system/edge"]
    );
}

/// The rules of a host, each with the one that cuts it.
fn listed(preview: &Preview, domain: &str) -> Vec<String> {
    let rules = preview.rules(443, domain);
    let rules = rules.iter().map(|own| {
        let by = own.cut_by.as_deref();
        let by = by.map(|by| format!(", cut by {by}")).unwrap_or_default();
        format!("{} http[{}] {:?}{by}", own.service, own.rule, own.blocks)
    });
    rules.collect()
}

#[test]
fn a_rule_that_is_cut_on_one_host_is_alive_on_another() {
    let (gateway, _) = TEXT.split_once("---").unwrap();
    let service = |name: &str, hosts: &str, rules: &str| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{ name: {name} }}\nspec:\n  \
             hosts: [{hosts}]\n  gateways: [istio-system/edge]\n  http: [{rules}]\n"
        )
    };
    let answer = |status: u16| format!("directResponse: {{ status: {status} }}");
    let elder = service("a", "a.example", &format!("{{ {} }}", answer(200)));
    let rules = format!(
        "{{ match: [{{ uri: {{ prefix: /x }} }}], {} }}, {{ {} }}, {{ match: [{{ uri: {{ prefix: /y }} }}], {} }}",
        answer(201),
        answer(202),
        answer(203)
    );
    let younger = service("b", "\"a.example\", \"b.example\"", &rules);
    let blocks = format!(
        "{{ match: [{{ uri: {{ prefix: /p }} }}, {{ uri: {{ prefix: / }} }}, {{ uri: {{ prefix: /q }} }}], {} }}",
        answer(204)
    );
    let preview = of(&[gateway, &elder, &younger, &service("c", "c.example", &blocks)].concat());
    assert_eq!(
        listed(&preview, "a.example"),
        [
            r#"default/b http[0] [["path prefix \"/x\""]]"#,
            "default/a http[0] []",
            "default/b http[1] [], cut by default/a http[0]",
            r#"default/b http[2] [["path prefix \"/y\""]], cut by default/a http[0]"#,
        ]
    );
    assert_eq!(
        listed(&preview, "b.example"),
        [
            r#"default/b http[0] [["path prefix \"/x\""]]"#,
            "default/b http[1] []",
            r#"default/b http[2] [["path prefix \"/y\""]], cut by default/b http[1]"#,
        ]
    );
    assert_eq!(
        listed(&preview, "c.example"),
        [
            r#"default/c http[0] [["path prefix \"/p\""]]"#,
            r#"default/c http[0] [["path prefix \"/\""]]"#,
            r#"default/c http[0] [["path prefix \"/q\""]], cut by default/c http[0]"#,
        ]
    );
    let dead = |at: usize| {
        let rules = preview.rules(443, "a.example");
        rules[at].marks.iter().any(|mark| mark.code == Code::DeadRule)
    };
    assert!(!dead(2) && dead(3), "alive on b.example, and nowhere");
    let hosts = preview.hosts();
    let counts: Vec<_> = hosts
        .iter()
        .map(|host| (host.domain.as_str(), host.rules, host.services.len()))
        .collect();
    assert_eq!(
        counts,
        [("a.example", 2, 2), ("b.example", 2, 1), ("c.example", 2, 1)]
    );
    let counted: Vec<_> = preview.resolver.hosts().map(|(_, own)| own.rules).collect();
    assert_eq!(counted, [2, 2, 2]);
}

#[test]
fn a_host_whose_connections_are_passed_on_says_where() {
    let (gateway, _) = TEXT.split_once("---").unwrap();
    let gateway = gateway
        .replace("protocol: HTTPS", "protocol: TLS")
        .replace("mode: SIMPLE, credentialName: edge", "mode: PASSTHROUGH");
    let service = "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: db }\nspec:\n  \
        hosts: [db.example]\n  gateways: [istio-system/edge]\n  tls:\n  - match: [{ sniHosts: [db.example] }]\n    route:\n    \
        - { destination: { host: a.local, port: { number: 5432 } }, weight: 1 }\n    \
        - { destination: { host: b.local, port: { number: 5432 } }, weight: 3 }\n";
    let preview = of(&(gateway + service));
    let [host] = &preview.hosts()[..] else {
        panic!("{:?}", preview.hosts())
    };
    assert_eq!(
        (host.port, host.domain.as_str(), host.rules, host.passed_on),
        (443, "db.example", 0, true)
    );
    assert_eq!(host.services, ["default/db"]);
    assert_eq!(host.words, "a.local:5432 (1 of 4), b.local:5432 (3 of 4)");
    assert!(preview.rules(443, "db.example").is_empty());
    assert_eq!(asked(&preview, "https://db.example/"), "connection");
}

#[test]
fn one_host_answers_as_all_of_them_do() {
    let preview = of(TEXT);
    let explainer = Explainer::new(&preview.resolver, preview.paths).unwrap();
    for (text, place, wanted) in [
        (
            r#"{"authority":"shop.example","path":"/cart"}"#,
            "/matched/match",
            json!(0),
        ),
        // Rules see the host of the target.
        (
            r#"{"authority":"other.example","path":"https://shop.example/cart"}"#,
            "/matched/match",
            json!(0),
        ),
        // There is such a host, and no rule that takes this.
        (
            r#"{"authority":"other.example","method":"CONNECT","path":"shop.example:443"}"#,
            "/decision/reason",
            json!("rule"),
        ),
    ] {
        let question: Question = serde_json::from_str(text).unwrap();
        let one = preview.served_host(&question).line(&question).unwrap();
        let one = serde_json::to_value(&one).unwrap();
        let all = serde_json::to_value(explainer.line(&preview.resolver, &question)).unwrap();
        assert_eq!(one, all, "{text}");
        assert_eq!(one.pointer(place), Some(&wanted), "{one}");
    }
}

#[test]
fn a_secret_that_is_there_and_empty_is_none() {
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: edge, namespace: istio-system}\nstringData: {tls.crt: a}\n";
    let is_missed = |preview: &Preview| codes(&preview.findings()).contains(&"credential-not-ready");
    assert!(is_missed(&of(&(TEXT.to_owned() + secret))));
    let whole = secret.replace("tls.crt: a", "tls.crt: a, tls.key: b");
    assert!(!is_missed(&of(&(TEXT.to_owned() + &whole))));
    // Of one that nobody shows, nothing is known.
    assert!(!is_missed(&of(TEXT)));
}

#[test]
fn the_first_of_two_counts_and_the_other_is_said() {
    let (_, service) = TEXT.split_once("---").unwrap();
    let preview = of(&format!("{TEXT}---{}", service.replace("/cart", "/basket")));
    assert_eq!(
        asked(&preview, "https://shop.example/cart"),
        "outbound|443||cart.local"
    );
    assert!(codes(&preview.findings()).contains(&"duplicate-object"));
}

#[test]
fn an_edit_changes_a_copy() {
    let preview = of(TEXT);
    let (_, service) = TEXT.split_once("---").unwrap();
    let entries = preview.read(
        "edit",
        &service
            .replace("exact: /old", "exact: /cart")
            .replace("/cart", "/basket"),
    );
    let edited = preview.with_edits(entries, &BTreeSet::new());
    assert_eq!(
        asked(&edited, "https://shop.example/cart"),
        "outbound|443||shop.local"
    );
    assert_eq!(
        asked(&edited, "https://shop.example/basket"),
        "outbound|443||cart.local"
    );
    assert_eq!(
        asked(&preview, "https://shop.example/cart"),
        "outbound|443||cart.local"
    );
    // What did not change is said as before.
    let again = preview.with_edits(Vec::new(), &BTreeSet::new());
    assert_eq!(again.findings(), preview.findings());
    let gone = BTreeSet::from([ObjectRef::new(Kind::VirtualService, "default", "shop")]);
    let without = preview.with_edits(Vec::new(), &gone);
    assert_eq!(asked(&without, "https://shop.example/cart"), "notFound");
    assert!(codes(&preview.findings_beyond(&without)).contains(&"dead-rule"));
}

/// What an agent would tell of this one.
fn lines(preview: &Preview, number: u64) -> Vec<TableLine> {
    let mut lines = vec![TableLine::Begin(BeginLine {
        generation: number,
        since: None,
        options: GatewayOptions::new(&preview.gateway, preview.paths),
    })];
    let claims = preview.resolver.claims();
    lines.extend(
        claims
            .iter()
            .map(|(claim, tenure)| TableLine::Claim(ClaimLine::new(claim, Some(tenure)))),
    );
    let known = KnownSecret {
        is_served: true,
        allowed: Some([].into()),
        certificate: Some(Arc::new(ServedCertificate {
            key: KeyKind::Ecdsa,
            quic: true,
            names: vec!["*.example".to_owned()],
        })),
    };
    let edge = CredentialName::new("istio-system", "edge");
    lines.push(TableLine::Credential(CredentialLine::new(&edge, &known)));
    let objects = preview.store.objects();
    lines.extend(
        objects
            .filter_map(|object| ObjectLine::new(object))
            .map(|line| TableLine::Object(line.compact())),
    );
    let unpaid = preview.store.unpaid().iter();
    lines.extend(unpaid.map(|name| TableLine::Unpaid(NameLine::from(name))));
    lines
}

/// Reads lines, and the one that ends them.
fn read(reader: &mut TableReader, mut lines: Vec<TableLine>) -> Result<bool, BadTable> {
    lines.push(TableLine::End(lines.len() + 1));
    let mut is_whole = false;
    for line in lines {
        is_whole = reader.take(&serde_json::to_string(&line)?)?;
    }
    Ok(is_whole)
}

#[test]
fn what_an_agent_tells_is_the_same_gateway() {
    let preview = of(TEXT);
    let mut reader = TableReader::default();
    assert!(read(&mut reader, lines(&preview, 7)).unwrap());
    let told = reader.preview().unwrap();
    for url in [
        "https://shop.example/cart",
        "https://shop.example/",
        "https://other.example/",
    ] {
        assert_eq!(asked(told, url), asked(&preview, url), "{url}");
    }
    assert_eq!(told.resolver.claims(), preview.resolver.claims());
    assert_eq!(reader.generation(), Some(7));

    // Only what changed.
    let begin = BeginLine {
        generation: 8,
        since: Some(7),
        options: GatewayOptions::default(),
    };
    let shop = ObjectRef::new(Kind::VirtualService, "default", "shop");
    let changes = vec![
        TableLine::Begin(begin.clone()),
        TableLine::Gone(NameLine::from(&shop)),
    ];
    assert!(read(&mut reader, changes.clone()).unwrap());
    assert_eq!(
        asked(reader.preview().unwrap(), "https://shop.example/"),
        "notFound"
    );
    let unknown = read(&mut reader, changes).unwrap_err();
    assert!(matches!(unknown, BadTable::Unknown(7)), "{unknown}");
}

#[test]
fn an_edit_is_warned_of_handshakes_with_an_agents_certificates() {
    let preview = of(TEXT);
    let mut reader = TableReader::default();
    assert!(read(&mut reader, lines(&preview, 7)).unwrap());
    let (gateway, _) = TEXT.split_once("---").unwrap();
    let edited = gateway.replace(
        "credentialName: edge",
        "credentialName: edge, cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256]",
    );
    let new = |base: &Preview| {
        let trial = base.with_edits(base.read("edit", &edited), &BTreeSet::new());
        codes(&trial.findings_beyond(base))
    };
    assert_eq!(new(reader.preview().unwrap()), ["unusable-suites"]);
    // Nobody has read this one: it may have any key.
    assert!(new(&preview).is_empty());
}

#[test]
fn what_stands_for_a_rule_without_room_takes_no_room_after_an_edit() {
    let rule = |name: &str, subsets: &[&str]| {
        let subsets: Vec<_> = subsets.iter().map(|own| format!("{{name: {own}}}")).collect();
        format!(
            "{{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {{name: {name}, namespace: team}}, spec: \
             {{host: {name}.test, trafficPolicy: {{tls: {{mode: SIMPLE}}}}, subsets: [{}]}}}}\n---\n",
            subsets.join(", ")
        )
    };
    let options = GatewayOptions {
        tenancy: "namespaces".to_owned(),
        budgets: "destination-rule-subsets=4".to_owned(),
        ..GatewayOptions::default()
    };
    let text = rule("a", &["v1", "v2"]) + &rule("b", &["v1", "v2", "v3"]);
    let preview = Preview::of_manifests(&text, &options).unwrap();
    assert!(codes(&preview.findings()).contains(&"over-budget"));
    let mut reader = TableReader::default();
    assert!(read(&mut reader, lines(&preview, 7)).unwrap());
    // Two of four are used, whatever stands for the other rule.
    for base in [&preview, reader.preview().unwrap()] {
        for (subsets, is_over) in [(&["v1", "v2"][..], false), (&["v1", "v2", "v3"][..], true)] {
            let trial = base.with_edits(base.read("edit", &rule("c", subsets)), &BTreeSet::new());
            let new = trial.findings_beyond(base);
            assert_eq!(codes(&new).contains(&"over-budget"), is_over, "{new:?}");
        }
    }
}

#[test]
fn an_empty_difference_changes_nothing() {
    let mut reader = TableReader::default();
    assert!(read(&mut reader, lines(&of(TEXT), 7)).unwrap());
    let begin = BeginLine {
        generation: 7,
        since: Some(7),
        options: GatewayOptions::default(),
    };
    assert!(read(&mut reader, vec![TableLine::Begin(begin)]).unwrap());
    assert_eq!(reader.generation(), Some(7));
    let told = reader.preview().unwrap();
    assert_eq!(asked(told, "https://shop.example/"), "outbound|443||shop.local");
}

#[test]
fn half_an_answer_is_none() {
    let all = lines(&of(TEXT), 1);
    let mut reader = TableReader::default();
    let mut cut = all.clone();
    cut.pop();
    cut.push(TableLine::End(all.len() + 1));
    let mut last = Ok(false);
    for line in &cut {
        last = reader.take(&serde_json::to_string(line).unwrap());
    }
    assert!(matches!(last, Err(BadTable::Cut(..))), "{last:?}");
    assert!(reader.preview().is_none());
    assert!(matches!(
        TableReader::default().take(&serde_json::to_string(&all[1]).unwrap()),
        Err(BadTable::NoBeginning)
    ));
}

#[test]
fn options_are_what_they_were_and_nonsense_is_refused() {
    let options = GatewayOptions {
        tenancy: "namespaces".to_owned(),
        tenancy_policy: "ports: [{numbers: [22], namespaces: [a]}]".to_owned(),
        budgets: "hosts=3,total-rules=9".to_owned(),
        escaped_slashes: Some("reject".to_owned()),
        port_map: BTreeMap::from([(443, 8443)]),
        ..GatewayOptions::default()
    };
    let gateway = options.gateway().unwrap();
    let again = GatewayOptions::new(&gateway, options.paths());
    assert_eq!(again.gateway().unwrap().budgets, gateway.budgets);
    assert_eq!(
        GatewayOptions {
            budgets: options.budgets.clone(),
            ..again
        },
        options
    );
    for bad in [
        r#"{"tenancy": "many"}"#,
        r#"{"namespace": "A"}"#,
        r#"{"escapedSlashes": "eat"}"#,
        r#"{"budgets": "x=1"}"#,
        r#"{"tenancyPolicy": "[]"}"#,
    ] {
        let options: GatewayOptions = serde_json::from_str(bad).unwrap();
        assert!(options.gateway().is_err(), "{bad}");
    }
}
