//! Client certificates that no library would write: DER by hand, and signed by a real key, so that Envoy takes them.

use anyhow::Result;
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OBJECT_ID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const BITS: u8 = 0x03;
const UTF8: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 17];
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];

/// A value with this tag.
#[must_use]
pub fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut bytes = vec![tag];
    match length.as_slice() {
        [] => bytes.push(0),
        [short] if *short < 0x80 => bytes.push(*short),
        long => {
            bytes.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            bytes.extend(long);
        }
    }
    bytes.extend(content);
    bytes
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    value(SEQUENCE, &parts.concat())
}

/// `2.5.4.LAST` with a string of this kind.
#[must_use]
pub fn attribute(last: u8, tag: u8, content: &[u8]) -> Vec<u8> {
    sequence(&[value(OBJECT_ID, &[0x55, 4, last]), value(tag, content)])
}

/// A name of parts, each of several attributes.
#[must_use]
pub fn name(parts: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let sets: Vec<_> = parts.iter().map(|part| value(SET, &part.concat())).collect();
    sequence(&sets)
}

/// A name with a common name alone.
#[must_use]
pub fn common_name(text: &str) -> Vec<u8> {
    let attribute = sequence(&[value(OBJECT_ID, COMMON_NAME), value(UTF8, text.as_bytes())]);
    name(&[vec![attribute]])
}

/// What is particular about a certificate.
#[derive(Clone, Debug)]
pub struct Content {
    /// Two's complement.
    pub serial: Vec<u8>,
    /// See [`name`].
    pub subject: Vec<u8>,
    /// The tag's number (1 email, 2 DNS, 6 URI, 7 IP) and the bytes.
    pub sans: Vec<(u8, Vec<u8>)>,
    /// Whether it may sign others.
    pub is_authority: bool,
}

impl Default for Content {
    fn default() -> Self {
        Self {
            serial: vec![0x11],
            subject: common_name("client"),
            sans: Vec::new(),
            is_authority: false,
        }
    }
}

/// A certificate with its key.
#[derive(Debug)]
pub struct Handmade {
    /// The certificate.
    pub der: Vec<u8>,
    /// Its key.
    pub key: KeyPair,
    subject: Vec<u8>,
}

impl Handmade {
    /// Signed by itself.
    ///
    /// # Errors
    /// The library's.
    pub fn root(text: &str) -> Result<Self> {
        let content = Content {
            subject: common_name(text),
            is_authority: true,
            ..Content::default()
        };
        let key = KeyPair::generate()?;
        let der = certificate(&content, &key, &content.subject, &key)?;
        let subject = content.subject;
        Ok(Self { der, key, subject })
    }

    /// One that this one signs.
    ///
    /// # Errors
    /// The library's.
    pub fn signs(&self, content: &Content) -> Result<Self> {
        let key = KeyPair::generate()?;
        Ok(Self {
            der: certificate(content, &key, &self.subject, &self.key)?,
            key,
            subject: content.subject.clone(),
        })
    }

    /// In PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        use base64::Engine as _;
        let base64 = base64::engine::general_purpose::STANDARD.encode(&self.der);
        let lines: Vec<String> = base64
            .as_bytes()
            .chunks(64)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            lines.join("\n")
        )
    }
}

fn certificate(content: &Content, key: &KeyPair, issuer: &[u8], signer: &KeyPair) -> Result<Vec<u8>> {
    let algorithm = sequence(&[value(OBJECT_ID, ECDSA_WITH_SHA256)]);
    let extensions = sequence(&extensions(content));
    let body = sequence(&[
        value(VERSION, &value(INTEGER, &[2])),
        value(INTEGER, &content.serial),
        algorithm.clone(),
        issuer.to_vec(),
        sequence(&[
            value(UTC_TIME, b"200101000000Z"),
            value(UTC_TIME, b"491231235959Z"),
        ]),
        content.subject.clone(),
        key.subject_public_key_info(),
        value(EXTENSIONS, &extensions),
    ]);
    let signature = [vec![0], signer.sign(&body)?].concat();
    Ok(sequence(&[body, algorithm, value(BITS, &signature)]))
}

fn extensions(content: &Content) -> Vec<Vec<u8>> {
    let one = |id: &[u8], content: &[u8]| sequence(&[value(OBJECT_ID, id), value(OCTETS, content)]);
    let constraints = if content.is_authority {
        sequence(&[value(0x01, &[0xff])])
    } else {
        sequence(&[])
    };
    let mut all = vec![one(BASIC_CONSTRAINTS, &constraints)];
    if !content.sans.is_empty() {
        let names: Vec<_> = content
            .sans
            .iter()
            .map(|(tag, content)| value(0x80 | tag, content))
            .collect();
        all.push(one(ALTERNATIVE_NAMES, &sequence(&names)));
    }
    all
}
