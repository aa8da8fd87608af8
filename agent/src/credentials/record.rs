//! One credential as it stands.

use std::sync::Arc;

use sealgate_model::{BUNDLE_SUFFIX, Code, CredentialName, Finding, Kind, ObjectRef, Severity};
use time::OffsetDateTime;

use super::HeldCredential;
use crate::credential::{Credential, CredentialOutcome, CredentialPolicy, DateVerdict, Part};

/// The namespaces whose Gateways may name a credential.
type AllowedNamespaces = Arc<[Arc<str>]>;

/// One credential as it stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CredentialRecord {
    /// What is served: the last good version.
    pub good: Option<Arc<Credential>>,
    /// Whether that is of the Secret without the suffix.
    good_of_base: bool,
    /// What its own Secret says.
    own: Voice,
    /// Of a bundle: what the Secret without the suffix says.
    base: Voice,
    /// Its own Secret is gone, and the one without the suffix is used in its place.
    fell_back: bool,
    /// As its Secret said last; none before that was read.
    allowed: Option<AllowedNamespaces>,
}

/// What a Secret says of a credential.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Voice {
    /// There is no such Secret.
    #[default]
    Gone,
    /// It is there, and holds nothing of the kind.
    Silent,
    /// This.
    Says(Box<Spoken>),
}

/// What a Secret holds, and what is to be made of it now.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spoken {
    part: Part,
    judgement: DateVerdict,
}

impl Spoken {
    pub(super) fn new(part: Part, secret: &ObjectRef, policy: &CredentialPolicy) -> Box<Self> {
        let judgement = part.judge(secret, policy);
        Box::new(Self { part, judgement })
    }
}

impl Voice {
    fn spoken(&self) -> Option<&Spoken> {
        match self {
            Self::Says(spoken) => Some(spoken),
            Self::Gone | Self::Silent => None,
        }
    }

    /// The first of two that says something.
    pub(super) fn or(self, other: Self) -> Self {
        match self {
            Self::Says(_) => self,
            Self::Gone | Self::Silent => other,
        }
    }

    fn judge(&mut self, secret: &ObjectRef, policy: &CredentialPolicy) {
        if let Self::Says(spoken) = self {
            spoken.judgement = spoken.part.judge(secret, policy);
        }
    }
}

impl CredentialRecord {
    pub(super) fn set_own(&mut self, own: Voice) {
        self.fell_back &= own.spoken().is_none();
        self.own = own;
    }

    pub(super) fn set_base(&mut self, base: Voice, allowed: Option<AllowedNamespaces>) {
        let part = |voice: &Voice| voice.spoken().map(|spoken| spoken.part.clone());
        self.fell_back &= part(&self.base) == part(&base);
        self.base = base;
        if self.own.spoken().is_none() {
            self.allow(allowed);
        }
    }

    /// A Secret that is gone takes nothing back: its last good version is served on.
    pub(super) fn allow(&mut self, namespaces: Option<AllowedNamespaces>) {
        self.allowed = namespaces.or(self.allowed.take());
    }

    pub(super) fn allowed(&self) -> Option<&AllowedNamespaces> {
        self.allowed.as_ref()
    }

    /// Judges it anew, because a date has passed.
    pub(super) fn judge(&mut self, name: &CredentialName, policy: &CredentialPolicy) {
        self.own.judge(&own_secret(name), policy);
        self.base.judge(&base_secret(name), policy);
    }

    /// When a date passes next.
    pub(super) fn again(&self) -> Option<OffsetDateTime> {
        let spoken = [self.own.spoken(), self.base.spoken()].into_iter().flatten();
        spoken.filter_map(|spoken| spoken.judgement.again).min()
    }

    /// What is good now is the last good version.
    pub(super) fn keep_good(&mut self) {
        let Some(CredentialOutcome::Ready(credential)) = self.outcome() else {
            return;
        };
        let credential = Arc::clone(credential);
        let is_of_base = self.own.spoken().is_none();
        let is_other = self.good.as_ref().is_some_and(|good| *good != credential);
        self.fell_back |= is_of_base && !self.good_of_base && is_other;
        self.good_of_base = is_of_base;
        self.good = Some(credential);
    }

    /// See [`super::Credentials::held`].
    pub(super) fn held(&self) -> Option<HeldCredential> {
        let good = self.good.as_ref()?;
        let is_provided = matches!(self.outcome(), Some(CredentialOutcome::Ready(_)));
        (!is_provided).then(|| HeldCredential {
            credential: Arc::clone(good),
            of_base: self.good_of_base,
        })
    }

