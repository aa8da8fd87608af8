//! Converts the rules of a value to statements that check it. Unknown rules are errors.

use anyhow::{Context as _, Result, bail, ensure};
use protox::prost_reflect::{DynamicMessage, FieldDescriptor, Kind, Value};

use super::{names, place::Place};

/// The rules that a `FieldRules` has set, by name: `string`, `message`, `repeated` and so on.
pub(super) fn kinds(rules: Option<&DynamicMessage>) -> Result<Vec<(String, DynamicMessage)>> {
    let set = rules.into_iter().flat_map(DynamicMessage::fields);
    set.map(|(field, value)| {
        let inner = value.as_message().context("rules are messages")?;
        Ok((field.name().to_owned(), inner.clone()))
    })
    .collect()
}

/// Whether a rule of this name is set to true.
pub(super) fn is_set(rules: &DynamicMessage, name: &str) -> bool {
    rules
        .get_field_by_name(name)
        .is_some_and(|value| value.as_bool() == Some(true))
}

/// The checks of one value: a field, an item or the contents of a wrapper.
pub(super) fn of_value(
    kind: &str,
    rules: &DynamicMessage,
    field: &FieldDescriptor,
    place: Place<'_>,
) -> Result<Vec<String>> {
    let checks = match kind {
        "string" => of_text(rules, place),
        "bytes" => of_bytes(rules, place),
        "enum" => of_enum(rules, field, place),
        "bool" => each(rules, |name, value| match name {
            "const" => Some(format!("rule::is({}, {})", place.owned, literal(value)?)),
            _ => None,
        }),
        "duration" => of_durations(rules, place),
        "any" => each(rules, |name, value| match name {
            "required" => Some(String::new()),
            "in" | "not_in" => Some(format!(
                "rule::{}(&*value.type_url, &{})",
                choice(name),
                list(value)?
            )),
            _ => None,
        }),
        "message" => each(rules, |name, _| {
            matches!(name, "required" | "skip").then(String::new)
        }),
        "float" | "double" | "int32" | "int64" | "uint32" | "uint64" | "sint32" | "sint64" | "fixed32"
        | "fixed64" | "sfixed32" | "sfixed64" => of_number(rules, place),
        other => bail!("rules of kind {other} are not known"),
    };
    let checks = checks.with_context(|| kind.to_owned())?;
    let statements: Vec<_> = checks.iter().map(|check| place.must(check)).collect();
    if statements.is_empty() || !is_set(rules, "ignore_empty") {
        return Ok(statements);
    }
    let filled = match kind {
        "string" | "bytes" => format!("!{}.is_empty()", place.borrowed.trim_start_matches('&')),
        _ => format!("{} != Default::default()", place.owned),
    };
    Ok(vec![format!("if {filled} {{ {} }}", statements.join("\n"))])
}

/// The checks of a list or map as a whole.
pub(super) fn of_many(rules: &DynamicMessage, place: Place<'_>) -> Result<Vec<String>> {
    let size = format!("{}.len()", place.owned);
    let checks = each(rules, |name, value| match name {
        "min_items" | "min_pairs" => Some(format!("rule::min_items({size}, {})", literal(value)?)),
        "max_items" | "max_pairs" => Some(format!("rule::max_items({size}, {})", literal(value)?)),
        "unique" => Some(format!("rule::unique({})", place.borrowed)),
        "items" | "keys" | "values" => Some(String::new()),
        _ => None,
    })?;
    let statements: Vec<_> = checks.iter().map(|check| place.must(check)).collect();
    if statements.is_empty() || !is_set(rules, "ignore_empty") {
        return Ok(statements);
    }
    let filled = format!("!{}.is_empty()", place.owned);
    Ok(vec![format!("if {filled} {{ {} }}", statements.join("\n"))])
}

/// A check for each rule that is set; an empty one means that the rule requires nothing here.
fn each(rules: &DynamicMessage, check: impl Fn(&str, &Value) -> Option<String>) -> Result<Vec<String>> {
    let mut checks = Vec::new();
    for (field, value) in rules.fields().filter(|(field, _)| field.name() != "ignore_empty") {
        let made = check(field.name(), value);
        let made = made.with_context(|| format!("the rule {} = {value} is not known", field.name()))?;
        checks.extend((!made.is_empty()).then_some(made));
    }
    Ok(checks)
}

fn of_text(rules: &DynamicMessage, place: Place<'_>) -> Result<Vec<String>> {
    let text = place.borrowed;
    let strict = rules
        .get_field_by_name("strict")
        .is_none_or(|value| value.as_bool() != Some(false));
    each(rules, |name, value| match name {
        "min_len" | "min_bytes" if value.as_u64() == Some(0) => Some(String::new()),
        "const" => Some(format!("rule::is(&**{text}, {})", literal(value)?)),
        "len" | "min_len" | "max_len" | "len_bytes" | "min_bytes" | "max_bytes" | "prefix" | "suffix"
        | "contains" | "not_contains" | "pattern" => {
            Some(format!("rule::{name}({text}, {})", literal(value)?))
        }
        "in" | "not_in" => Some(format!(
            "rule::{}({text}.as_str(), &{})",
            choice(name),
            list(value)?
        )),
        "well_known_regex" => match value.as_enum_number()? {
            1 => Some(format!("rule::header_name({text}, {strict})")),
            2 => Some(format!("rule::header_value({text}, {strict})")),
            _ => None,
        },
        // Modifies the previous rule.
        "strict" => Some(String::new()),
        _ => None,
    })
}

