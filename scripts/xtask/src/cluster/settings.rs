//! The files that the parts of the node read.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::addresses::{NODE, PODS};
use super::certificates::Authority;
use super::cgroups;

/// Writes all of them into the cluster's folder.
pub(super) fn write(folder: &Path, plugins: &Path, authority: &Authority) -> Result<()> {
    fs::create_dir_all(folder.join("cni"))?;
    fs::write(folder.join("cni/10-bridge.conflist"), network())?;
    fs::write(folder.join("containerd.toml"), containerd(folder, plugins))?;
    fs::write(folder.join("kubelet.yaml"), kubelet(folder, authority))?;
    fs::write(folder.join("proxy.yaml"), proxy(folder))?;
    for user in ["admin", "controllers", "scheduler", "kubelet", "proxy"] {
        fs::write(folder.join(format!("{user}.kubeconfig")), access(user, authority))?;
    }
    Ok(())
}

fn access(user: &str, authority: &Authority) -> String {
    let (ca, certificate, key) = (
        authority.certificate("ca"),
        authority.certificate(user),
        authority.key(user),
    );
    format!(
        "apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: 'https://{NODE}:6443', certificate-authority: {}}}}}]
users: [{{name: u, user: {{client-certificate: {}, client-key: {}}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x
",
        ca.display(),
        certificate.display(),
        key.display()
    )
}

fn network() -> String {
    format!(
        r#"{{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {{"type": "bridge", "bridge": "pods", "isGateway": true, "isDefaultGateway": true, "hairpinMode": true, "ipMasq": false,
   "ipam": {{"type": "host-local", "ranges": [[{{"subnet": "{PODS}"}}]], "dataDir": "/var/lib/cni/networks"}}}},
  {{"type": "portmap", "capabilities": {{"portMappings": true}}, "snat": true}}]}}
"#
    )
}

/// Without what a container here may lack: loadable file systems, AppArmor, CAP_SYS_RESOURCE.
fn containerd(folder: &Path, plugins: &Path) -> String {
    let (folder, plugins) = (folder.display(), plugins.display());
    format!(
        r#"version = 2
root = "{folder}/containerd/root"
state = "{folder}/containerd/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "/run/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  disable_apparmor = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{folder}/cni"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/containerd/opt"
"#
    )
}

fn kubelet(folder: &Path, authority: &Authority) -> String {
    let group = cgroups::name(folder);
    format!(
        "apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /{group}
enforceNodeAllocatable: []
failSwapOn: false
oomScoreAdj: 0
containerRuntimeEndpoint: unix:///run/containerd.sock
authentication: {{anonymous: {{enabled: false}}, webhook: {{enabled: true}}, x509: {{clientCAFile: {}}}}}
authorization: {{mode: Webhook}}
tlsCertFile: {}
tlsPrivateKeyFile: {}
clusterDomain: cluster.local
resolvConf: ''
evictionHard: {{nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%, memory.available: 100Mi}}
imageGCHighThresholdPercent: 100
syncFrequency: 1s
shutdownGracePeriod: 0s
",
        authority.certificate("ca").display(),
        authority.certificate("kubelet").display(),
        authority.key("kubelet").display()
    )
}

fn proxy(folder: &Path) -> String {
    format!(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {{kubeconfig: {}}}
clusterCIDR: {PODS}
hostnameOverride: node1
conntrack: {{maxPerCore: 0, min: 0}}
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
",
        folder.join("proxy.kubeconfig").display()
    )
}
