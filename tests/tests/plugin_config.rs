//! A filter without an agent, in the real Envoy: who its clients are and where requests go, with users' configurations,
//! and with none.

use anyhow::{Context as _, Result, ensure};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sealgate_tests::alone::{AloneSite, HOST, Notes, OWN, SHOP};
use sealgate_tests::client::{Answer, Connection, Tls, Version};
use sealgate_tests::pki::Leaf;
use serde_json::{Value, json};

/// What a client says of itself, in every way that an upstream could take for the gateway's word.
const FORGED: [(&str, &str); 12] = [
    ("x-client-cert-verified", "forged"),
    ("x_client_cert_subject", "forged"),
    ("X-Client-Cert-Unheard-Of", "forged"),
    ("x-client_cert-serial", "forged"),
    ("x-tls-version", "forged"),
    ("x_tls_sni", "forged"),
    ("client-cert", "forged"),
    ("client_cert-chain", "forged"),
    ("x-forwarded-client-cert", "Subject=\"CN=forged\""),
    ("x_forwarded_client_cert", "forged"),
    ("x-sealgate-cluster", "outbound|8080||shop.web.svc.cluster.local"),
    ("x-sealgate-mirrors", "forged"),
];

/// What a service saw of a header; several values are joined by a space.
fn seen(answer: &Answer, name: &str) -> String {
    let lines = answer.body.lines().filter_map(|line| line.split_once(": "));
    let values = lines.filter(|(own, _)| own.eq_ignore_ascii_case(name));
    values.map(|(_, value)| value).collect::<Vec<_>>().join(" ")
}

async fn ask(port: u16, tls: Option<&Tls>, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let mut connection = match tls {
        Some(tls) => Connection::open(port, HOST, tls).await?,
        None => Connection::open_plain(port).await?,
    };
    let answer = connection.get_with(HOST, path, headers).await?;
    answer.context("the connection ended before the request")
}

