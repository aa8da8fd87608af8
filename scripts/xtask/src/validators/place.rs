//! Where a value stands in the generated code, and how its violations are told.

/// A value as the rules are given it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'c> {
    /// As a value that is copied.
    pub(super) owned: &'c str,
    /// As a reference.
    pub(super) borrowed: &'c str,
    /// What comes after a check: it says which field was checked.
    pub(super) told: &'c str,
}

impl<'c> Place<'c> {
    /// What `value` is bound to, by reference.
    pub(super) fn bound(told: &'c str) -> Self {
        Self {
            owned: "*value",
            borrowed: "value",
            told,
        }
    }

    /// What the wrapper holds that `value` is bound to.
    pub(super) fn wrapped(self) -> Self {
        Self {
            owned: "value.value",
            borrowed: "&value.value",
            ..self
        }
    }

    /// The statement of a check.
    pub(super) fn must(self, check: &str) -> String {
        format!("{check}{}?;", self.told)
    }
}
