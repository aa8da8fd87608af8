//! `/api/status?...`: a part of the status, for gateways with a large one. `/api/objects?since=...`: what has changed.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use thiserror::Error;

use super::parameters::{BadParameters, parameters};
use super::status::{FindingStatus, ProxyRefusalStatus, Status};

/// The lists that can be given page by page.
const LISTS: [&str; 6] = [
    "gateways",
    "credentials",
    "proxies",
    "budgets",
    "proxyRefusals",
    "refusals",
];
const PARAMETERS: [&str; 7] = [
    "fields",
    "namespace",
    "name",
    "state",
    "severity",
    "limit",
    "after",
];
/// Separates the parts of a key: no name contains it.
const BETWEEN: char = '\u{1f}';

/// The requested part.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StatusQuery {
    /// Empty for all fields.
    fields: BTreeSet<String>,
    namespace: Option<String>,
    name: Option<String>,
    state: Option<String>,
    severity: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
}

/// Which objects are requested.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ObjectsQuery {
    /// The state that the client already has.
    pub(super) since: Option<u64>,
}

/// Why a query is invalid.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum BadQuery {
    #[error(transparent)]
    Parameters(#[from] BadParameters),
    #[error("fields: there is no field {0:?}; the known ones are {1}")]
    Field(String, String),
    #[error("limit={0}: expected a number of at least 1")]
    Limit(String),
    #[error("state={0}: expected ready, pending, refused or ignored")]
    State(String),
    #[error("severity={0}: expected error or warning")]
    Severity(String),
    #[error("since={0}: expected a generation, as in `begin`")]
    Since(String),
    #[error("after: fields must name exactly one of these lists: {0}")]
    ManyLists(String),
}

impl ObjectsQuery {
    /// Reads a query.
    pub(super) fn read(query: &str) -> Result<Self, BadQuery> {
        let mut own = Self::default();
        for (_, value) in parameters(query, &["since"])? {
            own.since = Some(value.parse().map_err(|_| BadQuery::Since(value))?);
        }
        Ok(own)
    }
}

impl StatusQuery {
    /// Reads a query.
    pub(super) fn read(query: &str) -> Result<Self, BadQuery> {
        let mut own = Self::default();
        for (name, value) in parameters(query, &PARAMETERS)? {
            match name.as_str() {
                "fields" => own.fields.extend(fields(&value)?),
                "namespace" => own.namespace = Some(value),
                "name" => own.name = Some(value),
                "state" => {
                    own.state = Some(
                        one_of(value, &["ready", "pending", "refused", "ignored"])
                            .map_err(BadQuery::State)?,
                    )
                }
                "severity" => {
                    own.severity = Some(one_of(value, &["error", "warning"]).map_err(BadQuery::Severity)?)
                }
                "limit" => own.limit = Some(limit(value)?),
                _ => own.after = Some(value),
            }
        }
        let lists = LISTS.iter().filter(|list| own.fields.contains(**list));
        if own.after.is_some() && lists.count() != 1 {
            return Err(BadQuery::ManyLists(LISTS.join(", ")));
        }
        Ok(own)
    }

    /// The part of a status.
    pub(super) fn of(&self, mut status: Status) -> serde_json::Result<Value> {
        self.filter(&mut status);
        let mut next = Map::new();
        self.page(
            "gateways",
            &mut status.gateways,
            |own| own.name.clone(),
            &mut next,
        );
        self.page(
            "credentials",
            &mut status.credentials,
            |own| own.name.clone(),
            &mut next,
        );
        self.page("proxies", &mut status.proxies, |own| own.node.clone(), &mut next);
        let budget = |own: &super::status::BudgetStatus| joined([&own.namespace, &own.resource]);
        self.page("budgets", &mut status.budgets, budget, &mut next);
        self.page(
            "proxyRefusals",
            &mut status.proxy_refusals,
            refusal_key,
            &mut next,
        );
        self.page("refusals", &mut status.refusals, finding_key, &mut next);
        let mut value = serde_json::to_value(status)?;
        if let Some(all) = value.as_object_mut() {
            if !self.fields.is_empty() {
                all.retain(|name, _| self.fields.contains(name));
            }
            if self.limit.is_some() {
                next.retain(|list, _| all.contains_key(list));
                all.insert("next".to_owned(), Value::Object(next));
            }
        }
        Ok(value)
    }

    fn filter(&self, status: &mut Status) {
        let is_in = |name: &str| {
            let namespace = self.namespace.as_deref();
            namespace.is_none_or(|wanted| name.split_once('/').is_some_and(|(own, _)| own == wanted))
        };
        let is_named = |name: &str| self.name.as_deref().is_none_or(|wanted| wanted == name);
        let is_meant = |name: &str| is_in(name) && is_named(name);
        status.gateways.retain(|own| is_meant(&own.name));
        status.credentials.retain(|own| is_meant(&own.name));
        status.refusals.retain(|own| is_meant(object_name(own)));
        if let Some(namespace) = &self.namespace {
            status.budgets.retain(|own| own.namespace == *namespace);
        }
        if let Some(state) = &self.state {
            status.credentials.retain(|own| own.state == *state);
        }
        if let Some(severity) = &self.severity {
            status.refusals.retain(|own| own.severity == *severity);
        }
    }

    /// At most `limit` entries after the given one, and the key of the last if there are more.
    fn page<T>(
        &self,
        list: &'static str,
        all: &mut Vec<T>,
        key: impl Fn(&T) -> String,
        next: &mut Map<String, Value>,
    ) {
        if self.limit.is_none() && self.after.is_none() {
            return;
        }
        all.sort_by_cached_key(&key);
        if let Some(after) = self.after.as_ref().filter(|_| self.fields.contains(list)) {
            all.retain(|own| key(own) > *after);
        }
        let Some(limit) = self.limit else {
            return;
        };
        if all.len() > limit {
            all.truncate(limit);
            next.extend(all.last().map(|last| (list.to_owned(), key(last).into())));
        }
    }
}

