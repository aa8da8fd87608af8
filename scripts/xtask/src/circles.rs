//! Checks that there are no import cycles: if a module needs another one, the other must not need it.
//!
//! A cycle: a file names something in another file of its crate, by `use` or in place, and so on back to the first. Not
//! counted: a module that uses definitions of its parents (and theirs). A folder and the file of its name are one unit;
//! siblings and cousins are not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;

use crate::modules::{Modules, Place};

/// The sources of each crate.
const CRATES: [&str; 7] = [
    "filter/core/src",
    "filter/src",
    "filter/web/src",
    "agent/model/src",
    "agent/src",
    "tests/src",
    "scripts/xtask/src",
];

/// The violations, as text.
pub(crate) fn check() -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for folder in CRATES {
        let found = circles(&Modules::read(Path::new(folder))?);
        wrong.extend(found.iter().map(named));
    }
    Ok(wrong)
}

fn named(circle: &BTreeSet<String>) -> String {
    let files: Vec<&str> = circle.iter().map(String::as_str).collect();
    format!("a circle of imports: {}", files.join(", "))
}

/// The cycles of a crate, each as its modules: those that can be reached from themselves.
fn circles(modules: &Modules) -> Vec<BTreeSet<String>> {
    let graph: BTreeMap<&Place, BTreeSet<&Place>> = modules
        .0
        .keys()
        .map(|place| (place, modules.named_by(place)))
        .collect();
    let reached: BTreeMap<&Place, BTreeSet<&Place>> =
        graph.keys().map(|place| (*place, reach(&graph, place))).collect();
    let meets = |one: &Place, other: &Place| {
        let reaches =
            |from: &Place, to: &Place| reached.get(from).is_some_and(|reached| reached.contains(to));
        reaches(one, other) && reaches(other, one)
    };
    let mut circles = BTreeSet::new();
    for place in graph.keys() {
        let members = graph.keys().filter(|other| meets(place, other));
        let files: BTreeSet<String> = members.map(|member| modules.0[*member].path.clone()).collect();
        if files.len() > 1 {
            circles.insert(files);
        }
    }
    circles.into_iter().collect()
}

/// Everything that can be reached from a module, which includes the module itself if there is a cycle.
fn reach<'m>(graph: &BTreeMap<&'m Place, BTreeSet<&'m Place>>, from: &Place) -> BTreeSet<&'m Place> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&Place> = graph[from].iter().copied().collect();
    while let Some(place) = next.pop() {
        if reached.insert(place) {
            next.extend(&graph[place]);
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crate of these files, by their modules' names.
    fn found(files: &[(&str, &str)]) -> Vec<BTreeSet<String>> {
        let mut modules = Modules::default();
        for (name, text) in files {
            let place = name.split('/').filter(|part| !part.is_empty()).map(str::to_owned);
            modules.add(place.collect(), name, text);
        }
        circles(&modules)
    }

    #[test]
    fn siblings_that_name_each_other_are_a_circle() {
        let root = ("", "mod a; mod b; mod c;");
        let circle = [
            root,
            ("a", "use crate::b::B; pub struct A;"),
            ("b", "pub struct B; fn b() { super::c::c() }"),
            ("c", "use super::a; pub fn c() -> a::A { a::A }"),
        ];
        assert_eq!(found(&circle), [["a", "b", "c"].map(str::to_owned).into()]);
        let without = [root, circle[1], circle[2], ("c", "pub fn c() {}")];
        assert!(found(&without).is_empty());
    }

    #[test]
    fn a_folder_and_the_file_beside_it_are_one_thing() {
        let fine = [
            ("", "mod a;"),
            (
                "a",
                "mod b; mod c; pub use self::b::B; pub struct A; fn a() { c::c() }",
            ),
            ("a/b", "use super::A; pub struct B;"),
            ("a/c", "use super::B; use crate::a::A; pub fn c() {}"),
        ];
        assert!(found(&fine).is_empty());
    }

    #[test]
    fn what_a_parent_merely_exports_is_where_it_is() {
        let circle = [
            ("", "mod a;"),
            ("a", "mod b; mod c; pub use self::b::B;"),
            ("a/b", "use super::c::C; pub struct B;"),
            ("a/c", "use super::B; pub struct C;"),
        ];
        assert_eq!(found(&circle), [["a/b", "a/c"].map(str::to_owned).into()]);
    }

    #[test]
    fn a_circle_by_way_of_a_child_is_one_too() {
        let circle = [
            ("", "mod a; mod x;"),
            ("a", "mod b; pub struct A; fn a() { b::b() }"),
            ("a/b", "pub fn b() { crate::x::x() }"),
            ("x", "use crate::a::A; pub fn x() {}"),
        ];
        assert_eq!(found(&circle), [["a", "a/b", "x"].map(str::to_owned).into()]);
    }

    #[test]
    fn tests_may_look_at_everything() {
        let fine = [
            ("", "mod a; mod b;"),
            ("a", "pub struct A; #[cfg(test)] mod tests { use crate::b::B; }"),
            ("b", "use crate::a::A; pub struct B;"),
        ];
        assert!(found(&fine).is_empty());
    }
}
