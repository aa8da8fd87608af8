//! Prost's names in Rust.

use heck::{ToSnakeCase as _, ToUpperCamelCase as _};
use protox::prost_reflect::{EnumDescriptor, FieldDescriptor, MessageDescriptor, OneofDescriptor};

/// Rust's keywords that protos use.
const KEYWORDS: [&str; 8] = ["type", "match", "ref", "in", "use", "where", "move", "static"];

pub(super) fn message(message: &MessageDescriptor) -> String {
    path(message.package_name(), message.full_name())
}

pub(super) fn enumeration(of: &EnumDescriptor) -> String {
    path(of.package_name(), of.full_name())
}

/// The enum of a oneof is in the module of its message.
pub(super) fn oneof(of: &OneofDescriptor) -> String {
    let own = message(of.parent_message());
    let (module, name) = own.rsplit_once("::").unwrap_or(("", &own));
    format!(
        "{module}::{}::{}",
        word(&name.to_snake_case()),
        of.name().to_upper_camel_case()
    )
}

pub(super) fn variant(field: &FieldDescriptor) -> String {
    field.name().to_upper_camel_case()
}

/// A field of a struct.
pub(super) fn member(name: &str) -> String {
    word(&name.to_snake_case())
}

/// The module of a package.
pub(super) fn module(package: &str) -> String {
    let parts = package.split('.').map(|part| word(&part.to_snake_case()));
    parts.collect::<Vec<_>>().join("::")
}

fn path(package: &str, full_name: &str) -> String {
    let own = full_name.trim_start_matches(package).trim_start_matches('.');
    let (parents, name) = own.rsplit_once('.').unwrap_or(("", own));
    let parents = parents.split('.').filter(|part| !part.is_empty());
    [module(package)]
        .into_iter()
        .chain(parents.map(|part| word(&part.to_snake_case())))
        .chain([name.to_upper_camel_case()])
        .collect::<Vec<_>>()
        .join("::")
}

fn word(name: &str) -> String {
    if KEYWORDS.contains(&name) {
        format!("r#{name}")
    } else {
        name.to_owned()
    }
}
