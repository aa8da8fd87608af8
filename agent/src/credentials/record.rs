//! One credential as it stands.

use std::sync::Arc;

use sealgate_model::{BUNDLE_SUFFIX, Code, CredentialName, Finding, Kind, ObjectRef, Severity};
use time::OffsetDateTime;

use super::HeldCredential;
use crate::credential::{Credential, CredentialOutcome, CredentialPolicy, DateVerdict, Part};

/// The namespaces whose Gateways may name a credential.
pub type AllowedNamespaces = Arc<[Arc<str>]>;

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
    /// Of a bundle: the version that its own Secret provided last, until another one is trusted without a word.
    own_version: Option<String>,
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
    /// It is there, and cannot be read now; what it said before, if this agent has heard it.
    Unread(Option<Box<Spoken>>),
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
            Self::Says(spoken) | Self::Unread(Some(spoken)) => Some(spoken),
            Self::Gone | Self::Silent | Self::Unread(None) => None,
        }
    }

    /// Whether its word counts, also where nobody can read it.
    fn counts(&self) -> bool {
        matches!(self, Self::Says(_) | Self::Unread(_))
    }

    /// The first of two that says something.
    pub(super) fn or(self, other: Self) -> Self {
        match self {
            Self::Says(_) | Self::Unread(_) => self,
            Self::Gone | Self::Silent => other,
        }
    }

    /// It cannot be read any more. What held nothing of the kind is not taken to hold it now.
    fn unread(&mut self) {
        *self = match std::mem::take(self) {
            Self::Gone => Self::Unread(None),
            Self::Silent => Self::Silent,
            Self::Says(spoken) => Self::Unread(Some(spoken)),
            Self::Unread(spoken) => Self::Unread(spoken),
        };
    }

    fn judge(&mut self, secret: &ObjectRef, policy: &CredentialPolicy) {
        if let Self::Says(spoken) | Self::Unread(Some(spoken)) = self {
            spoken.judgement = spoken.part.judge(secret, policy);
        }
    }
}

impl CredentialRecord {
    pub(super) fn set_own(&mut self, own: Voice) {
        self.fell_back &= !own.counts();
        self.own = own;
    }

    pub(super) fn set_own_unread(&mut self) {
        self.own.unread();
        self.fell_back &= !self.own.counts();
    }

    /// Where nothing is served of it either, it is as if it were not there.
    pub(super) fn set_base_unread(&mut self) {
        if self.base.counts() || (self.good.is_some() && self.good_of_base) {
            self.base.unread();
        }
    }

    pub(super) fn set_base(&mut self, base: Voice, allowed: Option<AllowedNamespaces>) {
        let part = |voice: &Voice| voice.spoken().map(|spoken| spoken.part.clone());
        if self.fell_back && part(&self.base) != part(&base) {
            self.fell_back = false;
            self.own_version = None;
        }
        self.base = base;
        if !self.own.counts() {
            self.allow(allowed);
        }
    }

    /// A Secret that is gone takes nothing back: its last good version is served on.
    pub(super) fn allow(&mut self, namespaces: Option<AllowedNamespaces>) {
        self.allowed = namespaces.or(self.allowed.take());
    }

    /// The namespaces whose Gateways may name it, as its Secret said last; none before that was read.
    #[must_use]
    pub fn allowed(&self) -> Option<&AllowedNamespaces> {
        self.allowed.as_ref()
    }

    /// Judges it anew, because a date has passed.
    pub(super) fn judge(&mut self, name: &CredentialName, policy: &CredentialPolicy) {
        self.own.judge(&own_secret(name), policy);
        self.base.judge(&base_secret(name), policy);
    }

    fn judgements(&self) -> impl Iterator<Item = &DateVerdict> {
        let spoken = [self.own.spoken(), self.base.spoken()].into_iter().flatten();
        spoken.map(|spoken| &spoken.judgement)
    }

    /// When a date passes next.
    pub(super) fn until(&self) -> Option<OffsetDateTime> {
        self.judgements().filter_map(|judgement| judgement.until).min()
    }

