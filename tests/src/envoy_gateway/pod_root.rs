//! A pod's own root: this machine's folders, but for `/run`, `/var` and what volumes are mounted at, and a file of hosts in
//! the place of a cluster's DNS. What runs in it sees the paths that Envoy Gateway and manifests name.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::NAMESPACE;
use crate::kube::Objects;
use crate::kube::daemon::Daemon;

/// The root, then what runs in it. The mounts are seen by nobody else, and end with it.
const ENTER: &str = r#"
set -e
for path in /*; do
  case $path in /run | /var) continue ;; esac
  if [ -L "$path" ]; then
    ln -sfn "$(readlink "$path")" "$0$path"
  elif [ -d "$path" ]; then
    mkdir -p "$0$path"
    mount --rbind "$path" "$0$path"
  fi
done
mount --bind "$0/hosts" "$0/etc/hosts"
exec chroot "$0" "$@"
"#;

#[derive(Debug)]
pub(super) struct PodRoot {
    /// Where logs are.
    folder: PathBuf,
    root: PathBuf,
}

impl PodRoot {
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let root = folder.join("root");
        for path in ["run", "var/tmp"] {
            fs::create_dir_all(root.join(path))?;
        }
        // Envoy asks for the name with a dot at its end.
        let service = format!("envoy-gateway.{NAMESPACE}.svc.cluster.local");
        fs::write(
            root.join("hosts"),
            format!("127.0.0.1 localhost {service} {service}.\n"),
        )?;
        Ok(Self {
            folder: folder.to_owned(),
            root,
        })
    }

    /// An empty volume.
    pub(super) fn mount_empty(&self, at: &str) -> Result<PathBuf> {
        let folder = self.root.join(at.trim_start_matches('/'));
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// A volume of a Secret's keys.
    pub(super) async fn mount_secret(&self, at: &str, objects: &Objects, name: &str) -> Result<()> {
        let folder = self.mount_empty(at)?;
        let data = data(objects, "Secret", name).await?;
        for (key, value) in data {
            fs::write(folder.join(key), STANDARD.decode(value)?)?;
        }
        Ok(())
    }

    /// A volume of a ConfigMap's keys.
    pub(super) async fn mount_config_map(&self, at: &str, objects: &Objects, name: &str) -> Result<()> {
        let folder = self.mount_empty(at)?;
        for (key, value) in data(objects, "ConfigMap", name).await? {
            fs::write(folder.join(key), value)?;
        }
        Ok(())
    }

    /// A program in it. Who is not root is root in a namespace of users of their own, for the mounts.
    pub(super) fn inside(&self, name: &'static str, program: &Path, arguments: Vec<String>) -> Daemon {
        let user = (!rustix::process::geteuid().is_root()).then_some("--map-root-user");
        let enter = ["--mount", "sh", "-c", ENTER];
        let mut all: Vec<String> = user.into_iter().chain(enter).map(str::to_owned).collect();
        all.extend([self.root.display().to_string(), program.display().to_string()]);
        all.extend(arguments);
        Daemon::new(name, "unshare".into(), all, &self.folder)
    }
}

async fn data(objects: &Objects, kind: &str, name: &str) -> Result<Vec<(String, String)>> {
    let named = format!("apiVersion: v1\nkind: {kind}\nmetadata: {{ name: {name} }}\n");
    let found = objects.get(&named).await?.pop().context("no object")?;
    let data = found.data["data"].as_object().into_iter().flatten();
    let texts = data.map(|(key, value)| {
        let value = value.as_str().with_context(|| format!("{kind} {name}: {key}"))?;
        Ok((key.clone(), value.to_owned()))
    });
    texts.collect()
}
