//! Packs messages into each other, and checks each before it is packed.

use std::cell::OnceCell;

use envoy_types::pb::google::protobuf::Any;
use prost::{Message, Name};

use super::{Valid, Validity, Violation};

/// See the module. Messages that are built again to be sent were checked the first time, and are packed without a
/// check.
#[derive(Debug)]
pub struct Packer {
    looks: bool,
    first: OnceCell<Violation>,
}

impl Packer {
    /// One that checks what it packs.
    #[must_use]
    pub fn checking() -> Self {
        Self {
            looks: true,
            first: OnceCell::new(),
        }
    }

    /// One that packs what was checked before.
    #[must_use]
    pub fn trusting() -> Self {
        Self {
            looks: false,
            first: OnceCell::new(),
        }
    }

    /// Packs a message with its type URL.
    pub fn any<M: Message + Name + Valid>(&self, message: &M) -> Any {
        self.note(|| message.valid().map_err(|violation| violation.within(M::NAME)));
        Any {
            type_url: M::type_url(),
            value: message.encode_to_vec(),
        }
    }

    /// Checks a message that is not packed.
    pub fn check(&self, message: &impl Valid) {
        self.note(|| message.valid());
    }

    /// Does a check. The first failure becomes the verdict.
    pub fn note(&self, check: impl FnOnce() -> Validity) {
        if self.looks
            && self.first.get().is_none()
            && let Err(violation) = check()
        {
            let _ = self.first.set(violation);
        }
    }

    /// The verdict on all checks.
    ///
    /// # Errors
    /// The first violation.
    pub fn verdict(self) -> Validity {
        self.first.into_inner().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::SdsSecretConfig;

    use super::*;

    #[test]
    fn what_is_packed_is_checked_once() {
        let nameless = SdsSecretConfig::default();
        let packer = Packer::checking();
        packer.any(&nameless);
        let said = packer.verdict().unwrap_err().to_string();
        assert_eq!(said, "SdsSecretConfig.name: at least 1 characters");
        let packer = Packer::trusting();
        packer.any(&nameless);
        assert_eq!(packer.verdict(), Ok(()));
    }
}
