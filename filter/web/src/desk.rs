//! The gateway that the page asks about, from pasted manifests or a running agent, and an edited version of it.

use std::collections::BTreeSet;

use sealgate_core::explain::Question;
use sealgate_model::line::ObjectLine;
use sealgate_model::preview::{GatewayOptions, Preview, TableReader};
use sealgate_model::{Kind, ObjectRef};
use serde::Serialize;

use crate::answer;
use crate::error::DeskError;
use crate::shown::{EditSummary, FindingJson, Summary};

/// See the module.
#[derive(Debug, Default)]
pub struct Desk {
    pasted: Option<Preview>,
    agent: TableReader,
    edited: Option<Preview>,
}

fn json(value: &impl Serialize) -> Result<String, DeskError> {
    Ok(serde_json::to_string(value)?)
}

impl Desk {
    /// Takes manifests, and the flags of an agent as JSON.
    ///
    /// # Errors
    /// There are no objects yet, or the input cannot be read.
    pub fn manifests(&mut self, text: &str, options: &str) -> Result<(), DeskError> {
        let options: GatewayOptions = serde_json::from_str(options)?;
        self.pasted = Some(Preview::of_manifests(text, &options)?);
        self.edited = None;
        Ok(())
    }

    /// Takes whole lines of an agent's table; says whether the last one was among them.
    ///
    /// # Errors
    /// There are no objects yet, or the input cannot be read.
    pub fn lines(&mut self, text: &str) -> Result<bool, DeskError> {
        let before = self.agent.generation();
        let mut is_whole = false;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            is_whole |= self.agent.take(line)?;
        }
        if is_whole {
            let is_other = self.pasted.take().is_some() || self.agent.generation() != before;
            // An edit is dropped when the state that it was based on changes.
            if is_other {
                self.edited = None;
            }
        }
        Ok(is_whole)
    }

    /// The number of the state that the lines describe.
    #[must_use]
    pub fn generation(&self) -> Option<u64> {
        self.agent.generation()
    }

    /// The gateway without the edit.
    fn base(&self) -> Result<&Preview, DeskError> {
        let base = self.pasted.as_ref().or_else(|| self.agent.preview());
        base.ok_or(DeskError::Nothing)
    }

    fn preview(&self, edited: bool) -> Result<&Preview, DeskError> {
        match &self.edited {
            Some(trial) if edited => Ok(trial),
            _ => self.base(),
        }
    }

    /// The number of objects, hosts and rules.
    ///
    /// # Errors
    /// There are no objects yet, or the input cannot be read.
    pub fn summary(&self) -> Result<String, DeskError> {
        json(&Summary::new(self.base()?))
    }

    /// The findings, the worst first.
    ///
    /// # Errors
    /// There are no objects yet, or the input cannot be read.
    pub fn findings(&self) -> Result<String, DeskError> {
        json(&FindingJson::all(&self.base()?.findings()))
    }

    /// The Gateways with their servers.
    ///
    /// # Errors
    /// There are no objects yet, or the input cannot be read.
    pub fn gateways(&self) -> Result<String, DeskError> {
        json(&self.base()?.gateways())
    }

    /// All hosts.
    ///
    /// # Errors
    /// There are no objects yet, or the input cannot be read.
    pub fn hosts(&self) -> Result<String, DeskError> {
        json(&self.base()?.hosts())
    }

    /// The rules of a host, in the order in which they are tried.
    ///
    /// # Errors
    /// There are no objects yet, or the input cannot be read.
    pub fn rules(&self, port: u16, domain: &str) -> Result<String, DeskError> {
        json(&self.base()?.rules(port, domain))
    }

    /// Explains where a request goes; with the edits, if `edited`.
    ///
    /// # Errors
    /// There are no objects yet, or the input cannot be read.
    pub fn ask(&self, request: &str, edited: bool) -> Result<String, DeskError> {
        let request = serde_json::from_str(request)?;
        json(&answer::answer(self.preview(edited)?, &request)?)
    }

    /// Answers a line of `explain --batch`.
    ///
    /// # Errors
    /// There are no objects yet, or the input cannot be read.
    pub fn line(&self, question: &str) -> Result<String, DeskError> {
        let question: Question = serde_json::from_str(question)?;
        json(&self.base()?.served_host(&question).line(&question)?)
    }

    /// What changes with these manifests, and without the `removed` objects (a list of `Kind namespace/name`).
    ///
    /// # Errors
    /// There are no objects yet, or the input cannot be read.
    pub fn edit(&mut self, manifests: &str, removed: &str) -> Result<String, DeskError> {
        let removed: Vec<String> = serde_json::from_str(removed)?;
        let removed: BTreeSet<_> = removed.iter().filter_map(|name| named(name)).collect();
        let base = self.base()?;
        let entries = base.read("edit", manifests);
        let secrets = entries.iter().any(|entry| entry.object_ref.kind == Kind::Secret);
        let edited = base.with_edits(entries, &removed);
        let summary = EditSummary::new(base, &edited, secrets);
        self.edited = Some(edited);
        json(&summary)
    }

    /// The names of all objects, as [`Self::object`] takes them.
    ///
    /// # Errors
    /// There are no objects yet.
    pub fn names(&self) -> Result<String, DeskError> {
        let names = self.base()?.names().map(|name| name.to_string());
        json(&names.collect::<Vec<_>>())
    }

    /// A served object, as a manifest.
    ///
    /// # Errors
    /// There are no objects yet, or the input cannot be read.
    pub fn object(&self, name: &str) -> Result<String, DeskError> {
        let missing = || DeskError::NoObject(name.to_owned());
        let object = named(name).ok_or_else(missing)?;
        let object = self.base()?.object(&object).ok_or_else(missing)?;
        let line = ObjectLine::new(object).ok_or_else(missing)?;
        serde_saphyr::to_string(&line.compact().manifest())
            .map_err(|error| DeskError::Yaml(error.to_string()))
    }
}

