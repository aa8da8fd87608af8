//! What few routes have, compiled; a plain route holds none of it.

use super::{Mirror, RouteAction, TableError};
use crate::cors::Policy;

/// See the module.
#[derive(Debug)]
pub(crate) struct Extras {
    pub(crate) cors: Option<Policy>,
    /// The list's name among the native routes.
    pub(crate) mirrors: Option<Box<str>>,
}

impl Extras {
    /// None if the route has nothing of the kind.
    pub(crate) fn compile(route: &RouteAction) -> Result<Option<Box<Self>>, TableError> {
        if route.cors.is_none() && route.mirrors.is_empty() {
            return Ok(None);
        }
        let cors = route.cors.as_deref().map(Policy::compile).transpose();
        let cors = cors.map_err(|reason| TableError {
            place: "action.cors.origins".to_owned(),
            reason,
        })?;
        let mirrors = (!route.mirrors.is_empty()).then(|| mirrors_key(&route.mirrors).into());
        Ok(Some(Box::new(Self { cors, mirrors })))
    }
}

/// The name of a list of mirrors: equal for equal lists, whatever else the port has, so that filter and native routes
/// may change one after the other.
#[must_use]
pub fn mirrors_key(mirrors: &[Mirror]) -> String {
    let one = |mirror: &Mirror| format!("{}@{}", mirror.cluster, mirror.percent);
    mirrors.iter().map(one).collect::<Vec<_>>().join(",")
}