    pub(super) fn remember(&mut self, good: Arc<Credential>, of_base: bool) {
        self.good = Some(good);
        self.good_of_base = of_base;
    }

    pub(super) fn forget_good(&mut self) {
        self.good = None;
        self.good_of_base = false;
    }

    /// Whether a version is held that no Secret provides or means to replace.
    pub(super) fn is_unclaimed(&self) -> bool {
        use CredentialOutcome::{Ready, Refused};
        self.good.is_some() && !matches!(self.outcome(), Some(Ready(_) | Refused(_)))
    }

    /// The Secrets that say something of it.
    pub(super) fn secrets(&self, name: &CredentialName) -> impl Iterator<Item = ObjectRef> {
        let own = self.own.spoken().map(|_| own_secret(name));
        own.into_iter()
            .chain(self.base.spoken().map(|_| base_secret(name)))
    }

    /// Whose word counts. While a bundle has a Secret of its own, be it bad, the other one is not asked: that would trust
    /// whom its author has ceased to trust.
    fn deciding(&self) -> Option<&Spoken> {
        self.own.spoken().or(self.base.spoken())
    }

    /// What the Secrets say now; none if there is no such Secret any more.
    #[must_use]
    pub fn outcome(&self) -> Option<&CredentialOutcome> {
        self.deciding().map(|spoken| &spoken.judgement.outcome)
    }

    /// What its dates give reason to say.
    #[must_use]
    pub fn warnings(&self) -> &[Finding] {
        self.deciding()
            .map_or(&[][..], |spoken| spoken.judgement.findings.as_slice())
    }

    /// See [`super::Credentials::findings`].
    pub(super) fn findings(&self, name: &CredentialName) -> Vec<Finding> {
        let mut findings = self.warnings().to_vec();
        findings.extend(self.refusal(name));
        findings.extend(self.fallback(name));
        findings
    }

    fn refusal(&self, name: &CredentialName) -> Option<Finding> {
        let (code, message, field) = match self.outcome() {
            Some(CredentialOutcome::Ready(_)) => return None,
            Some(CredentialOutcome::Refused(error)) => {
                let field = self.deciding().and_then(|spoken| spoken.judgement.field.clone());
                (error.code(), error.to_string(), field)
            }
            _ if self.good.is_none() => return None,
            Some(CredentialOutcome::Pending(_)) => {
                let field = self.deciding().map(|spoken| spoken.part.field());
                (Code::Deleted, "its values are empty now".to_owned(), field)
            }
            Some(CredentialOutcome::Ignored(_)) => {
                (Code::Deleted, "it holds no certificate any more".to_owned(), None)
            }
            None if self.is_silent() => (
                Code::Deleted,
                "it holds no such certificates any more".to_owned(),
                None,
            ),
            None => (Code::Deleted, "the Secret is gone".to_owned(), None),
        };
        let served = match self.good {
            Some(_) => "; the last good version is served on",
            None => "",
        };
        Some(Finding {
            severity: Severity::Error,
            code,
            object: self.secret(name),
            field,
            message: format!("{message}{served}"),
        })
    }

    /// Whether the Secret that the good version is of is there, and does not hold it any more.
    fn is_silent(&self) -> bool {
        let voice = if self.good_of_base { &self.base } else { &self.own };
        *voice == Voice::Silent
    }

    fn fallback(&self, name: &CredentialName) -> Option<Finding> {
        let base = self.base.spoken().filter(|_| self.fell_back)?;
        Some(Finding {
            severity: Severity::Warning,
            code: Code::TrustFallback,
            object: base_secret(name),
            field: Some(base.part.field()),
            message: format!(
                "{} is gone: clients are checked against this in its place",
                name.name
            ),
        })
    }

    /// The Secret that speaks for a credential, or spoke for what is served.
    fn secret(&self, name: &CredentialName) -> ObjectRef {
        let is_base = match (self.own.spoken(), self.base.spoken()) {
            (Some(_), _) => false,
            (None, Some(_)) => true,
            (None, None) => self.good_of_base,
        };
        if is_base {
            base_secret(name)
        } else {
            own_secret(name)
        }
    }
}

fn own_secret(name: &CredentialName) -> ObjectRef {
    ObjectRef::new(Kind::Secret, Arc::clone(&name.namespace), Arc::clone(&name.name))
}

fn base_secret(name: &CredentialName) -> ObjectRef {
    let base = name.name.strip_suffix(BUNDLE_SUFFIX).unwrap_or(&name.name);
    ObjectRef::new(Kind::Secret, Arc::clone(&name.namespace), base)
}