fn of_bytes(rules: &DynamicMessage, place: Place<'_>) -> Result<Vec<String>> {
    let size = format!("{}.len()", place.borrowed.trim_start_matches('&'));
    each(rules, |name, value| match name {
        "min_len" if value.as_u64() == Some(0) => Some(String::new()),
        "len" => Some(format!("rule::size({size}, {})", literal(value)?)),
        "min_len" => Some(format!("rule::min_size({size}, {})", literal(value)?)),
        "max_len" => Some(format!("rule::max_size({size}, {})", literal(value)?)),
        _ => None,
    })
}

fn of_number(rules: &DynamicMessage, place: Place<'_>) -> Result<Vec<String>> {
    let set = |names: [&str; 2]| {
        let found = names.into_iter().find(|name| rules.has_field_by_name(name));
        found
            .and_then(|name| rules.get_field_by_name(name))
            .and_then(|value| literal(&value)?.parse::<f64>().ok())
    };
    // Reversed, the rules would mean the values outside.
    if let (Some(least), Some(most)) = (set(["gt", "gte"]), set(["lt", "lte"])) {
        ensure!(least <= most, "a range that is turned round is not known");
    }
    each(rules, |name, value| match name {
        "const" => Some(format!("rule::is({}, {})", place.owned, literal(value)?)),
        "lt" | "lte" | "gt" | "gte" => Some(format!("rule::{name}({}, {})", place.owned, literal(value)?)),
        "in" | "not_in" => Some(format!(
            "rule::{}({}, &{})",
            choice(name),
            place.owned,
            list(value)?
        )),
        _ => None,
    })
}

fn of_enum(rules: &DynamicMessage, field: &FieldDescriptor, place: Place<'_>) -> Result<Vec<String>> {
    let Kind::Enum(of) = field.kind() else {
        bail!("rules of an enum for another field");
    };
    each(rules, |name, value| match name {
        "defined_only" if value.as_bool() == Some(false) => Some(String::new()),
        "defined_only" => Some(format!(
            "rule::defined({}, {}::is_valid)",
            place.owned,
            names::enumeration(&of)
        )),
        "const" => Some(format!("rule::is({}, {})", place.owned, literal(value)?)),
        "in" | "not_in" => Some(format!(
            "rule::{}({}, &{})",
            choice(name),
            place.owned,
            list(value)?
        )),
        _ => None,
    })
}

fn of_durations(rules: &DynamicMessage, place: Place<'_>) -> Result<Vec<String>> {
    let bound = |name| {
        let set = rules
            .has_field_by_name(name)
            .then(|| rules.get_field_by_name(name));
        span(&*set.flatten()?)
    };
    // Reversed, they mean the values outside.
    if let (Some(most), Some(least)) = (bound("lte"), bound("gte"))
        && most < least
    {
        let all = each(rules, |name, _| {
            matches!(name, "lte" | "gte" | "required").then(String::new)
        })?;
        let outside = format!(
            "rule::outside(Span::of({}), Span::new({}, {}), Span::new({}, {}))",
            place.borrowed, most.0, most.1, least.0, least.1
        );
        return Ok(all.into_iter().chain([outside]).collect());
    }
    each(rules, |name, value| of_duration(name, value, place))
}

/// A duration's seconds and nanoseconds.
fn span(value: &Value) -> Option<(i64, i32)> {
    let duration = value.as_message()?;
    let seconds = duration.get_field_by_name("seconds")?.as_i64()?;
    let nanos = duration.get_field_by_name("nanos")?.as_i32()?;
    Some((seconds, nanos))
}

fn of_duration(name: &str, value: &Value, place: Place<'_>) -> Option<String> {
    if name == "required" {
        return Some(String::new());
    }
    let (seconds, nanos) = span(value)?;
    matches!(name, "lt" | "lte" | "gt" | "gte").then(|| {
        format!(
            "rule::{name}(Span::of({}), Span::new({seconds}, {nanos}))",
            place.borrowed
        )
    })
}

fn list(value: &Value) -> Option<String> {
    let items: Option<Vec<_>> = value.as_list()?.iter().map(literal).collect();
    Some(format!("[{}]", items?.join(", ")))
}

fn literal(value: &Value) -> Option<String> {
    match value {
        Value::Bool(value) => Some(value.to_string()),
        Value::I32(value) => Some(value.to_string()),
        Value::I64(value) => Some(value.to_string()),
        Value::U32(value) => Some(value.to_string()),
        Value::U64(value) => Some(value.to_string()),
        Value::F32(value) => Some(format!("{value:?}")),
        Value::F64(value) => Some(format!("{value:?}")),
        Value::String(value) => Some(format!("{value:?}")),
        _ => None,
    }
}

/// `in` is a keyword of Rust.
fn choice(rule: &str) -> &str {
    if rule == "in" { "one_of" } else { "none_of" }
}
