//! Errors of the desk.

use sealgate_core::table::TableError;
use sealgate_model::explain::{CertificateError, RequestError};
use sealgate_model::preview::{BadTable, OptionsError};
use thiserror::Error;

/// See the module.
#[derive(Debug, Error)]
pub enum DeskError {
    /// No objects were given.
    #[error("there are no objects yet")]
    Nothing,
    /// No such object.
    #[error("there is no {0}")]
    NoObject(String),
    /// The table of a host cannot be built: a bug.
    #[error("the table cannot be built: {0}")]
    Routes(#[from] TableError),
    /// Not JSON, or not of the expected form.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// An object cannot be written as YAML.
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
