//! Tasks from Istio's documentation for ingress and traffic management: their manifests in the documented form (hosts,
//! ports and subsets by labels of pods), and the result that each task describes. `docs/reference/istio-tasks.md` lists
//! them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sealgate_tests::client::{Answer, Connection, Tls, Version, fetch_plain};
use sealgate_tests::eventually;
use sealgate_tests::lines::{self, Line};
use sealgate_tests::origin::{self, OriginServer};
use sealgate_tests::pki::Authority;
use sealgate_tests::site::Site;

const SOON: Duration = Duration::from_secs(20);

/// Versions of an app, each with where its one pod listens on this machine.
type Versions<'v> = &'v [(&'v str, u16)];

/// A Service as the tasks have it, and what Kubernetes makes of its Deployments: a pod for each version, and their endpoints.
fn service(name: &str, (port, port_name): (u16, &str), versions: Versions<'_>) -> String {
    let mut text = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, labels: {{app: {name}}}}}\n\
         spec: {{ports: [{{name: {port_name}, port: {port}}}], selector: {{app: {name}}}}}\n"
    );
    for (version, own) in versions {
        let pod = format!("{name}-{version}");
        text.push_str(&format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {pod}, labels: {{app: {name}, version: {version}}}}}\n\
             ---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
             metadata: {{name: {pod}, labels: {{kubernetes.io/service-name: {name}}}}}\naddressType: IPv4\n\
             ports: [{{name: {port_name}, port: {own}}}]\n\
             endpoints: [{{addresses: [127.0.0.1], targetRef: {{kind: Pod, name: {pod}, namespace: default}}}}]\n"
        ));
    }
    text
}

const GATEWAY: &str = "apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: httpbin-gateway
  namespace: default
spec:
  selector:
    istio: ingressgateway
  servers:
  - port:
      number: 80
      name: http
      protocol: HTTP
    hosts:
    - \"*\"
";

/// The subsets of the tasks' DestinationRules.
fn subsets(host: &str, versions: &[&str]) -> String {
    let subsets = versions
        .iter()
        .map(|version| format!("  - name: {version}\n    labels:\n      version: {version}\n"));
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata:\n  name: {host}\nspec:\n  host: {host}\n  subsets:\n{}",
        subsets.collect::<String>()
    )
}

fn routes(name: &str, rules: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: {name}\nspec:\n  hosts:\n  - \"{name}.example.com\"\n  \
         gateways:\n  - httpbin-gateway\n  http:\n{rules}"
    )
}

async fn get(site: &Site, host: &str, path: &str) -> Result<Answer> {
    fetch_plain(site.http, host, path).await
}

async fn status(site: &Site, host: &str, path: &str, status: u16) -> Result<()> {
    let attempt = || async {
        let answer = get(site, host, path).await?;
        ensure!(answer.status == status, "{} {}", answer.status, answer.body);
        Ok(())
    };
    eventually(&format!("{host}{path} is {status}"), SOON, attempt).await
}

/// How many of so many requests each upstream answers, by its name.
async fn shares(site: &Site, host: &str, count: usize) -> Result<BTreeMap<String, usize>> {
    let mut shares = BTreeMap::new();
    for _ in 0..count {
        let answer = get(site, host, "/").await?;
        ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
        let name = answer.body.split(' ').next().unwrap_or_default();
        *shares.entry(name.to_owned()).or_default() += 1;
    }
    Ok(shares)
}

/// "Ingress Gateways".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ingress_gateway() -> Result<()> {
    let site = Site::start().await?;
    site.write(
        "httpbin.yaml",
        &service("httpbin", (8000, "http"), &[("v1", site.httpbin)]),
    )?;
    site.write("gateway.yaml", GATEWAY)?;
    let rules = "  - match:
    - uri:
        prefix: /status
    - uri:
        prefix: /delay
    route:
    - destination:
        port:
          number: 8000
        host: httpbin
";
    site.write("routes.yaml", &routes("httpbin", rules))?;
    status(&site, "httpbin.example.com", "/status/200", 200).await?;
    status(&site, "httpbin.example.com", "/headers", 404).await
}

