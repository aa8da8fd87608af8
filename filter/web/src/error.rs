//! What the desk cannot do.

use sealgate_core::table::TableError;
use sealgate_model::explain::{CertificateError, RequestError};
use sealgate_model::preview::{BadTable, OptionsError};
use thiserror::Error;

/// What cannot be done.
#[derive(Debug, Error)]
pub enum DeskError {
    /// No objects were given.
    #[error("there are no objects yet")]
    Nothing,
    /// No such object.
    #[error("there is no {0}")]
    NoObject(String),
    /// The table of a host cannot be built, which is a fault of ours.
    #[error("the table cannot be built: {0}")]
    Routes(#[from] TableError),
    /// Not JSON, or of another form.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// An object cannot be written.
    #[error("the object cannot be shown: {0}")]
    Yaml(String),
    /// The flags.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// An agent's lines.
    #[error(transparent)]
    Table(#[from] BadTable),
    /// A request.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A client's certificate.
    #[error("client certificate: {0}")]
    Certificate(#[from] CertificateError),
}
