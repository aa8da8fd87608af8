//! The statements that check a field: its value, and messages below.

use anyhow::{Context as _, Result};
use protox::prost_reflect::{DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind, OneofDescriptor};

use super::place::Place;
use super::{names, rules};

/// The context for checking fields.
pub(super) struct Fields<'c> {
    /// `validate.rules`.
    pub(super) rules: ExtensionDescriptor,
    /// `validate.required` of a oneof.
    pub(super) required: ExtensionDescriptor,
    /// Whether a message of this name has its own check.
    pub(super) is_checked: &'c dyn Fn(&str) -> bool,
}

impl Fields<'_> {
    /// Rules of a field, if it has any.
    pub(super) fn rules_of(&self, field: &FieldDescriptor) -> Option<DynamicMessage> {
        let options = field.options();
        let set = options.has_extension(&self.rules);
        set.then(|| options.get_extension(&self.rules).as_message().cloned())?
    }

    /// A field that is in no oneof.
    pub(super) fn field(&self, field: &FieldDescriptor) -> Result<Vec<String>> {
        let member = format!("self.{}", names::member(field.name()));
        let told = format!(".within({:?})", field.name());
        let rules = self.rules_of(field);
        let place = Place {
            owned: &member,
            borrowed: &format!("&{member}"),
            told: &told,
        };
        let statements = if field.is_map() {
            self.map(field, rules.as_ref(), place)
        } else if field.is_list() {
            self.list(field, rules.as_ref(), place)
        } else if matches!(field.kind(), Kind::Message(_)) || field.supports_presence() {
            self.optional(field, rules.as_ref(), place)
        } else {
            self.value(field, rules.as_ref(), place)
        };
        statements.with_context(|| field.full_name().to_owned())
    }

    /// A oneof: that it is set, if required, and the rules of the field that is set.
    pub(super) fn oneof(&self, oneof: &OneofDescriptor) -> Result<Vec<String>> {
        let member = format!("self.{}", names::member(oneof.name()));
        let mut statements = Vec::new();
        let options = oneof.options();
        if options.has_extension(&self.required)
            && options.get_extension(&self.required).as_bool() == Some(true)
        {
            statements.push(format!("rule::required(&{member}).within({:?})?;", oneof.name()));
        }
        let mut arms = Vec::new();
        for field in oneof.fields() {
            let told = format!(".within({:?})", field.name());
            let checks = self
                .value(&field, self.rules_of(&field).as_ref(), Place::bound(&told))
                .with_context(|| field.full_name().to_owned())?;
            if !checks.is_empty() {
                let variant = format!("Some({}::{}(value))", names::oneof(oneof), names::variant(&field));
                arms.push((variant, checks.join("\n")));
            }
        }
        match arms.as_slice() {
            [] => {}
            [(variant, checks)] => {
                statements.push(format!("if let {variant} = &{member} {{ {checks} }}"));
            }
            _ => {
                let arms: String = arms
                    .iter()
                    .map(|(variant, checks)| format!("{variant} => {{ {checks} }}\n"))
                    .collect();
                statements.push(format!("match &{member} {{ {arms} _ => {{}} }}"));
            }
        }
        Ok(statements)
    }

    /// An existing value: its own rules, and those of its message.
    fn value(
        &self,
        field: &FieldDescriptor,
        rules: Option<&DynamicMessage>,
        place: Place<'_>,
    ) -> Result<Vec<String>> {
        let kind = field.kind();
        let message = kind.as_message().map(|message| message.full_name().to_owned());
        let is_wrapper = message
            .as_deref()
            .is_some_and(|name| name.starts_with("google.protobuf.") && name.ends_with("Value"));
        let (mut statements, mut skipped) = (Vec::new(), false);
        for (kind, rules) in rules::kinds(rules)? {
            skipped |= kind == "message" && rules::is_set(&rules, "skip");
            let place = if is_wrapper && kind != "message" {
                place.wrapped()
            } else {
                place
            };
            statements.extend(rules::of_value(&kind, &rules, field, place)?);
        }
        if !skipped && message.is_some_and(|name| (self.is_checked)(&name)) {
            let value = place.owned.trim_start_matches('*');
            statements.push(place.must(&format!("{value}.valid()")));
        }
        Ok(statements)
    }

    fn optional(
        &self,
        field: &FieldDescriptor,
        rules: Option<&DynamicMessage>,
        place: Place<'_>,
    ) -> Result<Vec<String>> {
        let mut statements = Vec::new();
        for (_, rules) in rules::kinds(rules)? {
            if rules::is_set(&rules, "required") {
                statements.push(place.must(&format!("rule::required({})", place.borrowed)));
            }
        }
        let checks = self.value(field, rules, Place::bound(place.told))?;
        if !checks.is_empty() {
            statements.push(format!(
                "if let Some(value) = {} {{ {} }}",
                place.borrowed,
                checks.join("\n")
            ));
        }
        Ok(statements)
    }

    fn list(
        &self,
        field: &FieldDescriptor,
        rules: Option<&DynamicMessage>,
        place: Place<'_>,
    ) -> Result<Vec<String>> {
        let (mut statements, mut items) = (Vec::new(), None);
        for (_, rules) in rules::kinds(rules)? {
            statements.extend(rules::of_many(&rules, place)?);
            items = inner(&rules, "items").or(items);
        }
        let told = format!(".item({:?}, at)", field.name());
        let checks = self.value(field, items.as_ref(), Place::bound(&told))?;
        if !checks.is_empty() {
            statements.push(format!(
                "for (at, value) in {}.iter().enumerate() {{ {} }}",
                place.owned,
                checks.join("\n")
            ));
        }
        Ok(statements)
    }

    fn map(
        &self,
        field: &FieldDescriptor,
        rules: Option<&DynamicMessage>,
        place: Place<'_>,
    ) -> Result<Vec<String>> {
        let entry = field.kind();
        let entry = entry.as_message().context("an entry is a message")?;
        let (mut statements, mut keys, mut values) = (Vec::new(), None, None);
        for (_, rules) in rules::kinds(rules)? {
            statements.extend(rules::of_many(&rules, place)?);
            keys = inner(&rules, "keys").or(keys);
            values = inner(&rules, "values").or(values);
        }
        let told = format!(".entry({:?}, key)", field.name());
        let key = Place {
            owned: "*key",
            borrowed: "key",
            told: &told,
        };
        let mut checks = self.value(&entry.map_entry_key_field(), keys.as_ref(), key)?;
        let of_values = self.value(
            &entry.map_entry_value_field(),
            values.as_ref(),
            Place::bound(&told),
        )?;
        let (pattern, iterated) = if of_values.is_empty() {
            ("key", format!("{}.keys()", place.owned))
        } else {
            ("(key, value)", place.borrowed.to_owned())
        };
        checks.extend(of_values);
        if !checks.is_empty() {
            statements.push(format!("for {pattern} in {iterated} {{ {} }}", checks.join("\n")));
        }
        Ok(statements)
    }
}

fn inner(rules: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    let set = rules.has_field_by_name(name);
    set.then(|| rules.get_field_by_name(name)?.as_message().cloned())?
}
