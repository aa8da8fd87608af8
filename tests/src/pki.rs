//! Certificates for tests.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SerialNumber};

static SERIAL: AtomicU64 = AtomicU64::new(0x1000_0001);

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// PEM.
    pub certificate: String,
    /// PEM.
    pub key: String,
    /// What a handshake shows.
    pub der: Vec<u8>,
    /// Lower-case hex.
    pub serial: String,
}

/// A certificate authority.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// PEM.
    pub certificate: String,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// The library's.
    pub fn new(name: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate,
        })
    }

    /// The trust bundle as a Secret's manifest.
    #[must_use]
    pub fn secret(&self, name: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData:\n  ca.crt: |\n{}",
            block(&self.certificate)
        )
    }

    /// Writes the folder of the trust bundle's Secret, in place.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        Ok(fs::write(folder.join("ca.crt"), &self.certificate)?)
    }

    /// A leaf with a new key.
    ///
    /// # Errors
    /// The library's.
    pub fn leaf(&self, names: &[&str]) -> Result<Leaf> {
        self.leaf_with(names, |_| ())
    }

    /// The same, changed.
    ///
    /// # Errors
    /// The library's.
    pub fn leaf_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Result<Leaf> {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        params.serial_number = Some(SerialNumber::from(serial));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, *names.first().unwrap_or(&"leaf"));
        change(&mut params);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Leaf {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().to_vec(),
            serial: format!("{serial:x}"),
        })
    }
}

impl Leaf {
    /// The Secret as a manifest.
    #[must_use]
    pub fn secret(&self, name: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\ntype: kubernetes.io/tls\nstringData:\n  tls.crt: |\n{}  tls.key: |\n{}",
            block(&self.certificate),
            block(&self.key)
        )
    }

    /// Writes the folder of a Secret, in place.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("tls.crt"), &self.certificate)?;
        fs::write(folder.join("tls.key"), &self.key)?;
        Ok(())
    }
}

/// The lines of a YAML block scalar of a Secret's key.
fn block(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
