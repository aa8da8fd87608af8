//! A server name of a filter chain is a name, or has `*` as its first label.

use envoy_types::pb::envoy::config::listener::v3::FilterChainMatch;

use super::violation::{Broken, Located as _, Violation};

pub(super) fn check(chain: &FilterChainMatch) -> Result<(), Violation> {
    for (at, name) in chain.server_names.iter().enumerate() {
        if name.contains('*') && !name.starts_with("*.") {
            return Err(Broken::PartialWildcard(name.clone())).item("server_names", at);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_a_label_of_its_own() {
        let is_good = |name: &str| {
            let chain = FilterChainMatch {
                server_names: vec!["a.test".to_owned(), name.to_owned()],
                ..FilterChainMatch::default()
            };
            check(&chain).is_ok()
        };
        for name in ["b.test", "*.test", "*.a.test"] {
            assert!(is_good(name), "{name}");
        }
        for name in ["*", "*b.test", "b*.test", "b.*.test", "b.*"] {
            assert!(!is_good(name), "{name}");
        }
    }
}
