//! No two filter chains of a listener take the same connections.

use std::collections::{HashMap, HashSet};

use envoy_types::pb::envoy::config::listener::v3::{FilterChain, Listener};
use prost::Message as _;

use super::violation::{Broken, Located as _, Violation};

/// The matches of the chains so far, for a listener whose chains are built one by one.
#[derive(Debug, Default)]
pub struct ChainMatches {
    /// Server names, by everything else that the chain asks for.
    names: HashMap<Vec<u8>, HashSet<String>>,
}

impl ChainMatches {
    /// Adds the match of a chain.
    ///
    /// # Errors
    /// An earlier chain takes the same connections.
    pub fn add(&mut self, chain: &FilterChain) -> Result<(), Violation> {
        let mut rest = chain.filter_chain_match.clone().unwrap_or_default();
        let own = std::mem::take(&mut rest.server_names);
        let names = self.names.entry(rest.encode_to_vec()).or_default();
        let own = if own.is_empty() { vec![String::new()] } else { own };
        for name in own {
            if let Some(name) = names.replace(name) {
                let told = if name.is_empty() {
                    "any connection".to_owned()
                } else {
                    name
                };
                return Err(Broken::SameMatch(told)).within("filter_chain_match");
            }
        }
        Ok(())
    }
}

/// A matcher chooses among chains by their names, whatever they match.
pub(super) fn check(listener: &Listener) -> Result<(), Violation> {
    if listener.filter_chain_matcher.is_some() {
        return Ok(());
    }
    let mut matches = ChainMatches::default();
    for (at, chain) in listener.filter_chains.iter().enumerate() {
        matches.add(chain).item("filter_chains", at)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::listener::v3::FilterChainMatch;

    use super::*;

    fn chain(names: &[&str], transport: &str) -> FilterChain {
        FilterChain {
            filter_chain_match: Some(FilterChainMatch {
                server_names: names.iter().map(|name| (*name).to_owned()).collect(),
                transport_protocol: transport.to_owned(),
                ..FilterChainMatch::default()
            }),
            ..FilterChain::default()
        }
    }

    fn is_good(chains: &[FilterChain]) -> bool {
        let listener = Listener {
            filter_chains: chains.to_vec(),
            ..Listener::default()
        };
        check(&listener).is_ok()
    }

    #[test]
    fn no_two_chains_take_the_same_connections() {
        assert!(is_good(&[chain(&["a"], ""), chain(&["b"], ""), chain(&[], "")]));
        assert!(is_good(&[chain(&["a"], ""), chain(&["a"], "tls")]));
        assert!(!is_good(&[chain(&["a", "b"], ""), chain(&["c", "b"], "")]));
        assert!(!is_good(&[chain(&[], ""), FilterChain::default()]));
    }
}
