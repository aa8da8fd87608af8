//! What Envoy's access log says about a request: the path as routed, without the query.

use std::time::Duration;

use anyhow::{Result, ensure};
use sealgate_tests::client::fetch_plain;
use sealgate_tests::site::Site;
use sealgate_tests::{eventually, manifests};

const SOON: Duration = Duration::from_secs(10);

const OBJECTS: &str = "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [log.test]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v}
spec:
  hosts: [log.test]
  gateways: [istio-system/g]
  http:
  - match: [{uri: {prefix: /old}}]
    rewrite: {uri: /new}
    route: [{destination: {host: welcome.local, port: {number: 80}}}]
  - route: [{destination: {host: welcome.local, port: {number: 80}}}]
---
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_has_the_path_without_its_query() -> Result<()> {
    let site = Site::start().await?;
    let entry = manifests::entry("welcome", "welcome.local", 80, site.welcome);
    site.write("objects.yaml", &(OBJECTS.to_owned() + &entry))?;
    let answered = || async {
        let answer = fetch_plain(site.http, "log.test", "/plain?token=secret").await?;
        ensure!(answer.status != 404, "{}", answer.status);
        Ok(())
    };
    eventually("the host is served", SOON, answered).await?;
    fetch_plain(site.http, "log.test", "/old/place?token=secret").await?;
    let logged = || async {
        let log = std::fs::read_to_string(site.envoy_log())?;
        for line in [
            " GET log.test /plain HTTP/1.1 ",
            " GET log.test /new/place HTTP/1.1 ",
        ] {
            ensure!(log.contains(line), "no {line:?} in {log}");
        }
        ensure!(!log.contains("token"), "{log}");
        Ok(())
    };
    eventually("both are logged", SOON, logged).await
}
