//! `agent/src/valid/generated.rs`: Envoy's checks of messages from the annotations of its protos (protoc-gen-validate),
//! for the messages that the agent makes.

mod fields;
mod messages;
mod names;
mod place;
mod protos;
mod rules;
mod short;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use protox::prost_reflect::{DescriptorPool, Kind, MessageDescriptor};

use self::fields::Fields;
use self::messages::{BY_HAND, MESSAGES};

const FILE: &str = "agent/src/valid/generated.rs";
const HEADER: &str = "\
//! What Envoy's protos ask of the messages that we make. Written by `cargo xtask validators` from the annotations of
//! the crate `envoy-types`; a test holds it to them.
#![expect(deprecated, reason = \"Envoy checks its old fields too\")]

IMPORTS
use super::rule::{self, Span};
use super::{Validity, Located as _, Valid};
use super::{chains, domains, program_size, server_names};
";

/// Writes the file, if it differs.
pub(crate) fn write() -> Result<()> {
    let new = text(&protos::pool(MESSAGES)?)?;
    if fs::read_to_string(FILE).ok().as_ref() != Some(&new) {
        fs::write(FILE, new)?;
    }
    Ok(())
}

fn text(pool: &DescriptorPool) -> Result<String> {
    let messages = MESSAGES
        .iter()
        .map(|name| pool.get_message_by_name(name).context(*name))
        .collect::<Result<Vec<_>>>()?;
    let asking = asking(pool, &messages)?;
    let mut text = HEADER.to_owned();
    for message in &messages {
        text.push_str(&implementation(message, &statements(pool, message, &asking)?));
    }
    let modules = pool
        .all_messages()
        .map(|message| names::module(message.package_name()));
    let (text, imports) = short::shortened(&text, &modules.collect());
    formatted(&text.replace("IMPORTS\n", &format!("{imports}\n")))
}

/// The messages with anything to check, in themselves or in messages below.
fn asking(pool: &DescriptorPool, messages: &[MessageDescriptor]) -> Result<BTreeSet<String>> {
    let mut below = BTreeMap::new();
    let mut asking = BTreeSet::new();
    for message in messages {
        let name = message.full_name().to_owned();
        if !statements(pool, message, &BTreeSet::new())?.is_empty() {
            asking.insert(name.clone());
        }
        below.insert(name, parts(message));
    }
    loop {
        let before = asking.len();
        for (name, parts) in &below {
            if parts.iter().any(|part| asking.contains(part)) {
                asking.insert(name.clone());
            }
        }
        if asking.len() == before {
            return Ok(asking);
        }
    }
}

/// The messages of a message's fields.
fn parts(message: &MessageDescriptor) -> Vec<String> {
    let fields = message.fields().map(|field| match field.kind() {
        Kind::Message(entry) if entry.is_map_entry() => entry.map_entry_value_field().kind(),
        kind => kind,
    });
    fields
        .filter_map(|kind| kind.as_message().map(|message| message.full_name().to_owned()))
        .collect()
}

fn statements(
    pool: &DescriptorPool,
    message: &MessageDescriptor,
    asking: &BTreeSet<String>,
) -> Result<Vec<String>> {
    let extension = |name: &str| {
        pool.all_extensions()
            .find(|own| own.full_name() == name)
            .context("validate.proto lacks an extension")
    };
    let options = message.options();
    for name in ["validate.disabled", "validate.ignored"] {
        ensure!(
            !options.has_extension(&extension(name)?),
            "{} is {name}, which is not known",
            message.full_name()
        );
    }
    let required = pool
        .all_extensions()
        .find(|own| own.full_name() == "validate.required");
    let fields = Fields {
        rules: extension("validate.rules")?,
        required: required.context("validate.required")?,
        is_checked: &|name| asking.contains(name),
    };
    let mut statements = Vec::new();
    for field in message.fields() {
        if field.containing_oneof().is_none_or(|oneof| oneof.is_synthetic()) {
            statements.extend(fields.field(&field)?);
        }
    }
    for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
        statements.extend(fields.oneof(&oneof)?);
    }
    let by_hand = BY_HAND.iter().filter(|(name, _)| *name == message.full_name());
    statements.extend(by_hand.map(|(_, check)| format!("{check}(self)?;")));
    Ok(statements)
}

fn implementation(message: &MessageDescriptor, statements: &[String]) -> String {
    let name = names::message(message);
    if statements.is_empty() {
        return format!("\nimpl Valid for {name} {{}}\n");
    }
    format!(
        "\nimpl Valid for {name} {{\nfn valid(&self) -> Validity {{\n{}\nOk(())\n}}\n}}\n",
        statements.join("\n")
    )
}

/// Formatted by rustfmt.
fn formatted(text: &str) -> Result<String> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path", "rustfmt.toml"])
        .current_dir(crate::root()?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("rustfmt")?;
    let mut input = rustfmt.stdin.take().context("rustfmt reads nothing")?;
    input.write_all(text.as_bytes())?;
    drop(input);
    let output = rustfmt.wait_with_output()?;
    ensure!(output.status.success(), "rustfmt: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests;
