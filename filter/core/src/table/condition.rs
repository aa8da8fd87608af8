//! Whether a block of a rule takes a request.

use rkyv::api::low::{self, LowValidator};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::Failure;
use rkyv::string::ArchivedString;
use rkyv::tuple::ArchivedTuple2;
use rkyv::vec::ArchivedVec;

use super::bytes::Corrupt;
use crate::matcher::ValueMatcher;
use crate::query;
use crate::regex::Regexes;
use crate::request::Request;
use crate::rules::{ArchivedMatchConfig, ArchivedStringMatcher};
use crate::undecided::Undecided;

/// Reads a value in place, after validating the bytes.
pub(super) fn view<T>(bytes: &[u8]) -> Result<&T, Corrupt>
where
    T: rkyv::Portable + for<'a> CheckBytes<LowValidator<'a, Failure>>,
{
    low::access::<T, Failure>(bytes).map_err(|_| Corrupt)
}

type Conditions = ArchivedVec<ArchivedTuple2<ArchivedString, ArchivedStringMatcher>>;

impl ArchivedMatchConfig {
    pub(crate) fn wanted_uri(&self) -> Option<ValueMatcher<'_>> {
        self.uri.as_ref().map(ValueMatcher::from)
    }

    /// Whether all conditions hold. The cheap ones come first.
    pub(crate) fn holds(&self, request: &impl Request, regexes: &Regexes) -> Result<bool, Undecided> {
        let path = request.path();
        if let Some(uri) = self.wanted_uri()
            && !uri.is_match(query::path_of(path), self.ignore_uri_case, regexes)?
        {
            return Ok(false);
        }
        let param = |name: &str, each: &mut dyn FnMut(&[u8])| {
            query::param(path, name.as_bytes()).into_iter().for_each(each);
        };
        let header = |name: &str, each: &mut dyn FnMut(&[u8])| request.header(name, each);
        Ok(all(&self.query_params, |name, own| {
            any_value(own, regexes, |each| param(name, each))
        })? && all(&self.headers, |name, own| {
            any_value(own, regexes, |each| header(name, each))
        })? && all(&self.without_headers, |name, own| {
            Ok(!inverted_fails(own, regexes, |each| header(name, each))?)
        })?)
    }
}

fn all(
    conditions: &Conditions,
    mut holds: impl FnMut(&str, &ArchivedStringMatcher) -> Result<bool, Undecided>,
) -> Result<bool, Undecided> {
    for ArchivedTuple2(name, own) in conditions.iter() {
        if !holds(name, own)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether any value meets the condition. `values` calls back with every value.
fn any_value(
    own: &ArchivedStringMatcher,
    regexes: &Regexes,
    values: impl FnOnce(&mut dyn FnMut(&[u8])),
) -> Result<bool, Undecided> {
    let mut found = Ok(false);
    values(&mut |value| {
        if found == Ok(false) {
            found = ValueMatcher::from(own).is_match(value, false, regexes);
        }
    });
    found
}

/// Whether a `withoutHeaders` condition fails, because some value matches. A missing header counts as an empty value,
/// but not as present.
fn inverted_fails(
    own: &ArchivedStringMatcher,
    regexes: &Regexes,
    values: impl FnOnce(&mut dyn FnMut(&[u8])),
) -> Result<bool, Undecided> {
    let mut is_there = false;
    let matched = any_value(own, regexes, |each| {
        values(&mut |value| {
            is_there = true;
            each(value);
        });
    })?;
    if is_there || matches!(own, ArchivedStringMatcher::Present) {
        return Ok(matched);
    }
    ValueMatcher::from(own).is_match(b"", false, regexes)
}
