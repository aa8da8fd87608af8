//! What the page's script calls: the desk, in the types of the browser.

use wasm_bindgen::prelude::{JsError, wasm_bindgen};

use crate::desk::Desk;
use crate::error::DeskError;
use crate::shown;

/// A gateway to be asked, and what an edit would make of it.
#[wasm_bindgen]
#[derive(Default)]
pub struct Explorer(Desk);

/// What the page gets: an answer, or an exception that says why not.
type Thrown<T> = Result<T, JsError>;

fn thrown<T>(answer: Result<T, DeskError>) -> Thrown<T> {
    Ok(answer?)
}

#[wasm_bindgen]
impl Explorer {
    /// An empty one.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes manifests, and the flags of an agent as JSON (`{}` for the defaults).
    ///
    /// # Errors
    /// The flags are none.
    pub fn manifests(&mut self, text: &str, options: &str) -> Thrown<()> {
        thrown(self.0.manifests(text, options))
    }

    /// Takes whole lines of an agent's `/api/objects`; says whether the last one was among them.
    ///
    /// # Errors
    /// They are no such lines.
    pub fn lines(&mut self, text: &str) -> Thrown<bool> {
        thrown(self.0.lines(text))
    }

    /// The state that the lines were of.
    #[must_use]
    pub fn generation(&self) -> Option<f64> {
        // A double holds it for longer than any agent runs.
        self.0.generation().map(|generation| generation as f64)
    }

    /// How many objects, hosts and rules there are.
    ///
    /// # Errors
    /// There is nothing yet.
    pub fn summary(&self) -> Thrown<String> {
        thrown(self.0.summary())
    }

    /// What is wrong or doubtful, the worst first.
    ///
    /// # Errors
    /// There is nothing yet.
    pub fn findings(&self) -> Thrown<String> {
        thrown(self.0.findings())
    }

    /// The Gateways with their servers.
    ///
    /// # Errors
    /// There is nothing yet.
    pub fn gateways(&self) -> Thrown<String> {
        thrown(self.0.gateways())
    }

    /// All hosts.
    ///
    /// # Errors
    /// There is nothing yet.
    pub fn hosts(&self) -> Thrown<String> {
        thrown(self.0.hosts())
    }

    /// The rules of a host, in the order in which they are tried.
    ///
    /// # Errors
    /// There is nothing yet.
    pub fn rules(&self, port: u16, domain: &str) -> Thrown<String> {
        thrown(self.0.rules(port, domain))
    }

    /// Why a request goes where it goes; with the edits, if `edited`.
    ///
    /// # Errors
    /// It is no request.
    pub fn ask(&self, request: &str, edited: bool) -> Thrown<String> {
        thrown(self.0.ask(request, edited))
    }

    /// A line of `explain --batch`.
    ///
    /// # Errors
    /// It is none.
    pub fn line(&self, question: &str) -> Thrown<String> {
        thrown(self.0.line(question))
    }

    /// What these manifests would change, and the removal of objects (a list of `Kind namespace/name`).
    ///
    /// # Errors
    /// There is nothing yet.
    pub fn edit(&mut self, manifests: &str, removed: &str) -> Thrown<String> {
        thrown(self.0.edit(manifests, removed))
    }

    /// The names of all objects, as [`Explorer::object`] takes them.
    ///
    /// # Errors
    /// There is nothing yet.
    pub fn names(&self) -> Thrown<String> {
        thrown(self.0.names())
    }

    /// An object as it is served, as a manifest.
    ///
    /// # Errors
    /// There is none.
    pub fn object(&self, name: &str) -> Thrown<String> {
        thrown(self.0.object(name))
    }
}

/// The line of a field in a manifest, from 1.
#[wasm_bindgen(js_name = lineOf)]
#[must_use]
pub fn line_of(manifest: &str, field: &str) -> Option<u32> {
    let line = sealgate_model::preview::line_of(manifest, field)?;
    u32::try_from(line).ok()
}

/// What each code of a finding means, and what to do, as JSON.
///
/// # Errors
/// None that can happen.
#[wasm_bindgen]
pub fn codes() -> Thrown<String> {
    thrown(shown::codes())
}