/// `Kind namespace/name`.
fn named(text: &str) -> Option<ObjectRef> {
    let (kind, name) = text.split_once(' ')?;
    let (namespace, name) = name.split_once('/')?;
    Some(ObjectRef::new(Kind::named(kind)?, namespace, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: &str = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: edge, namespace: istio-system}\nspec:\n  \
        selector: {istio: ingressgateway}\n  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*.example']}]\n";

    fn table(generation: u64, since: Option<u64>) -> String {
        let begin =
            serde_json::json!({ "begin": { "generation": generation, "since": since, "options": {} } });
        format!("{begin}\n{{\"end\":2}}\n")
    }

    #[test]
    fn an_edit_says_whether_it_has_a_secret() {
        let mut desk = Desk::default();
        assert!(desk.lines(&table(1, None)).unwrap());
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: edge, namespace: istio-system}\n";
        for (text, has_secret) in [
            (GATEWAY.to_owned(), false),
            (format!("{GATEWAY}---\n{secret}"), true),
        ] {
            let summary = desk.edit(&text, "[]").unwrap();
            let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
            assert_eq!(summary["secrets"], has_secret, "{text}");
        }
    }

    #[test]
    fn what_was_tried_stays_while_nothing_changes() {
        let mut desk = Desk::default();
        assert!(desk.lines(&table(1, None)).unwrap());
        desk.edit(GATEWAY, "[]").unwrap();
        let tried = |desk: &Desk| desk.preview(true).unwrap().gateways().len();
        assert_eq!((tried(&desk), desk.base().unwrap().gateways().len()), (1, 0));
        assert!(desk.lines(&table(1, Some(1))).unwrap());
        assert_eq!(tried(&desk), 1, "nothing changed");
        assert!(desk.lines(&table(2, Some(1))).unwrap());
        assert_eq!(tried(&desk), 0, "it was tried on something else");
    }
}
