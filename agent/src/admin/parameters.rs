//! The parameters of a query. An unknown parameter is an error: ignored, a misspelled filter would match everything.

use percent_encoding::percent_decode_str;
use thiserror::Error;

/// What is wrong with a query.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum BadParameters {
    /// No parameter has this name.
    #[error("there is no parameter {0:?}; the known ones are {1}")]
    Unknown(String, String),
    /// Its value is not UTF-8.
    #[error("{0}: not UTF-8")]
    NotText(String),
}

/// The parameters in their order, decoded.
pub(super) fn parameters(query: &str, known: &[&str]) -> Result<Vec<(String, String)>, BadParameters> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let read = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !known.contains(&name) {
            return Err(BadParameters::Unknown(name.to_owned(), known.join(", ")));
        }
        let value = value.replace('+', " ");
        let decoded = percent_decode_str(&value).decode_utf8();
        let decoded = decoded.map_err(|_| BadParameters::NotText(name.to_owned()))?;
        Ok((name.to_owned(), decoded.into_owned()))
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_names_are_known() {
        let known = ["a", "b"];
        let pairs = |all: &[(&str, &str)]| {
            let all = all
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()));
            Ok(all.collect())
        };
        assert_eq!(parameters("", &known), pairs(&[]));
        assert_eq!(
            parameters("a=1+2%2B%26&&b&a=x=y", &known),
            pairs(&[("a", "1 2+&"), ("b", ""), ("a", "x=y")])
        );
        assert!(matches!(parameters("c=1", &known), Err(BadParameters::Unknown(name, _)) if name == "c"));
        assert_eq!(
            parameters("a=%ff", &known),
            Err(BadParameters::NotText("a".to_owned()))
        );
    }
}