/// "Secure Gateways": one host, then several, then mutual TLS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secure_gateways() -> Result<()> {
    let site = Site::start().await?;
    site.write(
        "httpbin.yaml",
        &service("httpbin", (8000, "http"), &[("v1", site.httpbin)]),
    )?;
    let authority = Authority::new("example Inc.")?;
    let server = |name: &str, mode: &str| {
        format!(
            "  - port:\n      number: 443\n      name: https-{name}\n      protocol: HTTPS\n    tls:\n      mode: {mode}\n      \
             credentialName: {name}-credential\n    hosts:\n    - {name}.example.com\n"
        )
    };
    let head = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata:\n  name: httpbin-gateway\n  namespace: default\nspec:\n  selector:\n    \
                istio: ingressgateway\n  servers:\n";
    let rules = "  - match:\n    - uri:\n        prefix: /status\n    route:\n    - destination:\n        port:\n          number: 8000\n        host: httpbin\n";
    for name in ["httpbin", "helloworld"] {
        let leaf = authority.leaf(&[&format!("{name}.example.com")])?;
        leaf.write(&site.dir().join(format!("{name}-credential")))?;
        site.write(&format!("{name}-routes.yaml"), &routes(name, rules))?;
    }
    site.write(
        "gateway.yaml",
        &format!(
            "{head}{}{}",
            server("httpbin", "SIMPLE"),
            server("helloworld", "SIMPLE")
        ),
    )?;
    let teapot = |host: &'static str, tls: Tls| {
        let port = site.https;
        eventually(host, SOON, move || {
            let tls = tls.clone();
            async move {
                let answer = Connection::open(port, host, &tls)
                    .await?
                    .get(host, "/status/418")
                    .await?;
                ensure!(
                    answer.is_some_and(|answer| answer.status == 418),
                    "{host} is not served"
                );
                Ok(())
            }
        })
    };
    let anybody = Tls::new(Version::H2, None)?;
    teapot("httpbin.example.com", anybody.clone()).await?;
    teapot("helloworld.example.com", anybody.clone()).await?;

    authority.write(&site.dir().join("httpbin-credential"))?;
    site.write(
        "gateway.yaml",
        &format!(
            "{head}{}{}",
            server("httpbin", "MUTUAL"),
            server("helloworld", "SIMPLE")
        ),
    )?;
    let client = authority.leaf(&["client.example.com"])?;
    eventually("a client without a certificate is refused", SOON, || async {
        let answer = Connection::open(site.https, "httpbin.example.com", &anybody).await;
        let answer = match answer {
            Ok(mut open) => open.get("httpbin.example.com", "/status/418").await,
            Err(error) => Err(error),
        };
        ensure!(!answer.is_ok_and(|answer| answer.is_some()), "it is answered");
        Ok(())
    })
    .await?;
    teapot("httpbin.example.com", Tls::new(Version::H2, Some(&client))?).await?;
    teapot("helloworld.example.com", anybody).await
}

/// "Ingress Gateway without TLS Termination".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sni_passthrough() -> Result<()> {
    let site = Site::start().await?;
    let leaf = Authority::new("example Inc.")?.leaf(&["nginx.example.com"])?;
    let nginx = lines::start("nginx", Some(&leaf)).await?;
    site.write(
        "nginx.yaml",
        &service("my-nginx", (443, "https"), &[("v1", nginx)]),
    )?;
    site.write(
        "gateway.yaml",
        "apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: mygateway
  namespace: default
spec:
  selector:
    istio: ingressgateway
  servers:
  - port:
      number: 443
      name: https
      protocol: HTTPS
    tls:
      mode: PASSTHROUGH
    hosts:
    - nginx.example.com
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: nginx
spec:
  hosts:
  - nginx.example.com
  gateways:
  - mygateway
  tls:
  - match:
    - port: 443
      sniHosts:
      - nginx.example.com
    route:
    - destination:
        host: my-nginx
        port:
          number: 443
",
    )?;
    eventually("nginx's own certificate is shown", SOON, || async {
        let line = Line::open(site.https, "nginx.example.com", &Tls::new(Version::H1, None)?).await?;
        ensure!(
            line.upstream == "nginx" && line.leaf == leaf.der,
            "{}",
            line.upstream
        );
        Ok(())
    })
    .await
}

