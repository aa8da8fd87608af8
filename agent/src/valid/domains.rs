//! A domain belongs to one virtual host of its routes. Envoy ignores case.

use std::collections::HashSet;

use envoy_types::pb::envoy::config::route::v3::RouteConfiguration;

use super::violation::{Broken, Located as _, Violation};

pub(super) fn check(routes: &RouteConfiguration) -> Result<(), Violation> {
    let mut known = HashSet::new();
    for (at, host) in routes.virtual_hosts.iter().enumerate() {
        for domain in &host.domains {
            if !known.insert(domain.to_ascii_lowercase()) {
                return Err(Broken::DomainTwice(domain.clone())).item("virtual_hosts", at);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::route::v3::VirtualHost;

    use super::*;

    fn routes(hosts: &[&[&str]]) -> RouteConfiguration {
        let host = |domains: &&[&str]| VirtualHost {
            domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
            ..VirtualHost::default()
        };
        RouteConfiguration {
            virtual_hosts: hosts.iter().map(host).collect(),
            ..RouteConfiguration::default()
        }
    }

    #[test]
    fn a_domain_is_there_once() {
        assert_eq!(check(&routes(&[&["a.test", "*.test"], &["*"]])), Ok(()));
        for bad in [
            &[&["a.test", "a.test"][..]][..],
            &[&["*"], &["*"]],
            &[&["a.test"], &["A.test"]],
        ] {
            assert!(check(&routes(bad)).is_err(), "{bad:?}");
        }
    }
}
