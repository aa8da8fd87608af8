//! The test certificates under `data/credentials`: what they are, the expected findings, and how they become a Secret.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use sealgate_agent::credential::{self, Credential, CredentialOutcome, CredentialPolicy, SecretReading};
use sealgate_model::{Meta, SecretObject};
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// What Envoy does with a material.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It loads, and handshakes succeed with TLS 1.2 and TLS 1.3.
    Well,
    /// It loads, and handshakes fail.
    ButFails,
    /// It is rejected.
    Not,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct CorpusCase {
    /// The folder's name.
    pub name: String,
    /// `ready`, or the stable word why not.
    pub ours: String,
    /// The codes of the warnings, in order.
    pub warnings: Vec<String>,
    /// What Envoy does with the bytes as they are.
    pub raw: Taken,
    /// What Envoy does with what we serve; none if we serve nothing.
    pub served: Option<Taken>,
    /// Why we refuse what Envoy takes.
    pub on_purpose: Option<String>,
}

/// Where the corpus is.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/credentials")
}

fn taken(word: &str) -> Result<Option<Taken>> {
    Ok(match word {
        "takes" => Some(Taken::Well),
        "fails" => Some(Taken::ButFails),
        "refuses" => Some(Taken::Not),
        "-" => None,
        other => bail!("{other:?} is not a word of the table"),
    })
}

/// The table, which must name every material once.
///
/// # Errors
/// It cannot be read.
pub fn cases() -> Result<Vec<CorpusCase>> {
    let text = fs::read_to_string(folder().join("table.txt")).context("the table")?;
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let cases: Vec<CorpusCase> = lines
        .map(|line| case(line).with_context(|| line.to_owned()))
        .collect::<Result<_>>()?;
    let mut named: Vec<String> = cases.iter().map(|case| case.name.clone()).collect();
    named.sort();
    ensure!(named == materials()?, "the table and the folders differ");
    Ok(cases)
}

fn case(line: &str) -> Result<CorpusCase> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [name, ours, warnings, raw, served, reason @ ..] = words.as_slice() else {
        bail!("too few columns")
    };
    Ok(CorpusCase {
        name: (*name).to_owned(),
        ours: (*ours).to_owned(),
        warnings: warnings
            .split(',')
            .filter(|code| *code != "-")
            .map(str::to_owned)
            .collect(),
        raw: taken(raw)?.context("Envoy does something with everything")?,
        served: taken(served)?,
        on_purpose: (!reason.is_empty()).then(|| reason.join(" ")),
    })
}

/// The names of all materials, in order.
///
/// # Errors
/// The file system's.
pub fn materials() -> Result<Vec<String>> {
    let mut names = fs::read_dir(folder().join("cases"))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// One material.
#[derive(Clone, Debug)]
pub struct Material {
    /// The values of a Secret, as they are.
    pub secret: SecretObject,
    /// The certificate of a client that the bundle lets in, with its chain; PEM.
    pub client: String,
    /// Its key; PEM.
    pub client_key: Zeroizing<String>,
}

/// Reads a material.
///
/// # Errors
/// The file system's.
pub fn material(name: &str) -> Result<Material> {
    let own = folder().join("cases").join(name);
    let mut data = BTreeMap::new();
    for entry in fs::read_dir(&own)? {
        let entry = entry?;
        let file = entry.file_name().to_string_lossy().into_owned();
        if !file.starts_with("client.") {
            data.insert(file, Zeroizing::new(fs::read(entry.path())?));
        }
    }
    let client = |file: &str| {
        let special = own.join(file);
        let path = if special.exists() {
            special
        } else {
            folder().join(file)
        };
        fs::read_to_string(path)
    };
    Ok(Material {
        secret: secret(name, data),
        client: client("client.crt")?,
        client_key: client("client.key")?.into(),
    })
}

/// A Secret of these values.
#[must_use]
pub fn secret(name: &str, data: BTreeMap<String, Zeroizing<Vec<u8>>>) -> SecretObject {
    SecretObject {
        meta: Meta {
            namespace: "corpus".into(),
            name: name.into(),
            ..Meta::default()
        },
        type_: "Opaque".to_owned(),
        data,
    }
}

/// What the agent makes of a Secret today.
#[must_use]
pub fn read(secret: &SecretObject) -> SecretReading {
    let policy = CredentialPolicy {
        strict_names: false,
        refuse_expired: false,
        now: OffsetDateTime::now_utc(),
    };
    credential::read(secret, &policy)
}

/// The one outcome of a material: it is either a pair or a bundle.
///
/// # Errors
/// It is neither, or both.
pub fn outcome(reading: &SecretReading) -> Result<&CredentialOutcome> {
    match (&reading.key_pair, &reading.trust_bundle) {
        (Some(outcome), None) | (None, Some(outcome)) => Ok(outcome),
        _ => bail!("a material is either a pair or a bundle"),
    }
}

/// `ready`, or the stable word why not.
#[must_use]
pub fn word(outcome: &CredentialOutcome) -> &'static str {
    match outcome {
        CredentialOutcome::Ready(_) => "ready",
        CredentialOutcome::Refused(error) => error.code().as_str(),
        CredentialOutcome::Pending(reason) | CredentialOutcome::Ignored(reason) => reason.as_str(),
    }
}

/// What we serve, as the values of a Secret again.
#[must_use]
pub fn written(credential: &Credential) -> BTreeMap<String, Zeroizing<Vec<u8>>> {
    let values = match credential {
        Credential::KeyPair(pair) => [
            ("tls.crt", Some(pair.chain_pem())),
            ("tls.key", Some(pair.key_pem())),
            ("tls.ocsp-staple", pair.ocsp_staple()),
        ]
        .to_vec(),
        Credential::TrustBundle(bundle) => {
            [("ca.crt", Some(bundle.pem())), ("ca.crl", bundle.crl_pem())].to_vec()
        }
    };
    values
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Zeroizing::new(value?.to_vec()))))
        .collect()
}

/// The public values of a Secret as text, to see what a test was about.
#[must_use]
pub fn text(secret: &SecretObject) -> BTreeMap<&str, String> {
    let public = secret.data.iter().filter(|(name, _)| !name.ends_with(".key"));
    public
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value).into_owned()))
        .collect()
}
