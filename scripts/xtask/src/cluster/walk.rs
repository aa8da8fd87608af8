//! The steps of the walkthrough, as in its document and `docs/journeys/kubernetes.md`, under load.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::addresses::GATEWAY;
use super::certificates::Authority;
use super::commands;
use super::images;
use super::kubectl::{Kubectl, eventually, output};
use super::load::{Load, Totals};
use super::node::{Node, ctr};
use super::programs::Programs;
use super::steps::Steps;

const MANIFESTS: &str = "envoy/kubernetes/example";
const CHART: &str = "envoy/helm/sealgate";
const NAMESPACE: &str = "istio-system";
/// The first Secret of the walkthrough, and the last one.
const FIRST: &str = "myexample-credential";
const SECOND: &str = "new-istio-ingressgateway-certs";

/// Plays all of it, in the namespaces that this process was started in.
pub(super) fn play(folder: &Path, agent: &Path) -> Result<()> {
    let programs = Programs::get()?;
    let mut steps = Steps::after(1);
    steps.begin("images, packed from files");
    let archives = images::pack(&folder.join("images"), &programs, agent)?;
    steps.done("pause, the agent, Envoy, nginx, httpbin");
    steps.begin("a Kubernetes of one node");
    let _node = Node::start(folder, &programs, &archives)?;
    let [present, next] = images::agent_names();
    output(&mut ctr(&["images", "tag", &present, &next]))?;
    let kubectl = Kubectl::new(&programs, folder);
    let version = kubectl.ask(&[
        "get",
        "node",
        "node1",
        "-o",
        "jsonpath={.status.nodeInfo.kubeletVersion}",
    ])?;
    steps.done(&format!("the node is ready, Kubernetes {version}"));
    let walk = Walk {
        kubectl,
        programs: &programs,
        folder,
        authority: Authority::new(&folder.join("site"), "/O=myexample Inc./CN=aliyun.root")?,
        steps,
    };
    walk.all()
}

struct Walk<'a> {
    kubectl: Kubectl<'a>,
    programs: &'a Programs,
    folder: &'a Path,
    authority: Authority,
    steps: Steps,
}

