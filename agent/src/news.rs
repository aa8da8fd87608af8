//! What there is to say goes into the log as it happens.

use sealgate_model::Severity;
use sealgate_model::ledger::News;

/// Says one thing.
pub(crate) fn log(news: &News) {
    match news {
        News::Found(finding) => match finding.severity {
            Severity::Error => tracing::error!(code = %finding.code, "{finding}"),
            Severity::Warning => tracing::warn!(code = %finding.code, "{finding}"),
            Severity::Info => tracing::info!(code = %finding.code, "{finding}"),
        },
        News::Good(object) => tracing::info!("{object}: good again"),
    }
}