/// "Request Routing" and "Fault Injection": a user gets another version, or a delay or an error of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_routing_and_fault_injection() -> Result<()> {
    let site = Site::start().await?;
    let (one, two) = (
        OriginServer::start("v1", None).await?,
        OriginServer::start("v2", None).await?,
    );
    site.write(
        "reviews.yaml",
        &service("reviews", (9080, "http"), &[("v1", one.port), ("v2", two.port)]),
    )?;
    site.write("rules.yaml", &subsets("reviews", &["v1", "v2"]))?;
    site.write("gateway.yaml", GATEWAY)?;
    let all = "  - route:\n    - destination:\n        host: reviews\n        subset: v1\n";
    site.write("routes.yaml", &routes("reviews", all))?;
    status(&site, "reviews.example.com", "/", 200).await?;
    ensure!(shares(&site, "reviews.example.com", 20).await? == BTreeMap::from([("v1".to_owned(), 20)]));

    let jason = "  - match:\n    - headers:\n        end-user:\n          exact: jason\n";
    let two_for_jason =
        format!("{jason}    route:\n    - destination:\n        host: reviews\n        subset: v2\n{all}");
    site.write("routes.yaml", &routes("reviews", &two_for_jason))?;
    let as_user = |user: &'static str| {
        let port = site.http;
        async move {
            let mut open = Connection::open_plain(port).await?;
            let answer = open
                .get_with("reviews.example.com", "/", &[("end-user", user)])
                .await?;
            answer.ok_or_else(|| anyhow::anyhow!("no answer"))
        }
    };
    eventually("jason gets v2", SOON, || async {
        let answer = as_user("jason").await?;
        ensure!(answer.body.starts_with("v2 "), "{}", answer.body);
        Ok(())
    })
    .await?;
    ensure!(as_user("other").await?.body.starts_with("v1 "));

    let route = "    route:\n    - destination:\n        host: reviews\n        subset: v1\n";
    let delay = format!(
        "{jason}    fault:\n      delay:\n        percentage:\n          value: 100.0\n        fixedDelay: 1s\n{route}{all}"
    );
    site.write("routes.yaml", &routes("reviews", &delay))?;
    eventually("jason waits", SOON, || async {
        let start = Instant::now();
        as_user("jason").await?;
        ensure!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
        Ok(())
    })
    .await?;
    let abort = format!(
        "{jason}    fault:\n      abort:\n        percentage:\n          value: 100.0\n        httpStatus: 500\n{route}{all}"
    );
    site.write("routes.yaml", &routes("reviews", &abort))?;
    eventually("jason gets an error", SOON, || async {
        let answer = as_user("jason").await?;
        ensure!(answer.status == 500, "{}", answer.status);
        Ok(())
    })
    .await?;
    ensure!(as_user("other").await?.status == 200);
    Ok(())
}

/// "Traffic Shifting" and "Mirroring".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traffic_shifting_and_mirroring() -> Result<()> {
    let site = Site::start().await?;
    let (one, three) = (
        OriginServer::start("v1", None).await?,
        OriginServer::start("v3", None).await?,
    );
    site.write(
        "reviews.yaml",
        &service("reviews", (9080, "http"), &[("v1", one.port), ("v3", three.port)]),
    )?;
    site.write("rules.yaml", &subsets("reviews", &["v1", "v3"]))?;
    site.write("gateway.yaml", GATEWAY)?;
    let weighted = |first: u32, third: u32| {
        let to = |version: &str, weight: u32| {
            format!(
                "    - destination:\n        host: reviews\n        subset: {version}\n      weight: {weight}\n"
            )
        };
        routes(
            "reviews",
            &format!("  - route:\n{}{}", to("v1", first), to("v3", third)),
        )
    };
    site.write("routes.yaml", &weighted(50, 50))?;
    status(&site, "reviews.example.com", "/", 200).await?;
    let half = shares(&site, "reviews.example.com", 200).await?;
    ensure!(
        half.values().all(|count| (60..=140).contains(count)) && half.len() == 2,
        "{half:?}"
    );
    site.write("routes.yaml", &weighted(0, 100))?;
    eventually("all go to v3", SOON, || async {
        let all = shares(&site, "reviews.example.com", 20).await?;
        ensure!(all == BTreeMap::from([("v3".to_owned(), 20)]), "{all:?}");
        Ok(())
    })
    .await?;

    let mirrored = "  - route:\n    - destination:\n        host: reviews\n        subset: v1\n      weight: 100\n    mirror:\n      \
                    host: reviews\n      subset: v3\n    mirrorPercentage:\n      value: 100.0\n";
    site.write("routes.yaml", &routes("reviews", mirrored))?;
    eventually("v1 answers and v3 gets a copy", SOON, || async {
        let before = three.requests();
        let answer = get(&site, "reviews.example.com", "/").await?;
        ensure!(answer.body.starts_with("v1 "), "{}", answer.body);
        tokio::time::sleep(Duration::from_millis(100)).await;
        ensure!(three.requests() > before, "no copy came");
        Ok(())
    })
    .await
}

