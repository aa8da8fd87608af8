//! Which Secrets are wanted. The one thing that flows against the stream: names, and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;

use sealgate_model::CredentialName;

/// The credentials that Gateways name or proxies subscribe to.
pub type Demand = Arc<BTreeSet<CredentialName>>;