/// `istio-system/a` of `Secret istio-system/a`.
fn object_name(finding: &FindingStatus) -> &str {
    finding.object.split_once(' ').map_or("", |(_, name)| name)
}

/// The worst first: `error` sorts before `warning`.
fn finding_key(own: &FindingStatus) -> String {
    let field = own.field.clone().unwrap_or_default();
    joined([&own.severity, &own.object, &field, &own.code, &own.message])
}

fn refusal_key(own: &ProxyRefusalStatus) -> String {
    let name = own.name.clone().unwrap_or_default();
    joined([&own.node, &own.r#type, &name])
}

fn joined<const N: usize>(parts: [&String; N]) -> String {
    let parts = parts.map(String::as_str);
    parts.join(&BETWEEN.to_string())
}

fn fields(list: &str) -> Result<Vec<String>, BadQuery> {
    let known = known_fields();
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    let known_one = |name: &str| match known.contains(name) {
        true => Ok(name.to_owned()),
        false => {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            Err(BadQuery::Field(name.to_owned(), known.join(", ")))
        }
    };
    names.map(known_one).collect()
}

/// The fields of a status.
fn known_fields() -> BTreeSet<String> {
    let value = serde_json::to_value(Status::default()).unwrap_or_default();
    let fields = value.as_object().into_iter().flat_map(Map::keys);
    fields.cloned().collect()
}

fn one_of(value: String, known: &[&str]) -> Result<String, String> {
    if known.contains(&value.as_str()) {
        Ok(value)
    } else {
        Err(value)
    }
}

fn limit(value: String) -> Result<usize, BadQuery> {
    match value.parse() {
        Ok(limit) if limit > 0 => Ok(limit),
        _ => Err(BadQuery::Limit(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::CredentialStatus;
    use super::*;

    fn status() -> Status {
        let credential = |name: &str, state: &str| CredentialStatus {
            name: name.to_owned(),
            state: state.to_owned(),
            ..CredentialStatus::default()
        };
        let finding = |severity: &str, object: &str| FindingStatus {
            severity: severity.to_owned(),
            object: object.to_owned(),
            ..FindingStatus::default()
        };
        Status {
            credentials: vec![
                credential("gw/a", "ready"),
                credential("gw/b", "refused"),
                credential("other/c", "refused"),
            ],
            refusals: vec![
                finding("error", "Secret gw/b"),
                finding("error", "VirtualService team/z"),
                finding("warning", "VirtualService team/a"),
            ],
            ..Status::default()
        }
    }

    fn asked(query: &str) -> Value {
        StatusQuery::read(query).unwrap().of(status()).unwrap()
    }

    fn names(value: &Value, list: &str, key: &str) -> Vec<String> {
        let all = value[list].as_array().unwrap().iter();
        all.map(|own| own[key].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn without_a_query_it_is_the_whole() {
        assert_eq!(asked(""), serde_json::to_value(status()).unwrap());
    }

    #[test]
    fn lists_are_filtered_by_what_their_entries_are() {
        let credentials = |query: &str| names(&asked(query), "credentials", "name");
        assert_eq!(credentials("state=refused"), ["gw/b", "other/c"]);
        assert_eq!(credentials("state=refused&namespace=gw"), ["gw/b"]);
        assert_eq!(credentials("name=gw/a"), ["gw/a"]);
        let refusals = |query: &str| names(&asked(query), "refusals", "object");
        let both = ["VirtualService team/z", "VirtualService team/a"];
        assert_eq!(refusals("namespace=team"), both);
        assert_eq!(refusals("namespace=team&severity=error"), both[..1]);
        let fields = asked("fields=synced,source");
        assert_eq!(
            fields.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["source", "synced"]
        );
    }

    #[test]
    fn pages_are_the_whole_in_its_order() {
        for (list, key, expected) in [
            ("credentials", "name", vec!["gw/a", "gw/b", "other/c"]),
            (
                "refusals",
                "object",
                vec!["Secret gw/b", "VirtualService team/z", "VirtualService team/a"],
            ),
        ] {
            let mut seen = Vec::new();
            let mut query = format!("fields={list}&limit=2");
            loop {
                let page = asked(&query);
                seen.extend(names(&page, list, key));
                let Some(next) = page["next"][list].as_str() else {
                    break;
                };
                let next = percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC);
                query = format!("fields={list}&limit=2&after={next}");
            }
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn what_cannot_be_asked_for_is_named() {
        for (bad, word) in [
            ("field=a", "\"field\""),
            ("fields=synced,colour", "colour"),
            ("limit=0", "limit=0"),
            ("state=good", "state=good"),
            ("severity=info", "severity=info"),
            ("after=a&fields=credentials,refusals", "exactly one"),
            ("after=a", "exactly one"),
        ] {
            let error = StatusQuery::read(bad).unwrap_err().to_string();
            assert!(error.contains(word), "{bad}: {error}");
        }
    }

    #[test]
    fn objects_are_asked_for_since_a_generation() {
        let since = |query| ObjectsQuery::read(query).map(|query| query.since);
        assert_eq!((since(""), since("since=7")), (Ok(None), Ok(Some(7))));
        for (bad, said) in [
            ("since=foo", "since=foo: expected a generation, as in `begin`"),
            ("since=", "since=: expected a generation, as in `begin`"),
            (
                "colour=red",
                "there is no parameter \"colour\"; the known ones are since",
            ),
        ] {
            assert_eq!(since(bad).unwrap_err().to_string(), said);
        }
    }
}
