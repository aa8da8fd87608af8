//! Where the walkthrough keeps its objects: in files, or in an API server.
//!
//! The folder is written in both cases. It is the directory source itself, or it is what an operator keeps beside the
//! cluster: the same manifests, which `sealgate check` reads.

#[cfg(feature = "full")]
mod cluster;
#[cfg(not(feature = "full"))]
mod no_cluster;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::manifests::{services, services_of_cluster};
use crate::pki::{Authority, Leaf};
use crate::site::Source;

#[cfg(feature = "full")]
pub use cluster::ClusterStore;
#[cfg(not(feature = "full"))]
pub use no_cluster::NoCluster as ClusterStore;

/// The two sources of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Files.
    Directory,
    /// Objects of a real API server.
    Kubernetes,
}

/// The wording of the steps' output.
#[derive(Debug)]
pub struct Words {
    /// What the agent starts on.
    pub empty: &'static str,
    /// What was written first.
    pub first: &'static str,
    /// The moment that a rotation is timed from.
    pub written: &'static str,
}

const DIRECTORY: Words = Words {
    empty: "an empty folder",
    first: "the first file",
    written: "file written",
};
const KUBERNETES: Words = Words {
    empty: "an API server without objects, the least rights",
    first: "the first object",
    written: "PUT sent",
};

/// See the module.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    cluster: Option<ClusterStore>,
}

impl Store {
    /// With nothing in it; `folder` is there, and empty.
    ///
    /// # Errors
    /// The API server does not start.
    pub async fn start(kind: Kind, folder: &Path) -> Result<Self> {
        let cluster = match kind {
            Kind::Directory => None,
            Kind::Kubernetes => Some(ClusterStore::start().await?),
        };
        Ok(Self {
            folder: folder.to_owned(),
            cluster,
        })
    }

    /// Where the agent finds it.
    #[must_use]
    pub fn source(&self) -> Source {
        self.cluster
            .as_ref()
            .map_or(Source::Directory, |cluster| cluster.source())
    }

    /// See [`Words`].
    #[must_use]
    pub fn words(&self) -> &'static Words {
        if self.cluster.is_some() {
            &KUBERNETES
        } else {
            &DIRECTORY
        }
    }

    /// The manifests of the upstreams, as this store takes them.
    #[must_use]
    pub fn services(&self, welcome: u16, httpbin: u16) -> String {
        if self.cluster.is_some() {
            services_of_cluster(welcome, httpbin)
        } else {
            services(welcome, httpbin)
        }
    }

    /// The API server, if the objects are there.
    #[must_use]
    pub fn cluster(&self) -> Option<&ClusterStore> {
        self.cluster.as_ref()
    }

    /// The same, to be hurt.
    #[must_use]
    pub fn cluster_mut(&mut self) -> Option<&mut ClusterStore> {
        self.cluster.as_mut()
    }

    /// Writes or replaces the objects of a file.
    ///
    /// # Errors
    /// The API server refuses one, or the file system's.
    pub async fn write(&self, file: &str, text: &str) -> Result<()> {
        if let Some(cluster) = &self.cluster {
            cluster.apply(text).await?;
        }
        Ok(fs::write(self.folder.join(file), text)?)
    }

    /// Removes a file, and the objects in it.
    ///
    /// # Errors
    /// They are not there.
    pub async fn remove(&self, file: &str) -> Result<()> {
        let path = self.folder.join(file);
        if let Some(cluster) = &self.cluster {
            cluster.delete(&fs::read_to_string(&path)?).await?;
        }
        Ok(fs::remove_file(path)?)
    }

    /// Puts text that is no YAML in the place of a file of one object.
    ///
    /// # Errors
    /// The API server takes it, or does something else than to refuse it.
    pub async fn write_broken(&self, file: &str, text: &str) -> Result<()> {
        let path = self.folder.join(file);
        if let Some(cluster) = &self.cluster {
            cluster.apply_broken(&fs::read_to_string(&path)?, text).await?;
        }
        Ok(fs::write(path, text)?)
    }

    /// Writes or replaces the Secret of a key pair, in place.
    ///
    /// # Errors
    /// The API server refuses it, or the file system's.
    pub async fn write_leaf(&self, secret: &str, leaf: &Leaf) -> Result<()> {
        if let Some(cluster) = &self.cluster {
            cluster.put_secret(&leaf.secret(secret)).await?;
        }
        leaf.write(&self.folder.join(secret))
    }

    /// Writes or replaces the Secret of a trust bundle, in place.
    ///
    /// # Errors
    /// The API server refuses it, or the file system's.
    pub async fn write_bundle(&self, secret: &str, authority: &Authority) -> Result<()> {
        if let Some(cluster) = &self.cluster {
            cluster.put_secret(&authority.secret(secret)).await?;
        }
        authority.write(&self.folder.join(secret))
    }

    /// Deletes a Secret.
    ///
    /// # Errors
    /// It is not there.
    pub async fn delete_secret(&self, secret: &str) -> Result<()> {
        if let Some(cluster) = &self.cluster {
            cluster.delete_secret(secret).await?;
        }
        Ok(fs::remove_dir_all(self.folder.join(secret))?)
    }
}
