//! The headers of a request on the way to the upstream, and what happens to each.

use sealgate_core::explain::Question;
use serde::Serialize;
use serde_json::Value;

use super::IdentityAnswer;

/// What happens to a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum HeaderFate {
    /// As the client sent it.
    Sent,
    /// A rule sets it.
    Set,
    /// A rule adds it.
    Added,
    /// A rule removes it: the upstream does not see it.
    Removed,
    /// Only the gateway may set it, so the client's is dropped.
    Dropped,
    /// It describes the client's certificate.
    Identity,
}

/// One header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UpstreamHeader {
    /// As it was sent or written.
    pub name: String,
    /// Its value; of a removed or dropped one, the client's.
    pub value: String,
    /// What happens to it.
    pub fate: HeaderFate,
}

/// The headers of a request that goes to an upstream, after the `operations` of an answer: remove, set, add. Headers
/// that Envoy itself adds, such as `x-request-id`, are not included.
#[must_use]
pub fn upstream_headers(
    sent: &Question,
    arrived: &Question,
    operations: &Value,
    identity: Option<&IdentityAnswer>,
) -> Vec<UpstreamHeader> {
    let mut all: Vec<UpstreamHeader> = Vec::new();
    let is_in = |headers: &[(String, String)], name: &str| {
        headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
    };
    for (name, value) in &sent.headers {
        let fate = if is_in(&arrived.headers, name) {
            HeaderFate::Sent
        } else {
            HeaderFate::Dropped
        };
        all.push(header((name, value), fate));
    }
    for name in operations["remove"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        let own = all.iter_mut().filter(|own| own.name.eq_ignore_ascii_case(name));
        own.filter(|own| own.fate == HeaderFate::Sent)
            .for_each(|own| own.fate = HeaderFate::Removed);
    }
    for (name, value) in pairs(&operations["set"]) {
        all.retain(|own| own.fate == HeaderFate::Dropped || !own.name.eq_ignore_ascii_case(name));
        all.push(header((name, value), HeaderFate::Set));
    }
    for pair in pairs(&operations["add"]) {
        all.push(header(pair, HeaderFate::Added));
    }
    for (name, value) in identity.iter().flat_map(|identity| &identity.set) {
        all.push(header((name, value), HeaderFate::Identity));
    }
    all
}

fn header((name, value): (&str, &str), fate: HeaderFate) -> UpstreamHeader {
    UpstreamHeader {
        name: name.to_owned(),
        value: value.to_owned(),
        fate,
    }
}

fn pairs(list: &Value) -> impl Iterator<Item = (&str, &str)> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|pair| Some((pair.get(0)?.as_str()?, pair.get(1)?.as_str()?)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_removed_set_added_and_dropped_says_so() {
        let headers = |all: &[(&str, &str)]| {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            all.iter().map(owned).collect()
        };
        let sent = Question {
            headers: headers(&[
                ("a", "1"),
                ("B", "2"),
                ("c", "3"),
                ("x-sealgate-cluster", "forged"),
            ]),
            ..Question::default()
        };
        let arrived = Question {
            headers: headers(&[("a", "1"), ("B", "2"), ("c", "3")]),
            ..Question::default()
        };
        let operations = json!({ "remove": ["b"], "set": [["c", "4"]], "add": [["a", "5"]] });
        let identity = IdentityAnswer {
            by: "",
            set: vec![("x-client".to_owned(), "me".to_owned())],
            left_out: Vec::new(),
        };
        let all = upstream_headers(&sent, &arrived, &operations, Some(&identity));
        let all: Vec<_> = all
            .iter()
            .map(|own| (own.name.as_str(), own.value.as_str(), own.fate))
            .collect();
        assert_eq!(
            all,
            [
                ("a", "1", HeaderFate::Sent),
                ("B", "2", HeaderFate::Removed),
                ("x-sealgate-cluster", "forged", HeaderFate::Dropped),
                ("c", "4", HeaderFate::Set),
                ("a", "5", HeaderFate::Added),
                ("x-client", "me", HeaderFate::Identity),
            ]
        );
    }
}
