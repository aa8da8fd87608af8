//! A value in the generated code, and how its violations are reported.

/// A value in the form that rules take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'c> {
    /// As a copied value.
    pub(super) owned: &'c str,
    /// As a reference.
    pub(super) borrowed: &'c str,
    /// The code after a check, which adds the field.
    pub(super) told: &'c str,
}

impl<'c> Place<'c> {
    /// The variable `value`, which is bound by reference.
    pub(super) fn bound(told: &'c str) -> Self {
        Self {
            owned: "*value",
            borrowed: "value",
            told,
        }
    }

    /// The contents of the wrapper that `value` is bound to.
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
