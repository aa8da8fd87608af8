//! The source of a crate as a tree of modules, one per file, and which of them refer to which.
//!
//! Tests are left out: they may use anything that they test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::tokens::{tokens, without_tests};

/// A module's path in its crate; empty for the root.
pub(crate) type Place = Vec<String>;

/// One file.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) path: String,
    /// Imports by `use`, by their local names.
    imports: BTreeMap<String, Place>,
    /// Every path that is used here, from the crate's root.
    paths: BTreeSet<Place>,
}

/// One crate.
#[derive(Debug, Default)]
pub(crate) struct Modules(pub(crate) BTreeMap<Place, Module>);

impl Modules {
    /// Reads the crate whose sources are in `folder`.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let mut modules = Self::default();
        for path in sources(folder)? {
            if let Some(place) = place(path.strip_prefix(folder)?) {
                modules.add(place, &path.to_string_lossy(), &fs::read_to_string(&path)?);
            }
        }
        Ok(modules)
    }

    /// Adds one file.
    pub(crate) fn add(&mut self, place: Place, path: &str, text: &str) {
        let tokens = without_tests(&tokens(text));
        let mut reader = Reader::new(&place, &tokens);
        reader.read();
        let module = Module {
            path: path.to_owned(),
            imports: reader.imports,
            paths: reader.paths,
        };
        self.0.insert(place, module);
    }

    /// The modules that a module refers to. Its own ancestors do not count, because from outside, a module and
    /// everything below it are one unit; what an ancestor only imports or exports is followed to its definition.
    pub(crate) fn named_by<'m>(&'m self, place: &Place) -> BTreeSet<&'m Place> {
        let paths = self.0.get(place).into_iter().flat_map(|module| &module.paths);
        let targets = paths.filter_map(|path| self.target(path, 0));
        targets.filter(|target| !place.starts_with(target)).collect()
    }

    /// The module that a path leads to. `deep` bounds how many imports are followed.
    fn target(&self, path: &[String], deep: usize) -> Option<&Place> {
        let known = |length: &usize| {
            path.get(..*length)
                .is_some_and(|start| self.0.contains_key(start))
        };
        let length = (0..=path.len()).rev().find(known)?;
        let (place, module) = self.0.get_key_value(path.get(..length)?)?;
        let Some((name, rest)) = path.get(length..)?.split_first() else {
            return Some(place);
        };
        match module.imports.get(name) {
            Some(import) if deep < 8 => self.target(&[import, rest].concat(), deep + 1),
            _ => Some(place),
        }
    }
}

/// Every `.rs` file below a folder.
pub(crate) fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(found)
}

/// The module path of a file; none for tests and for programs, which are separate crates.
fn place(file: &Path) -> Option<Place> {
    let file = file.with_extension("");
    let mut names: Place = file
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if names.iter().any(|name| name == "tests") || names.first().is_some_and(|first| first == "bin") {
        return None;
    }
    if names.len() == 1 && matches!(names.first()?.as_str(), "lib" | "main") {
        names.clear();
    }
    Some(names)
}

/// Reads one file.
struct Reader<'t> {
    here: Place,
    imports: BTreeMap<String, Place>,
    paths: BTreeSet<Place>,
    rest: &'t [&'t str],
}

impl<'t> Reader<'t> {
    fn new(place: &Place, tokens: &'t [&'t str]) -> Self {
        Self {
            here: place.clone(),
            imports: BTreeMap::new(),
            paths: BTreeSet::new(),
            rest: tokens,
        }
    }

    fn next(&mut self) -> Option<&'t str> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn take(&mut self, token: &str) -> bool {
        let takes = self.rest.first() == Some(&token);
        if takes {
            self.next();
        }
        takes
    }

    /// Reads everything up to the matching closing brace.
    fn read(&mut self) {
        while let Some(token) = self.next() {
            match token {
                "use" => self.tree(&mut Vec::new()),
                "mod" => self.module(),
                "{" => self.read(),
                "}" => return,
                word if is_word(word) => self.path(word),
                // The rest of a path that does not begin with a name.
                "::" => drop(self.next()),
                _ => {}
            }
        }
    }

    /// Reads an inline module; one in its own file is ignored here.
    fn module(&mut self) {
        let Some(name) = self.next() else { return };
        if self.take("{") {
            self.here.push(name.to_owned());
            self.read();
            self.here.pop();
        }
    }

    fn path(&mut self, first: &str) {
        let mut names = vec![first.to_owned()];
        while let ["::", next, ..] = self.rest {
            if !is_word(next) {
                break;
            }
            names.push((*next).to_owned());
            self.rest = self.rest.get(2..).unwrap_or_default();
        }
        // A single name is not a path to another module.
        if names.len() > 1 {
            self.paths.insert(self.absolute(&names));
        }
    }

    /// Reads what `use` names, after these names.
    fn tree(&mut self, before: &mut Vec<String>) {
        let length = before.len();
        let mut is_name = true;
        while let Some(token) = self.next() {
            match token {
                "::" => {}
                "*" => {
                    self.paths.insert(self.absolute(before));
                    is_name = false;
                }
                "{" => {
                    while !self.take("}") && !self.rest.is_empty() {
                        self.tree(before);
                        self.take(",");
                    }
                    is_name = false;
                }
                name => before.push(name.to_owned()),
            }
            if matches!(self.rest.first(), Some(&("," | "}" | ";" | "as"))) {
                break;
            }
        }
        let renamed = self.take("as").then(|| self.next()).flatten();
        if is_name {
            self.import(before, renamed);
        }
        before.truncate(length);
    }

    fn import(&mut self, names: &[String], renamed: Option<&str>) {
        let names = match names.split_last() {
            Some((last, before)) if last == "self" && !before.is_empty() => before,
            _ => names,
        };
        let Some(last) = names.last() else { return };
        let place = self.absolute(names);
        self.imports
            .insert(renamed.unwrap_or(last).to_owned(), place.clone());
        self.paths.insert(place);
    }

    /// A path from the crate's root; one without any of these keywords may begin with a child.
    fn absolute(&self, names: &[String]) -> Place {
        let mut place = self.here.clone();
        let mut rest = names;
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "crate" => place.clear(),
                "super" => drop(place.pop()),
                "self" => {}
                _ => break,
            }
            rest = others;
        }
        place.extend_from_slice(rest);
        place
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}
