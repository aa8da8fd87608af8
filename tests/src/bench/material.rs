//! Certificates like those of a public CA: RSA-2048, with the intermediate's certificate after the leaf's. About 5 kB
//! of PEM each.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256,
    SerialNumber,
};

use crate::pki::Leaf;

/// How many keys are made: that takes long, and a renewed certificate may keep its key.
const KEYS: usize = 4;

static SERIAL: AtomicU64 = AtomicU64::new(0x2000_0001);

/// See the module.
#[derive(Debug)]
pub struct BenchAuthority {
    issuer: Issuer<'static, KeyPair>,
    intermediate: String,
    keys: Vec<KeyPair>,
}

impl BenchAuthority {
    /// A new intermediate CA, and keys for what it issues.
    ///
    /// # Errors
    /// The library's.
    pub fn new() -> Result<Self> {
        let keys = (0..KEYS).map(|_| KeyPair::generate_for(&PKCS_RSA_SHA256));
        let root = Issuer::new(authority("Bench root")?, KeyPair::generate_for(&PKCS_RSA_SHA256)?);
        let (params, key) = (
            authority("Bench intermediate")?,
            KeyPair::generate_for(&PKCS_RSA_SHA256)?,
        );
        Ok(Self {
            intermediate: params.signed_by(&key, &root)?.pem(),
            issuer: Issuer::new(params, key),
            keys: keys.collect::<Result<_, _>>()?,
        })
    }

    /// A new certificate for a host.
    ///
    /// # Errors
    /// The library's.
    pub fn leaf(&self, host: &str) -> Result<Leaf> {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let mut params = CertificateParams::new(vec![host.to_owned()])?;
        params.serial_number = Some(SerialNumber::from(serial));
        params.distinguished_name = common_name(host);
        params.use_authority_key_identifier_extension = true;
        let key = self.keys.get(serial as usize % KEYS).context("no keys")?;
        let certificate = params.signed_by(key, &self.issuer)?;
        Ok(Leaf {
            certificate: certificate.pem() + &self.intermediate,
            key: key.serialize_pem(),
            der: certificate.der().to_vec(),
            serial: format!("{serial:x}"),
        })
    }
}

fn authority(name: &str) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name = common_name(name);
    Ok(params)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}
