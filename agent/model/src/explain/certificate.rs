//! What an upstream would be told about a client with a certificate, by the filter's own code.

use sealgate_core::explain::Question;
use sealgate_core::host;
use sealgate_core::identity::{
    BadCertificate, Connection, Rendered, Sources, Standing, certificates_from_pem, render,
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::resolved::ServedPort;

/// Not a certificate.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// A PEM block of a certificate cannot be decoded.
    #[error(transparent)]
    Bad(#[from] BadCertificate),
    /// It has no PEM block of a certificate.
    #[error("it contains no certificate")]
    Empty,
}

/// A client's certificate and its intermediates.
#[derive(Clone, Debug)]
pub struct ClientChain {
    leaf: Vec<u8>,
    others: Vec<Vec<u8>>,
}

impl ClientChain {
    /// Reads PEM, the client's own certificate first.
    ///
    /// # Errors
    /// There is none, or one cannot be decoded.
    pub fn read(pem: &[u8]) -> Result<Self, CertificateError> {
        let mut all = certificates_from_pem(pem)?.into_iter();
        Ok(Self {
            leaf: all.next().ok_or(CertificateError::Empty)?,
            others: all.collect(),
        })
    }
}

/// The headers, and why they are these.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityAnswer {
    /// For people.
    pub by: &'static str,
    /// Names and values.
    pub set: Vec<(String, String)>,
    /// Names of headers that would exceed the limit.
    pub left_out: Vec<String>,
}

/// Renders the certificate as the host's chain would.
pub(super) fn told_of(
    client: &ClientChain,
    question: &Question,
    port: Option<&ServedPort>,
) -> IdentityAnswer {
    let name = host::normalize(question.authority.as_bytes());
    let name = String::from_utf8_lossy(&name);
    let chain = port.and_then(|port| port.chain_of(&name));
    let Some(config) = chain.and_then(|chain| chain.told()) else {
        return IdentityAnswer {
            by: "this host requests no client certificate, or sends nothing about it to the upstream",
            set: Vec::new(),
            left_out: Vec::new(),
        };
    };
    let sha256 = Sha256::digest(&client.leaf)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    let sources = Sources {
        connection: Some(Connection {
            sha256: Some(&sha256),
            sni: Some(&name),
            ..Connection::default()
        }),
        standing: Standing::Verified,
        leaf: Some(&client.leaf),
        chain: &client.others,
    };
    let rendered = render(config, &sources);
    let appended = rendered
        .append
        .map(|element| (Rendered::XFCC.to_owned(), element));
    let set = rendered.set.into_iter().chain(appended);
    IdentityAnswer {
        by: "the upstream gets these headers, if the trust bundle verifies the certificate",
        set: set
            .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
            .collect(),
        left_out: rendered.left_out,
    }
}
