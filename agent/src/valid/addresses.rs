//! An address belongs to one listener.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::violation::{Broken, Violation};

/// The addresses of published listeners.
#[derive(Debug, Default)]
pub struct Addresses {
    by_listener: BTreeMap<Arc<str>, String>,
}

impl Addresses {
    /// Whether a listener may have this address.
    ///
    /// # Errors
    /// Another listener has it.
    pub fn check(&self, listener: &str, address: &str) -> Result<(), Violation> {
        let mut others = self.by_listener.iter().filter(|(name, _)| ***name != *listener);
        let Some((other, _)) = others.find(|(_, taken)| *taken == address) else {
            return Ok(());
        };
        let taken = Broken::AddressTaken(address.to_owned(), other.to_string());
        Err(Violation::from(taken).within("address"))
    }

    /// Notes the address of a listener.
    pub fn take(&mut self, listener: &str, address: String) {
        self.by_listener.insert(listener.into(), address);
    }

    /// Removes a listener; returns whether it had an address.
    pub fn free(&mut self, listener: &str) -> bool {
        self.by_listener.remove(listener).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_free_again_once_its_listener_is_gone() {
        let mut addresses = Addresses::default();
        addresses.take("a", "0.0.0.0:80".to_owned());
        assert_eq!(addresses.check("a", "0.0.0.0:80"), Ok(()));
        assert_eq!(addresses.check("b", "0.0.0.0:81"), Ok(()));
        let refusal = addresses.check("b", "0.0.0.0:80").unwrap_err().to_string();
        assert_eq!(refusal, "address: 0.0.0.0:80 is the address of the listener a");
        assert!(addresses.free("a"));
        assert_eq!(addresses.check("b", "0.0.0.0:80"), Ok(()));
    }
}
