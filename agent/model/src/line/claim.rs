//! A claim as a line.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::resolve::{Claim, Claimant, Tenure};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    what: String,
    /// None once it is nobody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<bool>,
    /// A port for TCP; what is for TLS or not is said by `tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<bool>,
}

impl ClaimLine {
    /// A claim, as it stands from then on.
    #[must_use]
    pub fn new(claim: &Claim, tenure: Option<&Tenure>) -> Self {
        let holder = match tenure {
            Some(Tenure::Of(holder)) => Some(holder),
            Some(Tenure::Plain | Tenure::Tls | Tenure::Tcp) | None => None,
        };
        Self {
            what: claim.word().to_owned(),
            port: claim.port(),
            host: claim.host().map(ToString::to_string),
            namespace: holder.map(|holder| holder.namespace.to_string()),
            name: holder.and_then(|holder| Some(holder.name.as_ref()?.to_string())),
            tls: match tenure {
                Some(Tenure::Tls) => Some(true),
                Some(Tenure::Plain) => Some(false),
                Some(Tenure::Of(_) | Tenure::Tcp) | None => None,
            },
            tcp: (tenure == Some(&Tenure::Tcp)).then_some(true),
        }
    }

    /// None if it makes no sense.
    #[must_use]
    pub fn claim(self) -> Option<(Claim, Option<Tenure>)> {
        let claim = Claim::of(&self.what, self.port, self.host.map(Arc::from))?;
        if self.tcp == Some(true) {
            return matches!(claim, Claim::Port(_)).then_some((claim, Some(Tenure::Tcp)));
        }
        let tenure = match (&claim, self.tls, self.namespace, self.name) {
            (_, None, None, None) => None,
            (Claim::Port(_), Some(true), None, None) => Some(Tenure::Tls),
            (Claim::Port(_), Some(false), None, None) => Some(Tenure::Plain),
            (Claim::Host(..) | Claim::Routes(..) | Claim::Service(_), None, Some(namespace), name) => {
                Some(Tenure::Of(Claimant {
                    namespace: namespace.into(),
                    name: name.map(Arc::from),
                }))
            }
            _ => return None,
        };
        Some((claim, tenure))
    }
}
