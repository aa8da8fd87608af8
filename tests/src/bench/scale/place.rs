//! Where the objects are: files in a folder, or an API server. Objects that change later are separate units, each in
//! its own file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Origin;
use super::plane::Plane;
use crate::pki::Leaf;

/// The number of objects in a file of the first set.
const PER_FILE: usize = 500;

/// See the module.
#[derive(Debug)]
pub(super) enum Place {
    /// Files.
    Directory(Folder),
    /// Objects of an API server.
    Kubernetes(Box<Plane>),
}

impl Place {
    /// An empty place; files are in `folder`.
    pub(super) async fn start(origin: Origin, folder: &Path) -> Result<Self> {
        Ok(match origin {
            Origin::Directory => Self::Directory(Folder::new(folder)?),
            Origin::Kubernetes => Self::Kubernetes(Box::new(Plane::start().await?)),
        })
    }

    /// The agent's flags for it.
    pub(super) fn flags(&self) -> Vec<String> {
        match self {
            Self::Directory(folder) => vec![format!("--source=dir:{}", folder.objects.display())],
            Self::Kubernetes(_) => vec![
                "--source=kubernetes".to_owned(),
                "--allow-local-upstreams=true".to_owned(),
                // All hosts are in one namespace, which exceeds the default budgets.
                "--budgets=destinations=100000,total-destinations=100000".to_owned(),
            ],
        }
    }

    /// The agent's environment for it.
    pub(super) fn variables(&self) -> Vec<(String, PathBuf)> {
        match self {
            Self::Directory(_) => Vec::new(),
            Self::Kubernetes(plane) => vec![("KUBECONFIG".to_owned(), plane.kubeconfig.clone())],
        }
    }

    /// The first set of objects, many in a file.
    pub(super) async fn fill(&self, name: &str, objects: Vec<Value>) -> Result<()> {
        match self {
            Self::Directory(folder) => {
                for (at, some) in objects.chunks(PER_FILE).enumerate() {
                    folder.write(&format!("{name}-{at}"), some)?;
                }
                Ok(())
            }
            Self::Kubernetes(plane) => plane.create(objects).await,
        }
    }

    /// The first set of Secrets.
    pub(super) async fn fill_secrets(&self, secrets: &[(String, &Leaf)]) -> Result<()> {
        match self {
            Self::Directory(folder) => secrets
                .iter()
                .try_for_each(|(name, leaf)| leaf.write(&folder.secret(name))),
            Self::Kubernetes(plane) => plane.create_secrets(secrets).await,
        }
    }

    /// New objects, one unit.
    pub(super) async fn create(&self, unit: &str, objects: Vec<Value>) -> Result<()> {
        match self {
            Self::Directory(folder) => folder.write(unit, &objects),
            Self::Kubernetes(plane) => plane.create(objects).await,
        }
    }

    /// Many units at once.
    pub(super) async fn create_all(&self, units: Vec<(String, Value)>) -> Result<()> {
        match self {
            Self::Directory(folder) => units
                .iter()
                .try_for_each(|(unit, object)| folder.write(unit, std::slice::from_ref(object))),
            Self::Kubernetes(plane) => {
                let objects = units.into_iter().map(|(_, object)| object);
                plane.create(objects.collect()).await
            }
        }
    }

    /// Replaces a unit with other objects of the same names.
    pub(super) async fn change(&self, unit: &str, objects: Vec<Value>) -> Result<()> {
        match self {
            Self::Directory(folder) => folder.write(unit, &objects),
            Self::Kubernetes(plane) => plane.change(objects).await,
        }
    }

    /// Removes a unit, with these objects in it.
    pub(super) async fn remove(&self, unit: &str, objects: Vec<Value>) -> Result<()> {
        match self {
            Self::Directory(folder) => Ok(fs::remove_file(folder.file(unit))?),
            Self::Kubernetes(plane) => plane.remove(objects).await,
        }
    }

    /// A new Secret.
    pub(super) async fn create_secret(&self, name: &str, leaf: &Leaf) -> Result<()> {
        match self {
            Self::Directory(folder) => folder.create_secret(name, leaf),
            Self::Kubernetes(plane) => plane.create_secrets(&[(name.to_owned(), leaf)]).await,
        }
    }

    /// Another certificate in a Secret.
    pub(super) async fn rotate_secret(&self, name: &str, leaf: &Leaf) -> Result<()> {
        match self {
            Self::Directory(folder) => folder.rotate_secret(name, leaf),
            Self::Kubernetes(plane) => plane.rotate_secret(name, leaf).await,
        }
    }

    /// Removes a Secret.
    pub(super) async fn remove_secret(&self, name: &str) -> Result<()> {
        match self {
            Self::Directory(folder) => Ok(fs::remove_dir_all(folder.secret(name))?),
            Self::Kubernetes(plane) => plane.remove_secret(name).await,
        }
    }

    /// The address of endpoints that are EndpointSlices; none if they are ServiceEntries.
    pub(super) fn slice_address(&self) -> Option<&str> {
        match self {
            Self::Directory(_) => None,
            Self::Kubernetes(plane) => plane.address.as_deref(),
        }
    }
}

/// Files are moved into the directory by rename, so that they are always complete.
#[derive(Debug)]
pub(super) struct Folder {
    objects: PathBuf,
    staging: PathBuf,
}

impl Folder {
    fn new(parent: &Path) -> Result<Self> {
        let folder = Self {
            objects: parent.join("objects"),
            staging: parent.join("staging"),
        };
        fs::create_dir_all(folder.objects.join("secrets"))?;
        fs::create_dir_all(&folder.staging)?;
        Ok(folder)
    }

    fn file(&self, unit: &str) -> PathBuf {
        self.objects.join(format!("{unit}.yaml"))
    }

    fn secret(&self, name: &str) -> PathBuf {
        self.objects.join("secrets").join(name)
    }

    fn write(&self, unit: &str, objects: &[Value]) -> Result<()> {
        let mut text = String::new();
        for object in objects {
            text.push_str("---\n");
            text.push_str(&serde_saphyr::to_string(object)?);
        }
        self.put(text.as_bytes(), &self.file(unit))
    }

    fn put(&self, bytes: &[u8], path: &Path) -> Result<()> {
        let staged = self
            .staging
            .join(path.file_name().context("a file without name")?);
        fs::write(&staged, bytes)?;
        Ok(fs::rename(staged, path)?)
    }

    fn create_secret(&self, name: &str, leaf: &Leaf) -> Result<()> {
        let staged = self.staging.join(name);
        leaf.write(&staged)?;
        Ok(fs::rename(staged, self.secret(name))?)
    }

    fn rotate_secret(&self, name: &str, leaf: &Leaf) -> Result<()> {
        let folder = self.secret(name);
        // Staged by the Secret's name: several are rotated at a time.
        let own = Self {
            objects: self.objects.clone(),
            staging: self.staging.join(name),
        };
        fs::create_dir_all(&own.staging)?;
        own.put(leaf.key.as_bytes(), &folder.join("tls.key"))?;
        own.put(leaf.certificate.as_bytes(), &folder.join("tls.crt"))
    }
}