impl Walk<'_> {
    fn all(mut self) -> Result<()> {
        self.install()?;
        self.objects()?;
        self.steps.begin(
            "load: kept and new connections, HTTP/1.1 and HTTP/2, HTTP and HTTPS, quick and slow answers",
        );
        let mut load = Load::start(self.programs, &self.authority.certificate("ca"))?;
        sleep(Duration::from_secs(5));
        self.steps.done(&load.totals()?.to_string());
        self.restart(&mut load)?;
        self.upgrade(&mut load)?;
        self.another_credential(&mut load)?;
        self.seen()?;
        let totals = load.totals()?;
        totals.check()?;
        self.steps.done(&totals.to_string());
        ensure!(self.steps.were_all(), "not all steps were counted");
        Ok(())
    }

    fn install(&mut self) -> Result<()> {
        self.steps.begin(
            "the definitions, and the gateway by its chart, in a namespace that enforces \"restricted\"",
        );
        let kubectl = &self.kubectl;
        for command in [
            commands::DEFINITIONS,
            commands::NAMESPACE,
            commands::RESTRICTED,
            commands::INSTALL,
        ] {
            kubectl.typed(command)?;
        }
        self.rolled_out(commands::READY, NAMESPACE)?;
        // In place of a load balancer controller.
        let status = format!(r#"{{"status":{{"loadBalancer":{{"ingress":[{{"ip":"{GATEWAY}"}}]}}}}}}"#);
        kubectl.ask(&[
            "-n",
            NAMESPACE,
            "patch",
            "service",
            "sealgate",
            "--subresource=status",
            "--type=merge",
            "-p",
            &status,
        ])?;
        let address = kubectl.typed(commands::ADDRESS)?;
        ensure!(address == GATEWAY, "the Service has the address {address}");
        self.steps.done("two pods are ready");
        Ok(())
    }

    fn rolled_out(&self, command: &str, namespace: &str) -> Result<()> {
        let done = self.kubectl.typed(command);
        done.map(drop).with_context(|| {
            let pods = self.kubectl.line(&format!("-n {namespace} get pods -o wide"));
            let events = self
                .kubectl
                .line(&format!("-n {namespace} get events --sort-by=.lastTimestamp"));
            format!("{}\n{}", pods.unwrap_or_default(), events.unwrap_or_default())
        })
    }

    fn objects(&mut self) -> Result<()> {
        self.steps.begin(&format!(
            "Secret {FIRST}, nginx and httpbin, the Gateway and the VirtualServices; both curls"
        ));
        let kubectl = &self.kubectl;
        self.secret(FIRST, commands::FIRST_SECRET)?;
        for command in commands::APPLICATIONS {
            kubectl.typed(command)?;
        }
        for command in commands::APPLICATIONS_READY {
            self.rolled_out(command, "default")?;
        }
        let begun = Instant::now();
        let hello = eventually("a.aliyun.com/hello", || self.curl("a.aliyun.com", "/hello"))?;
        ensure!(hello == "Welcome to Nginx Server!200", "{hello}");
        let teapot = eventually("b.aliyun.com/status/418", || {
            self.curl("b.aliyun.com", "/status/418")
        })?;
        ensure!(teapot.ends_with("418"), "{teapot}");
        let other = self.curl("a.aliyun.com", "/status/418")?;
        ensure!(other.ends_with("404"), "{other}");
        self.steps.done(&format!(
            "https://a.aliyun.com/hello: {hello:?}, https://b.aliyun.com/status/418: 418, {:.1} s after both ran",
            begun.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    /// A certificate of the walkthrough's hosts, as a Secret.
    fn secret(&self, name: &str, command: &str) -> Result<()> {
        self.authority.sign(
            name,
            "/CN=*.aliyun.com/O=myexample organization",
            "DNS:*.aliyun.com",
        )?;
        let (certificate, key) = (self.authority.certificate(name), self.authority.key(name));
        let command = command
            .replace("aliyun.com.crt", &certificate.display().to_string())
            .replace("aliyun.com.key", &key.display().to_string());
        self.kubectl.typed(&command).map(drop)
    }

    /// The answer's text, and its status.
    fn curl(&self, host: &str, path: &str) -> Result<String> {
        let mut command = Command::new("curl");
        command
            .args([
                "--silent",
                "--show-error",
                "--max-time",
                "10",
                "--write-out",
                "%{http_code}",
            ])
            .arg("--resolve")
            .arg(format!("{host}:443:{GATEWAY}"))
            .arg("--cacert")
            .arg(self.authority.certificate("ca"))
            .arg(format!("https://{host}{path}"));
        output(&mut command)
    }

    /// What a JSONPath finds in the gateway's pods.
    fn of_pods(&self, path: &str) -> Result<String> {
        let labels = "app.kubernetes.io/name=sealgate";
        let path = format!("jsonpath={path}");
        self.kubectl
            .ask(&["-n", NAMESPACE, "get", "pods", "-l", labels, "-o", &path])
    }

    fn pods(&self) -> Result<Vec<String>> {
        let list =
            self.of_pods("{range .items[*]}{.metadata.name} {.metadata.deletionTimestamp}{'\\n'}{end}")?;
        Ok(list.lines().map(|line| line.trim().to_owned()).collect())
    }

    /// New pods serve, and the old ones have drained and are gone.
    fn replaced(&self, old: &[String], load: &mut Load) -> Result<Totals> {
        self.rolled_out(commands::READY, NAMESPACE)?;
        eventually("the old pods are gone", || {
            let pods = self.pods()?;
            let left: Vec<&String> = pods
                .iter()
                .filter(|pod| old.iter().any(|name| pod.starts_with(name.as_str())))
                .collect();
            ensure!(left.is_empty(), "{left:?}");
            Ok(())
        })?;
        let totals = load.totals()?;
        totals.check()?;
        Ok(totals)
    }

    fn restart(&mut self, load: &mut Load) -> Result<()> {
        self.steps.begin("a rolling restart of the gateway, under load");
        let old = self.pods()?;
        self.kubectl.typed(commands::RESTART)?;
        let totals = self.replaced(&old, load)?;
        ensure!(totals.closes > 0, "no client was asked to go elsewhere");
        self.steps.done(&format!("{} pods replaced; {totals}", old.len()));
        Ok(())
    }

    fn upgrade(&mut self, load: &mut Load) -> Result<()> {
        self.steps.begin(
            "`helm upgrade` to the next version of chart and agent, with another bootstrap, under load",
        );
        let old = self.pods()?;
        let chart = self.next_chart()?;
        self.kubectl
            .typed(&commands::UPGRADE.replace(CHART, &chart.display().to_string()))?;
        let totals = self.replaced(&old, load)?;
        let image = self.of_pods("{.items[*].spec.initContainers[0].image}")?;
        let next = &images::agent_names()[1];
        ensure!(image.split(' ').all(|image| image == next), "{image}");
        self.steps
            .done(&format!("{} pods replaced, of {next}; {totals}", old.len()));
        Ok(())
    }

    /// The chart as it would be in the next version.
    fn next_chart(&self) -> Result<PathBuf> {
        let chart = self.folder.join("chart");
        output(Command::new("cp").args(["-r", CHART]).arg(&chart))?;
        let about = chart.join("Chart.yaml");
        let text = fs::read_to_string(&about)?;
        fs::write(&about, text.replace(crate::version::OWN, &images::next()))?;
        Ok(chart)
    }

    fn another_credential(&mut self, load: &mut Load) -> Result<()> {
        self.steps.begin(&format!(
            "Secret {SECOND}, and the Gateway's credentialName is changed to it"
        ));
        self.secret(SECOND, commands::SECOND_SECRET)?;
        let path = format!("{MANIFESTS}/gateway.yaml");
        let text = fs::read_to_string(&path)?.replace(FIRST, SECOND);
        let changed = self.folder.join("gateway.yaml");
        fs::write(&changed, text)?;
        let begun = Instant::now();
        let file = changed.display().to_string();
        self.kubectl
            .typed(&commands::APPLY.replace("-f -", &format!("-f {file}")))?;
        let (first, second) = (self.authority.serial(FIRST)?, self.authority.serial(SECOND)?);
        load.totals()?;
        eventually("the new certificate alone is shown", || {
            sleep(Duration::from_millis(500));
            let shown = load.totals()?.connections;
            ensure!(
                shown.contains_key(&second) && !shown.contains_key(&first),
                "{shown:?}"
            );
            Ok(())
        })?;
        self.steps.done(&format!(
            "serial {second} instead of {first} within {:.1} s",
            begun.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    /// Looks where the document does: into the dump of Envoy's admin interface, which is only reachable in the pod.
    fn seen(&mut self) -> Result<()> {
        self.steps
            .begin("the certificate in Envoy's config_dump, and in `sealgate certs`");
        let serial = self.authority.serial(SECOND)?;
        let pods = self.pods()?;
        for pod in &pods {
            let dumped = self.dumped(pod)?;
            ensure!(
                dumped == serial,
                "{pod}: config_dump has serial {dumped}, not {serial}"
            );
        }
        let certs = self.kubectl.typed(commands::CERTS)?;
        ensure!(certs.contains(&serial), "{certs}");
        self.steps
            .done(&format!("serial {serial} in all of {} pods", pods.len()));
        Ok(())
    }

    /// The serial number of the certificate that a pod's Envoy has of the second Secret.
    fn dumped(&self, pod: &str) -> Result<String> {
        let forward = ["-n", NAMESPACE, "port-forward", pod, "15000:15000"];
        let mut tunnel = self.kubectl.command("kubectl", &forward);
        let mut tunnel = tunnel.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let page = "http://127.0.0.1:15000/config_dump?resource=dynamic_active_secrets";
        let dump = eventually("config_dump", || {
            output(Command::new("curl").args(["--silent", "--show-error", "--fail", page]))
        });
        tunnel.kill()?;
        tunnel.wait()?;
        let dump: Value = serde_json::from_str(&dump?)?;
        let secrets = dump["configs"].as_array().context("no secrets")?;
        let mut own = secrets
            .iter()
            .filter(|secret| secret["name"].as_str().is_some_and(|name| name.ends_with(SECOND)));
        let own = own
            .next()
            .with_context(|| format!("no secret {SECOND} in {dump}"))?;
        let chain = own["secret"]["tls_certificate"]["certificate_chain"]["inline_bytes"].as_str();
        let path = self.folder.join("dumped.b64");
        fs::write(&path, chain.context("no certificate in the secret")?)?;
        let mut decode = Command::new("openssl");
        decode.args(["base64", "-d", "-A", "-in"]).arg(&path);
        decode.arg("-out").arg(self.authority.certificate("dumped"));
        output(&mut decode)?;
        self.authority.serial("dumped")
    }
}
