//! The cluster's one node, in the namespaces that this process is the first program of.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context as _, Result, ensure};

use super::addresses::{NODE, PODS, SERVICES};
use super::certificates::{self, Authority};
use super::kubectl::{Kubectl, eventually, output};
use super::programs::{self, Programs};
use super::{cgroups, settings};
use crate::run;

/// Folders that the parts of the node require, mounted over those of this machine.
const OWN_FOLDERS: [&str; 4] = [
    "/var/lib/cni",
    "/var/log/pods",
    "/var/log/containers",
    "/var/lib/kubelet",
];
const ETCD: &str = "http://127.0.0.1:2379";

/// The running node. It ends with the namespaces.
pub(super) struct Node<'a> {
    folder: &'a Path,
    programs: &'a Programs,
    authority: Authority,
    running: Vec<(&'static str, Child)>,
}

impl<'a> Node<'a> {
    /// Starts all parts; pods may use the images in `images`. Returns when pods can be created.
    pub(super) fn start(folder: &'a Path, programs: &'a Programs, images: &[PathBuf]) -> Result<Self> {
        mounts(folder)?;
        network()?;
        cgroups::make(folder)?;
        let authority = certificates::of_the_cluster(&folder.join("pki"))?;
        settings::write(folder, programs::plugins()?, &authority)?;
        fs::create_dir_all(folder.join("logs"))?;
        let running = Vec::new();
        let mut node = Self {
            folder,
            programs,
            authority,
            running,
        };
        node.etcd()?;
        node.api_server()?;
        node.containerd()?;
        let kubectl = Kubectl::new(programs, folder);
        eventually("the API server is ready", || {
            node.all_run()?;
            kubectl.line("get --raw /readyz")
        })?;
        node.controllers()?;
        import(images)?;
        node.kubelet()?;
        eventually("the node is ready", || {
            node.all_run()?;
            let ready = kubectl.ask(&[
                "get",
                "node",
                "node1",
                "-o",
                "jsonpath={.status.conditions[?(@.type=='Ready')].status}",
            ])?;
            ensure!(ready == "True", "ready: {ready}");
            // No pod is accepted before it exists.
            kubectl.line("get serviceaccount default")
        })?;
        Ok(node)
    }

    /// Checks that none of them has ended.
    fn all_run(&mut self) -> Result<()> {
        for (name, child) in &mut self.running {
            let ended = child.try_wait()?;
            ensure!(ended.is_none(), "{name} ended: {ended:?}");
        }
        Ok(())
    }

    fn begin(&mut self, name: &'static str, mut command: Command) -> Result<()> {
        let log = File::create(self.folder.join("logs").join(format!("{name}.log")))?;
        command
            .current_dir(self.folder)
            .stdout(log.try_clone()?)
            .stderr(log);
        let child = command.spawn().with_context(|| name)?;
        self.running.push((name, child));
        Ok(())
    }

    fn etcd(&mut self) -> Result<()> {
        let mut command = self.programs.command("etcd");
        command
            .arg("--data-dir")
            .arg(self.folder.join("etcd"))
            .args(["--listen-client-urls", ETCD, "--advertise-client-urls", ETCD])
            .args(["--listen-peer-urls", "http://127.0.0.1:2380"])
            .args(["--unsafe-no-fsync", "--log-level", "warn"]);
        self.begin("etcd", command)
    }

    fn api_server(&mut self) -> Result<()> {
        let mut command = self.programs.command("kube-apiserver");
        for (flag, name) in [("tls", "apiserver"), ("kubelet-client", "admin")] {
            let key = if flag == "tls" {
                "--tls-private-key-file"
            } else {
                "--kubelet-client-key"
            };
            let certificate = if flag == "tls" {
                "--tls-cert-file"
            } else {
                "--kubelet-client-certificate"
            };
            command.arg(certificate).arg(self.authority.certificate(name));
            command.arg(key).arg(self.authority.key(name));
        }
        for flag in ["--client-ca-file", "--kubelet-certificate-authority"] {
            command.arg(flag).arg(self.authority.certificate("ca"));
        }
        for flag in ["--service-account-key-file", "--service-account-signing-key-file"] {
            command.arg(flag).arg(self.authority.key("tokens"));
        }
        command
            .args([
                "--etcd-servers",
                ETCD,
                "--advertise-address",
                NODE,
                "--secure-port",
                "6443",
            ])
            .args([
                "--authorization-mode",
                "Node,RBAC",
                "--enable-admission-plugins",
                "NodeRestriction",
            ])
            .args(["--kubelet-preferred-address-types", "InternalIP"])
            .args(["--service-cluster-ip-range", SERVICES])
            .args(["--service-account-issuer", "https://kubernetes.default.svc"]);
        self.begin("kube-apiserver", command)
    }

