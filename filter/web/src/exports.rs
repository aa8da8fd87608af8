//! The functions that the page's script calls: the desk, with the browser's types.

use wasm_bindgen::prelude::{JsError, wasm_bindgen};

use crate::desk::Desk;
use crate::error::DeskError;
use crate::shown;

/// The gateway that the page asks about, and an edited version of it.
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
    /// The flags are invalid.
    pub fn manifests(&mut self, text: &str, options: &str) -> Thrown<()> {
        thrown(self.0.manifests(text, options))
    }

    /// Takes whole lines of an agent's `/api/objects`; says whether the last one was among them.
    ///
    /// # Errors
    /// They are not such lines.
    pub fn lines(&mut self, text: &str) -> Thrown<bool> {
        thrown(self.0.lines(text))
    }

    /// The number of the state that the lines describe.
    #[must_use]
    pub fn generation(&self) -> Option<f64> {
        // A double is exact for all states that an agent can reach.
        self.0.generation().map(|generation| generation as f64)
    }

    /// How many objects, hosts and rules there are.
    ///
    /// # Errors
    /// There are no objects yet.
    pub fn summary(&self) -> Thrown<String> {
        thrown(self.0.summary())
    }

    /// The findings, the worst first.
    ///
    /// # Errors
    /// There are no objects yet.
    pub fn findings(&self) -> Thrown<String> {
        thrown(self.0.findings())
    }

    /// The Gateways with their servers.
    ///
    /// # Errors
    /// There are no objects yet.
    pub fn gateways(&self) -> Thrown<String> {
        thrown(self.0.gateways())
    }

    /// All hosts.
    ///
    /// # Errors
    /// There are no objects yet.
    pub fn hosts(&self) -> Thrown<String> {
        thrown(self.0.hosts())
    }

    /// The rules of a host, in the order in which they are tried.
    ///
    /// # Errors
    /// There are no objects yet.
    pub fn rules(&self, port: u16, domain: &str) -> Thrown<String> {
        thrown(self.0.rules(port, domain))
    }

    /// Explains where a request goes; with the edits, if `edited`.
    ///
    /// # Errors
    /// It is not a valid request.
    pub fn ask(&self, request: &str, edited: bool) -> Thrown<String> {
        thrown(self.0.ask(request, edited))
    }

    /// Answers a line of `explain --batch`.
    ///
    /// # Errors
    /// It is not a valid line.
    pub fn line(&self, question: &str) -> Thrown<String> {
        thrown(self.0.line(question))
    }

    /// What changes with these manifests, and without the `removed` objects (a list of `Kind namespace/name`).
    ///
    /// # Errors
    /// There are no objects yet.
    pub fn edit(&mut self, manifests: &str, removed: &str) -> Thrown<String> {
        thrown(self.0.edit(manifests, removed))
    }

    /// The names of all objects, as [`Explorer::object`] takes them.
    ///
    /// # Errors
    /// There are no objects yet.
    pub fn names(&self) -> Thrown<String> {
        thrown(self.0.names())
    }

    /// A served object, as a manifest.
    ///
    /// # Errors
    /// There is no such object.
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