    /// When a date passed last.
    pub(super) fn since(&self) -> Option<OffsetDateTime> {
        self.judgements().filter_map(|judgement| judgement.since).max()
    }

    /// What is good now is the last good version.
    pub(super) fn keep_good(&mut self) {
        let Some(CredentialOutcome::Ready(credential)) = self.outcome() else {
            return;
        };
        let credential = Arc::clone(credential);
        self.good_of_base = !self.own.counts();
        self.note_version(&credential);
        self.good = Some(credential);
    }

    /// Whether this is trusted in the place of what its own Secret provided.
    fn note_version(&mut self, credential: &Credential) {
        let Credential::TrustBundle(_) = credential else {
            return;
        };
        let version = credential.version();
        if !self.good_of_base {
            self.own_version = Some(version);
        } else if self.own_version.as_ref().is_some_and(|own| *own != version) {
            self.fell_back = true;
        } else {
            self.own_version = None;
        }
    }

    /// See [`super::Credentials::own_version`].
    pub(super) fn own_version(&self) -> Option<&String> {
        self.own_version.as_ref()
    }

    /// An agent before this one knew this version of its own Secret.
    pub(super) fn set_own_version(&mut self, version: Option<String>) {
        self.own_version = version;
    }

    /// See [`super::Credentials::held`].
    pub(super) fn held(&self) -> Option<HeldCredential> {
        let good = self.good.as_ref()?;
        let is_provided = matches!(self.outcome(), Some(CredentialOutcome::Ready(_)));
        (!is_provided || self.is_unread()).then(|| HeldCredential {
            credential: Arc::clone(good),
            of_base: self.good_of_base,
            allowed: self.allowed.clone(),
        })
    }

    pub(super) fn remember(&mut self, good: Arc<Credential>, of_base: bool) {
        self.good_of_base = of_base;
        if !of_base {
            self.note_version(&good);
        }
        self.good = Some(good);
    }

    pub(super) fn forget_good(&mut self) {
        self.good = None;
        self.good_of_base = false;
        self.own_version = None;
    }

    /// Whether there is nothing that anybody may want to know of it.
    pub(super) fn is_void(&self) -> bool {
        self.outcome().is_none() && self.good.is_none() && !self.own.counts()
    }

    /// Whether its Secret is there, and cannot be read now.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        matches!(self.speaker(), Voice::Unread(_))
    }

    /// Whether a version is held that no Secret provides or means to replace.
    pub(super) fn is_unclaimed(&self) -> bool {
        use CredentialOutcome::{Ready, Refused};
        let is_claimed = self.is_unread() || matches!(self.outcome(), Some(Ready(_) | Refused(_)));
        self.good.is_some() && !is_claimed
    }

    /// The Secrets that say something of it.
    pub(super) fn secrets(&self, name: &CredentialName) -> impl Iterator<Item = ObjectRef> {
        let own = self.own.counts().then(|| own_secret(name));
        own.into_iter()
            .chain(self.base.counts().then(|| base_secret(name)))
    }

    /// Whose word counts. While a bundle has a Secret of its own, be it bad, the other one is not asked: that would trust
    /// whom its author has ceased to trust.
    fn speaker(&self) -> &Voice {
        if self.own.counts() { &self.own } else { &self.base }
    }

    fn deciding(&self) -> Option<&Spoken> {
        self.speaker().spoken()
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
            // Why it cannot be read is said of the file, or of the Secret.
            None if self.is_unread() => return None,
            None if self.is_silent() => (
                Code::Deleted,
                "it no longer has these certificates".to_owned(),
                None,
            ),
            None => (Code::Deleted, "the Secret was deleted".to_owned(), None),
        };
        let served = match self.good {
            Some(_) => "; the last good version stays in use",
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
                "{} was deleted: clients are verified against this bundle instead",
                name.name
            ),
        })
    }

    /// The Secret that speaks for a credential, or spoke for what is served.
    fn secret(&self, name: &CredentialName) -> ObjectRef {
        let is_base = match (self.own.counts(), self.base.counts()) {
            (true, _) => false,
            (false, true) => true,
            (false, false) => self.good_of_base,
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