    fn containerd(&mut self) -> Result<()> {
        let mut command = Command::new("containerd");
        command.arg("--config").arg(self.folder.join("containerd.toml"));
        self.begin("containerd", command)
    }

    fn controllers(&mut self) -> Result<()> {
        for (name, user) in [
            ("kube-controller-manager", "controllers"),
            ("kube-scheduler", "scheduler"),
        ] {
            let mut command = self.programs.command(name);
            for flag in [
                "--kubeconfig",
                "--authentication-kubeconfig",
                "--authorization-kubeconfig",
            ] {
                command
                    .arg(flag)
                    .arg(self.folder.join(format!("{user}.kubeconfig")));
            }
            command.args(["--leader-elect=false", "--bind-address", "127.0.0.1"]);
            if name == "kube-controller-manager" {
                command
                    .arg("--root-ca-file")
                    .arg(self.authority.certificate("ca"))
                    .arg("--service-account-private-key-file")
                    .arg(self.authority.key("tokens"))
                    .args([
                        "--use-service-account-credentials",
                        "--cluster-cidr",
                        PODS,
                        "--allocate-node-cidrs=false",
                    ]);
            }
            self.begin(name, command)?;
        }
        Ok(())
    }

    fn kubelet(&mut self) -> Result<()> {
        let mut command = self.programs.command("kubelet");
        command
            .arg("--config")
            .arg(self.folder.join("kubelet.yaml"))
            .arg("--kubeconfig")
            .arg(self.folder.join("kubelet.kubeconfig"))
            .args([
                "--hostname-override",
                "node1",
                "--node-ip",
                NODE,
                "--root-dir",
                "/var/lib/kubelet",
            ]);
        self.begin("kubelet", command)?;
        let mut command = self.programs.command("kube-proxy");
        command.arg("--config").arg(self.folder.join("proxy.yaml"));
        self.begin("kube-proxy", command)
    }
}

fn mounts(folder: &Path) -> Result<()> {
    // Mounts here are not visible outside, but mounts of a container are visible to the others.
    run(Command::new("mount").args(["--make-rprivate", "/"]))?;
    run(Command::new("mount").args(["--make-rshared", "/"]))?;
    run(Command::new("mount").args(["-t", "tmpfs", "none", "/run"]))?;
    for own in ["/run/netns", "/run/lock"] {
        fs::create_dir_all(own)?;
    }
    for own in OWN_FOLDERS {
        let source = folder.join(own.trim_start_matches('/').replace('/', "-"));
        fs::create_dir_all(&source)?;
        fs::create_dir_all(own)?;
        run(Command::new("mount").arg("--bind").arg(source).arg(own))?;
    }
    fs::create_dir_all(folder.join("home"))?;
    Ok(())
}

/// The node's address is on a bridge without ports: not every kernel has dummy interfaces.
fn network() -> Result<()> {
    for line in [
        "link set lo up".to_owned(),
        "link add node type bridge".to_owned(),
        format!("address add {NODE}/24 dev node"),
        "link set node up".to_owned(),
        // For addresses of Services, which no interface has.
        "route add default dev node".to_owned(),
    ] {
        run(Command::new("ip").args(line.split(' ')))?;
    }
    fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
    for family in ["iptables", "ip6tables"] {
        // If the kernel does not have this, bridges work without it.
        let _ = fs::write(format!("/proc/sys/net/bridge/bridge-nf-call-{family}"), "1");
    }
    Ok(())
}

pub(super) fn ctr(arguments: &[&str]) -> Command {
    let mut command = Command::new("ctr");
    command.args(["--address", "/run/containerd.sock", "--namespace", "k8s.io"]);
    command.args(arguments);
    command
}

fn import(images: &[PathBuf]) -> Result<()> {
    for image in images {
        eventually("containerd takes an image", || {
            output(ctr(&["images", "import"]).arg(image))
        })?;
    }
    Ok(())
}

/// Prints the ends of all logs, for debugging.
#[expect(clippy::print_stderr, reason = "why it did not work stands there")]
pub(super) fn show_ends(folder: &Path) {
    for entry in fs::read_dir(folder.join("logs")).into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        for line in lines.iter().skip(lines.len().saturating_sub(5)) {
            let cut: String = line.chars().take(300).collect();
            eprintln!("{}: {cut}", entry.file_name().to_string_lossy());
        }
    }
}