fn expect(answer: &Answer, service: &str, headers: &[(&str, &str)]) -> Result<()> {
    ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
    ensure!(
        answer.body.starts_with(&format!("{service}\n")),
        "{}",
        answer.body
    );
    ensure!(!answer.body.contains("forged"), "{}", answer.body);
    for (name, value) in headers {
        let found = seen(answer, name);
        ensure!(
            found == *value,
            "{name}: {found:?} and not {value:?}: {}",
            answer.body
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_configuration_tells_who_the_client_is_and_lets_nobody_forge_it() -> Result<()> {
    for config in [None, Some(""), Some("{}")] {
        let site = AloneSite::new().await?;
        let _envoy = site.start(config, Notes::None).await?;
        let client = site.client("client.example")?;
        let known = Tls::new(Version::H2, Some(&client))?;
        let answer = ask(site.https, Some(&known), "/", &FORGED).await?;
        let print = seen(&answer, "x-client-cert-sha256");
        ensure!(print.len() == 64, "{print}");
        let xfcc = format!("Hash=\"{print}\";Subject=\"CN=client.example\";DNS=\"client.example\"");
        expect(
            &answer,
            OWN,
            &[
                ("x-client-cert-verified", "true"),
                ("x-client-cert-subject", "CN=client.example"),
                ("x-client-cert-issuer", "CN=CA"),
                ("x-client-cert-serial", &client.serial),
                ("x-client-cert-dns-san", "client.example"),
                ("x-client-cert-uri-san", ""),
                ("x-tls-version", "TLSv1.3"),
                // No property has it.
                ("x-tls-cipher", ""),
                ("x-tls-sni", HOST),
                ("x-forwarded-client-cert", &xfcc),
                ("client-cert", ""),
            ],
        )?;
        let unknown = Tls::new(Version::H1, None)?;
        let nobody = [
            ("x-client-cert-verified", "none"),
            ("x-client-cert-subject", ""),
            ("x-forwarded-client-cert", ""),
        ];
        let answer = ask(site.https, Some(&unknown), "/", &FORGED).await?;
        expect(&answer, OWN, &nobody)?;
        expect(&answer, OWN, &[("x-tls-version", "TLSv1.3"), ("x-tls-sni", HOST)])?;
        let answer = ask(site.http, None, "/", &FORGED).await?;
        expect(&answer, OWN, &nobody)?;
        expect(&answer, OWN, &[("x-tls-version", ""), ("x-tls-sni", "")])?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identity_is_told_in_the_words_that_were_written() -> Result<()> {
    let site = AloneSite::new().await?;
    let config = json!({"identity": {
        "headers": ["verified", "subject"], "prefix": "x-peer-client-cert-", "xfcc": "off", "clientCert": "leaf",
    }});
    let _envoy = site.start(Some(&config.to_string()), Notes::None).await?;
    let client = site.client("client.example")?;
    let tls = Tls::new(Version::H1, Some(&client))?;
    let forged = [
        &FORGED[..],
        &[
            ("x-peer-client-cert-issuer", "forged"),
            ("x_peer_client-cert-subject", "forged"),
        ],
    ]
    .concat();
    let answer = ask(site.https, Some(&tls), "/", &forged).await?;
    let expected = [
        ("x-peer-client-cert-verified", "true"),
        ("x-peer-client-cert-subject", "CN=client.example"),
        ("x-peer-client-cert-issuer", ""),
        ("x-client-cert-verified", ""),
        ("x-forwarded-client-cert", ""),
        ("x-tls-version", ""),
    ];
    expect(&answer, OWN, &expected)?;
    let leaf = seen(&answer, "client-cert");
    ensure!(
        leaf.starts_with(':') && leaf.ends_with(':') && leaf.len() > 300,
        "{leaf}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clients_xfcc_is_kept_with_a_good_certificate_alone_and_only_if_so_written() -> Result<()> {
    let site = AloneSite::new().await?;
    let config = json!({"identity": {"xfcc": "appendForward"}}).to_string();
    let _envoy = site.start(Some(&config), Notes::None).await?;
    let before = [("x-forwarded-client-cert", "Hash=before")];
    let client = site.client("client.example")?;
    let known = Tls::new(Version::H1, Some(&client))?;
    let answer = ask(site.https, Some(&known), "/", &before).await?;
    let xfcc = seen(&answer, "x-forwarded-client-cert");
    ensure!(xfcc.starts_with("Hash=before,Hash=\""), "{xfcc}");
    let unknown = Tls::new(Version::H1, None)?;
    let answer = ask(site.https, Some(&unknown), "/", &before).await?;
    ensure!(
        seen(&answer, "x-forwarded-client-cert").is_empty(),
        "{}",
        answer.body
    );
    Ok(())
}

/// Sessions are resumed by whoever has this.
fn resuming(client: &Leaf) -> Result<Tls> {
    Tls::with(Version::H1, &[&rustls::version::TLS12], |builder| {
        let mut config = builder.with_client_auth_cert(
            vec![CertificateDer::from(client.der.clone())],
            PrivateKeyDer::from_pem_slice(client.key.as_bytes())?,
        )?;
        config.resumption = Resumption::in_memory_sessions(8);
        Ok(config)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumed_session_is_verified_where_the_listener_says_that_all_are() -> Result<()> {
    for (notes, resumed, has_cipher) in [(Notes::None, "false", false), (Notes::Checked, "true", true)] {
        let site = AloneSite::new().await?;
        let _envoy = site.start(Some("{}"), notes).await?;
        let tls = resuming(&site.client("client.example")?)?;
        for (is_resumed, verified) in [(false, "true"), (true, resumed)] {
            let mut connection = Connection::open(site.https, HOST, &tls).await?;
            ensure!(
                connection.is_resumed == is_resumed,
                "resumed: {}",
                connection.is_resumed
            );
            let answer = connection
                .get_with(HOST, "/", &FORGED)
                .await?
                .context("an answer")?;
            expect(&answer, OWN, &[("x-client-cert-verified", verified)])?;
            let cipher = seen(&answer, "x-tls-cipher");
            ensure!(cipher.starts_with("ECDHE-") == has_cipher, "{cipher}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoy_does_not_start_with_what_nobody_knows_and_its_log_names_the_place() -> Result<()> {
    let site = AloneSite::new().await?;
    for (config, place) in [
        (json!({"identiy": {}}), "identiy: this key is not known"),
        (
            json!({"identity": {"xfccs": "off"}}),
            "identity.xfccs: this key is not known; the known ones are headers, prefix, xfcc",
        ),
        (
            json!({"identity": {"xfcc": "on"}}),
            "identity.xfcc: unknown variant `on`",
        ),
        (
            json!({"identity": {"prefix": "x-envoy-client-cert-"}}),
            "identity.prefix: \"x-envoy-client-cert-\": x-envoy- is the gateway's own",
        ),
        (
            json!({"routing": {"unmatched": "drop"}}),
            "routing.unmatched: \"drop\": one of pass and reject",
        ),
    ] {
        let log = site.refused(&config.to_string()).await?;
        let said = format!("sealgate: the configuration is rejected: {place}");
        ensure!(log.contains(&said), "{config}: {log}");
    }
    Ok(())
}

/// Rules of every kind that the filter carries out by itself.
fn rules() -> Value {
    let shop = json!([{"destination": {"host": "shop", "port": {"number": 8080}}}]);
    let uri = |prefix: &str| json!([{"uri": {"prefix": prefix}}]);
    json!([
        {"match": uri("/shop"), "route": shop, "rewrite": {"uri": "/inside", "authority": "inside.example"},
            "headers": {"request": {"set": {"x-rule": "1"}}, "response": {"set": {"x-answer": "%RESPONSE_CODE%"}}},
            "corsPolicy": {"allowOrigins": [{"exact": "https://o.example"}]}},
        {"match": uri("/patient"), "route": shop, "timeout": "7s", "retries": {"attempts": 3, "retryOn": "5xx"}},
        {"match": uri("/direct"), "directResponse": {"status": 418, "body": {"string": "teapot"}}},
        {"match": uri("/moved"), "redirect": {"uri": "/there", "derivePort": "FROM_REQUEST_PORT"}},
        {"match": uri("/abort"), "route": shop,
            "fault": {"abort": {"httpStatus": 555, "percentage": {"value": 100}}}},
        {"match": [{"uri": {"prefix": "/told"}, "headers": {"x-client-cert-verified": {}}}],
            "directResponse": {"status": 500}},
        {"match": uri("/nowhere"), "route": [{"destination": {"host": "nobody.example", "port": {"number": 80}}}]},
    ])
}

fn routing(unmatched: &str) -> String {
    let service = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": "shop", "namespace": "web"},
        "spec": {"hosts": [HOST], "gateways": ["istio-system/edge"], "http": rules()},
    });
    json!({"routing": {"unmatched": unmatched, "virtualServices": [service]}}).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_lead_where_they_say_and_all_else_where_envoys_own_route_does() -> Result<()> {
    let site = AloneSite::new().await?;
    let _envoy = site.start(Some(&routing("pass")), Notes::Checked).await?;
    let client = site.client("client.example")?;
    let tls = Tls::new(Version::H2, Some(&client))?;
    let get = |path: &'static str| ask(site.https, Some(&tls), path, &FORGED);

    let answer = get("/shop/a?b=c").await?;
    expect(
        &answer,
        SHOP,
        &[
            ("host", "inside.example"),
            ("x-rule", "1"),
            ("x-client-cert-verified", "true"),
            ("x-client-cert-subject", "CN=client.example"),
            ("x-sealgate-cluster", ""),
        ],
    )?;
    ensure!(
        answer.body.contains("\nGET /inside/a?b=c HTTP/1.1"),
        "{}",
        answer.body
    );
    ensure!(
        answer.headers.get("x-answer").is_some_and(|code| code == "200"),
        "{answer:?}"
    );

    let answer = get("/direct").await?;
    ensure!(
        (answer.status, answer.body.as_str()) == (418, "teapot"),
        "{answer:?}"
    );
    let answer = get("/moved").await?;
    let location = answer.headers.get("location").context("no location")?.to_str()?;
    ensure!(
        (answer.status, location) == (301, "https://shop.example/there"),
        "{answer:?}"
    );
    ensure!(get("/abort").await?.status == 555, "no abort");
    ensure!(
        get("/nowhere").await?.status == 503,
        "a cluster that is not there"
    );

    let own = [("x-client-cert-verified", "true"), ("x-sealgate-cluster", "")];
    // What a rule asks of a header it does not ask of a client's own.
    for path in ["/told", "/", "/shoo"] {
        expect(&get(path).await?, OWN, &own)?;
    }
    let plain = ask(site.http, None, "/shop", &FORGED).await?;
    expect(&plain, SHOP, &[("x-client-cert-verified", "none")])?;
    let moved = ask(site.http, None, "/moved", &[]).await?;
    ensure!(
        moved
            .headers
            .get("location")
            .is_some_and(|to| to == "http://shop.example/there"),
        "{moved:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_steers_a_routed_request_is_the_rules_word_and_not_the_clients() -> Result<()> {
    let site = AloneSite::new().await?;
    let _envoy = site.start(Some(&routing("pass")), Notes::None).await?;
    let steering = [
        ("x-envoy-upstream-rq-timeout-ms", "1"),
        ("x-envoy-retry-on", "connect-failure"),
        ("x-envoy-max-retries", "9"),
        ("x-envoy-upstream-alt-stat-name", "forged"),
    ];
    let answer = ask(site.http, None, "/patient", &steering).await?;
    expect(
        &answer,
        SHOP,
        &[
            ("x-envoy-expected-rq-timeout-ms", "7000"),
            ("x-envoy-max-retries", ""),
        ],
    )?;
    let answer = ask(site.http, None, "/shop", &steering).await?;
    expect(&answer, SHOP, &[("x-envoy-expected-rq-timeout-ms", "")])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_no_rule_takes_is_rejected_where_that_is_written() -> Result<()> {
    let site = AloneSite::new().await?;
    let _envoy = site.start(Some(&routing("reject")), Notes::None).await?;
    for (host, path, status) in [
        (HOST, "/shop", 200),
        (HOST, "/", 404),
        ("other.example", "/shop", 404),
    ] {
        let mut connection = Connection::open_plain(site.http).await?;
        let answer = connection
            .get_with(host, path, &FORGED)
            .await?
            .context("an answer")?;
        ensure!(answer.status == status, "{host}{path}: {answer:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_that_the_filter_cannot_carry_out_keep_envoy_from_starting() -> Result<()> {
    let site = AloneSite::new().await?;
    let shop = json!([{"destination": {"host": "shop.example", "port": {"number": 8080}}}]);
    let place = "routing.virtualServices[0].http[0]";
    for (rule, said) in [
        (
            json!({"route": shop, "mirrors": [{"destination": {"host": "b.example"}}]}),
            ".mirrors: mirrors need native routes",
        ),
        (json!({"mtch": [], "route": shop}), ".mtch: this key is not known"),
        (
            json!({"route": [{"destination": {"host": "shop.example"}}]}),
            ".route[0].destination.port: ",
        ),
        (
            json!({"match": [{"uri": {"regex": "("}}], "route": shop}),
            ".match[0].uri.regex: `(` is not a valid regex",
        ),
    ] {
        let config = json!({"routing": {"virtualServices": [{"hosts": [HOST], "http": [rule]}]}});
        let log = site.refused(&config.to_string()).await?;
        let said = format!("sealgate: the configuration is rejected: {place}{said}");
        ensure!(log.contains(&said), "{config}: {log}");
    }
    Ok(())
}
