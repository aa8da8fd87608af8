//! What an upstream would be told of a client that shows a certificate: the same code as the filter's.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use sealgate_core::explain::Question;
use sealgate_core::host;
use sealgate_core::identity::{Connection, Rendered, Sources, Standing, certificates_from_pem, render};
use sealgate_model::resolved::ServedPort;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::translate::identity::{chain_of, told};

/// The headers, and why they are these.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Headers {
    /// For people.
    pub(super) by: &'static str,
    /// Names and values.
    pub(super) set: Vec<(String, String)>,
    /// Names of those that do not fit.
    pub(super) left_out: Vec<String>,
}

/// Reads the certificate and renders it as the host's chain would.
pub(super) fn headers(path: &Path, question: &Question, port: Option<&ServedPort>) -> Result<Headers> {
    let place = || format!("--peer-certificate {}", path.display());
    let pem = fs::read(path).with_context(place)?;
    let chain = certificates_from_pem(&pem).with_context(place)?;
    let (leaf, others) = chain
        .split_first()
        .context("there is no certificate in it")
        .with_context(place)?;
    let name = host::normalize(question.authority.as_bytes());
    let name = String::from_utf8_lossy(&name);
    let chain = port.and_then(|port| chain_of(port, &name));
    let Some(config) = chain.and_then(told) else {
        return Ok(Headers {
            by: "this host asks for no certificate, or tells nothing of it",
            set: Vec::new(),
            left_out: Vec::new(),
        });
    };
    let sha256 = Sha256::digest(leaf)
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
        leaf: Some(leaf),
        chain: others,
    };
    let rendered = render(config, &sources);
    let appended = rendered
        .append
        .map(|element| (Rendered::XFCC.to_owned(), element));
    let set = rendered.set.into_iter().chain(appended);
    Ok(Headers {
        by: "is told to the upstream so, if the trust bundle takes the certificate",
        set: set
            .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
            .collect(),
        left_out: rendered.left_out,
    })
}
