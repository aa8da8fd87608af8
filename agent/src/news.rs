//! What there is to say as it happens: each refusal and doubt once, and that it is over.

use std::collections::BTreeSet;

use sealgate_model::{Finding, ObjectRef, Severity};

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Something is refused or doubtful now.
    Found(Finding),
    /// What was said of this object is no longer so.
    Good(ObjectRef),
}

impl News {
    /// Says it in the log.
    pub fn log(&self) {
        match self {
            Self::Found(finding) => match finding.severity {
                Severity::Error => tracing::error!(code = finding.code.as_str(), "{finding}"),
                Severity::Warning => tracing::warn!(code = finding.code.as_str(), "{finding}"),
                Severity::Info => tracing::info!(code = finding.code.as_str(), "{finding}"),
            },
            Self::Good(object) => tracing::info!("{object}: good again"),
        }
    }
}

/// What is new of one object.
#[must_use]
pub fn of_object(object: &ObjectRef, old: &[Finding], new: &[Finding]) -> Vec<News> {
    let found = new
        .iter()
        .filter(|finding| !old.contains(finding))
        .cloned()
        .map(News::Found);
    let good = (!old.is_empty() && new.is_empty()).then(|| News::Good(object.clone()));
    found.chain(good).collect()
}

/// What is new of all objects.
#[must_use]
pub fn of_all(old: &[Finding], new: &[Finding]) -> Vec<News> {
    let said: BTreeSet<&Finding> = old.iter().collect();
    let found = new.iter().filter(|finding| !said.contains(finding));
    let found = found.cloned().map(News::Found);
    let objects = |findings: &'_ [Finding]| -> BTreeSet<ObjectRef> {
        findings.iter().map(|finding| finding.object.clone()).collect()
    };
    let (before, bad) = (objects(old), objects(new));
    found
        .chain(before.difference(&bad).cloned().map(News::Good))
        .collect()
}

#[cfg(test)]
mod tests {
    use sealgate_model::{Code, Kind};

    use super::*;

    #[test]
    fn each_thing_is_said_once_and_that_it_is_over() {
        let object = ObjectRef::new(Kind::Gateway, "gw", "a");
        let finding = |code| Finding {
            severity: Severity::Error,
            code,
            object: object.clone(),
            field: None,
            message: String::new(),
        };
        let (a, b) = (finding(Code::BadHost), finding(Code::NoHosts));
        let both = [a.clone(), b.clone()];
        assert_eq!(of_object(&object, &[], &both), both.clone().map(News::Found));
        assert_eq!(of_object(&object, &both, &both), []);
        assert_eq!(of_object(&object, &both, std::slice::from_ref(&a)), []);
        assert_eq!(of_object(&object, &[a], &[]), [News::Good(object.clone())]);
        assert_eq!(of_all(&both, &[]), [News::Good(object.clone())]);
        assert_eq!(of_all(std::slice::from_ref(&b), std::slice::from_ref(&b)), []);
    }
}