/// "TCP Traffic Shifting", at its documented port.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tcp_traffic_shifting() -> Result<()> {
    const PORT: u16 = 31_400;
    let site = Site::start().await?;
    let (one, two) = (lines::start("one", None).await?, lines::start("two", None).await?);
    site.write(
        "tcp-echo.yaml",
        &service("tcp-echo", (9000, "tcp"), &[("v1", one), ("v2", two)]),
    )?;
    site.write("rules.yaml", &subsets("tcp-echo", &["v1", "v2"]))?;
    site.write(
        "gateway.yaml",
        "apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: tcp-echo-gateway
  namespace: default
spec:
  selector:
    istio: ingressgateway
  servers:
  - port:
      number: 31400
      name: tcp
      protocol: TCP
    hosts:
    - \"*\"
",
    )?;
    let weighted = |first: u32, second: u32| {
        let to = |version: &str, weight: u32| {
            format!(
                "    - destination:\n        host: tcp-echo\n        port:\n          number: 9000\n        subset: {version}\n      weight: {weight}\n"
            )
        };
        format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: tcp-echo\nspec:\n  hosts:\n  - \"*\"\n  \
             gateways:\n  - tcp-echo-gateway\n  tcp:\n  - match:\n    - port: 31400\n    route:\n{}{}",
            to("v1", first),
            to("v2", second)
        )
    };
    let ones = || async {
        let mut ones = 0;
        for _ in 0..100 {
            ones += usize::from(Line::open_plain(PORT).await?.upstream == "one");
        }
        Ok::<_, anyhow::Error>(ones)
    };
    site.write("routes.yaml", &weighted(100, 0))?;
    eventually("all go to v1", SOON, || async {
        let ones = ones().await?;
        ensure!(ones == 100, "{ones} of 100");
        Ok(())
    })
    .await?;
    site.write("routes.yaml", &weighted(80, 20))?;
    eventually("a fifth goes to v2", SOON, || async {
        let ones = ones().await?;
        ensure!((60..=95).contains(&ones), "{ones} of 100");
        Ok(())
    })
    .await
}

/// "Request Timeouts" and "Circuit Breaking".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timeouts_and_circuit_breaking() -> Result<()> {
    let site = Site::start().await?;
    site.write(
        "httpbin.yaml",
        &service("httpbin", (8000, "http"), &[("v1", site.httpbin)]),
    )?;
    site.write("gateway.yaml", GATEWAY)?;
    let route =
        "  - route:\n    - destination:\n        host: httpbin\n        port:\n          number: 8000\n";
    site.write(
        "routes.yaml",
        &routes("httpbin", &format!("{route}    timeout: 0.5s\n")),
    )?;
    status(&site, "httpbin.example.com", "/delay/2", 504).await?;
    site.write("routes.yaml", &routes("httpbin", route))?;
    status(&site, "httpbin.example.com", "/delay/1", 200).await?;

    site.write(
        "rules.yaml",
        "apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: httpbin
spec:
  host: httpbin
  trafficPolicy:
    connectionPool:
      tcp:
        maxConnections: 1
      http:
        http1MaxPendingRequests: 1
        maxRequestsPerConnection: 1
    outlierDetection:
      consecutive5xxErrors: 1
      interval: 1s
      baseEjectionTime: 3m
      maxEjectionPercent: 100
",
    )?;
    eventually("some requests trip the breaker", SOON, || async {
        let requests = (0..10).map(|_| get(&site, "httpbin.example.com", "/delay/0.3"));
        let answers = futures::future::try_join_all(requests).await?;
        let count = |status| answers.iter().filter(|answer| answer.status == status).count();
        ensure!(
            count(200) > 0 && count(503) > 0 && count(200) + count(503) == 10,
            "{} {}",
            count(200),
            count(503)
        );
        Ok(())
    })
    .await
}

/// "Egress TLS Origination", as far as a gateway is concerned: what comes in plain text goes on in TLS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_origination() -> Result<()> {
    let authority = Authority::new("public CA")?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &authority.certificate)?;
    let site = Site::start_with(vec![format!("--public-ca={}", file.display())]).await?;
    let leaf = authority.leaf(&["edition.cnn.com"])?;
    let cnn = OriginServer::start("cnn", Some(origin::tls(&leaf, None)?)).await?;
    site.write("gateway.yaml", GATEWAY)?;
    // The documented entry resolves its host by DNS; here is where it would lead.
    site.write(
        "egress.yaml",
        &format!(
            "apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: edition-cnn-com
spec:
  hosts:
  - edition.cnn.com
  ports:
  - number: 80
    name: http-port
    protocol: HTTP
    targetPort: 443
  - number: 443
    name: https-port
    protocol: HTTPS
  resolution: STATIC
  endpoints:
  - address: 127.0.0.1
    ports:
      http-port: {}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: edition-cnn-com
spec:
  host: edition.cnn.com
  trafficPolicy:
    portLevelSettings:
    - port:
        number: 80
      tls:
        mode: SIMPLE
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: cnn
spec:
  hosts:
  - edition.cnn.com
  gateways:
  - httpbin-gateway
  http:
  - route:
    - destination:
        host: edition.cnn.com
        port:
          number: 80
",
            cnn.port
        ),
    )?;
    eventually("it is reached in TLS", SOON, || async {
        let answer = get(&site, "edition.cnn.com", "/politics").await?;
        ensure!(
            answer.status == 200 && answer.body.contains("sni=edition.cnn.com"),
            "{} {}",
            answer.status,
            answer.body
        );
        Ok(())
    })
    .await
}
