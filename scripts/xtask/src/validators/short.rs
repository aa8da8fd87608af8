//! Short names for the modules of packages, to keep lines short.

use std::collections::{BTreeMap, BTreeSet};

/// Names that already mean something else.
const TAKEN: [&str; 2] = ["core", "type"];

/// `text` with short names in place of modules, and the imports.
pub(super) fn shortened(text: &str, modules: &BTreeSet<String>) -> (String, String) {
    let used: Vec<_> = modules
        .iter()
        .filter(|module| text.contains(&format!(" {module}::")) || text.contains(&format!("({module}::")))
        .collect();
    let mut aliases: BTreeMap<&str, usize> = used.iter().map(|module| (module.as_str(), 1)).collect();
    loop {
        let names: Vec<_> = aliases
            .iter()
            .map(|(module, parts)| alias(module, *parts))
            .collect();
        let twice = |name: &String| {
            TAKEN.contains(&name.as_str()) || names.iter().filter(|other| *other == name).count() > 1
        };
        if !names.iter().any(twice) {
            break;
        }
        let longer: Vec<_> = names.iter().map(twice).collect();
        for ((_, parts), is_longer) in aliases.iter_mut().zip(longer) {
            *parts += usize::from(is_longer);
        }
    }
    let (mut text, mut imports) = (text.to_owned(), String::new());
    for (module, parts) in aliases {
        let name = alias(module, parts);
        text = text.replace(&format!("{module}::"), &format!("{name}::"));
        imports.push_str(&format!("use envoy_types::pb::{module} as {name};\n"));
    }
    (text, imports)
}

/// The last parts of a module's path, without its version.
fn alias(module: &str, parts: usize) -> String {
    let parts_of: Vec<_> = module
        .split("::")
        .filter(|part| *part != "v3")
        .map(|part| part.trim_start_matches("r#"))
        .collect();
    parts_of[parts_of.len().saturating_sub(parts)..].join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_as_long_as_it_has_to_be() {
        let modules = ["a::core::v3", "b::core::v3", "a::route::v3", "a::unused::v3"];
        let modules = modules.map(str::to_owned).into();
        let (text, imports) = shortened("for a::core::v3::X (b::core::v3::Y) a::route::v3::Z", &modules);
        assert_eq!(text, "for a_core::X (b_core::Y) route::Z");
        assert_eq!(imports.lines().count(), 3, "{imports}");
    }
}
