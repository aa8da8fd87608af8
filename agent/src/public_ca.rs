//! The public certificate authorities, for TLS to upstreams whose DestinationRule names no Secret.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::{fmt, fs, io};

use thiserror::Error;

use crate::credential::{self, CredentialError};

/// A bundle of authorities, read once.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicCa {
    pem: Arc<str>,
    count: usize,
}

/// A file of authorities that cannot be used.
#[derive(Debug, Error)]
pub enum PublicCaError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its content is no bundle, or Envoy would reject it.
    #[error("{}: {source}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why.
        source: CredentialError,
    },
}

impl PublicCa {
    /// Those of a PEM file, all of which have to be good.
    ///
    /// # Errors
    /// The file cannot be read, or something in it is no certificate.
    pub fn read(path: &Path) -> Result<Self, PublicCaError> {
        let bytes = fs::read(path).map_err(|source| PublicCaError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let certificates = credential::authorities(&bytes).map_err(|source| PublicCaError::Invalid {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self::of(certificates.iter().map(Vec::as_slice)))
    }

    /// Those of the system, or Mozilla's if it has none, as in an image that holds nothing but the agent. One that Envoy would
    /// reject is left out: it would reject all of them.
    #[must_use]
    pub fn of_system() -> Self {
        static SYSTEM: LazyLock<PublicCa> = LazyLock::new(PublicCa::find);
        SYSTEM.clone()
    }

    fn find() -> Self {
        let system = rustls_native_certs::load_native_certs().certs;
        let own = Self::of(system.iter().map(AsRef::as_ref));
        if own.count > 0 {
            return own;
        }
        Self::of(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(AsRef::as_ref))
    }

    fn of<'d>(certificates: impl Iterator<Item = &'d [u8]>) -> Self {
        let mut good: Vec<&[u8]> = certificates.filter(|der| credential::is_authority(der)).collect();
        good.sort_unstable();
        good.dedup();
        Self {
            pem: credential::certificates_pem(&good).into(),
            count: good.len(),
        }
    }

    /// As PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

impl fmt::Debug for PublicCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicCa({} authorities)", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_or_mozilla_always_has_some() {
        let own = PublicCa::of_system();
        assert!(own.count() > 50, "{own:?}");
        assert_eq!(own.pem().matches("BEGIN CERTIFICATE").count(), own.count());
    }

    #[test]
    fn a_file_without_certificates_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let missing = PublicCa::read(&path).unwrap_err();
        fs::write(&path, "no PEM").unwrap();
        let invalid = PublicCa::read(&path).unwrap_err();
        for error in [missing, invalid] {
            assert!(error.to_string().contains("ca.pem"), "{error}");
        }
    }
}
