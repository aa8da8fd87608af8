//! The order of a rule's header operations, in the filter and in `explain`. As in Envoy
//! (`HeaderParser::evaluateHeaders`; tested with 1.40): all removals; then the values with commands are evaluated, each
//! without the removed headers, and without what the others write; then replacements; then additions.

use crate::rules::{ArchivedHeaderMutations, HeaderMutations};

/// Headers that operations change.
pub trait MutableHeaders {
    /// Removes all headers of this name.
    fn remove(&mut self, name: &str);
    /// Replaces all headers of this name.
    fn set(&mut self, name: &str, value: &[u8]);
    /// Appends one.
    fn add(&mut self, name: &str, value: &[u8]);
    /// The current value of a format with [commands](crate::header_format); none if it is empty.
    fn value(&mut self, format: &str) -> Option<Vec<u8>>;
    /// Called to replace a header if its new value is empty.
    fn set_nothing(&mut self, name: &str);
}

/// A name, a value with commands, and whether it is appended.
type Format<'m> = (&'m str, &'m str, bool);

/// A name and a value.
type Plain<'m> = (&'m str, &'m str);

impl HeaderMutations {
    /// Changes these headers.
    pub fn carry_out(&self, headers: &mut impl MutableHeaders) {
        carry_out(
            headers,
            self.remove.iter().map(String::as_str),
            self.formats
                .iter()
                .map(|own| (&*own.name, &*own.format, own.append)),
            self.set.iter().map(|(name, value)| (&**name, &**value)),
            self.add.iter().map(|(name, value)| (&**name, &**value)),
        );
    }
}

impl ArchivedHeaderMutations {
    /// Changes these headers.
    pub fn carry_out(&self, headers: &mut impl MutableHeaders) {
        carry_out(
            headers,
            self.remove.iter().map(|name| name.as_str()),
            self.formats
                .iter()
                .map(|own| (own.name.as_str(), own.format.as_str(), own.append)),
            self.set.iter().map(|pair| (pair.0.as_str(), pair.1.as_str())),
            self.add.iter().map(|pair| (pair.0.as_str(), pair.1.as_str())),
        );
    }
}

fn carry_out<'m>(
    headers: &mut impl MutableHeaders,
    remove: impl Iterator<Item = &'m str>,
    formats: impl Iterator<Item = Format<'m>>,
    set: impl Iterator<Item = Plain<'m>>,
    add: impl Iterator<Item = Plain<'m>>,
) {
    remove.for_each(|name| headers.remove(name));
    let values = formats.map(|(name, format, append)| (name, append, headers.value(format)));
    let values: Vec<_> = values.collect();
    set.for_each(|(name, value)| headers.set(name, value.as_bytes()));
    for (name, _, value) in values.iter().filter(|(_, append, _)| !append) {
        match value {
            Some(value) => headers.set(name, value),
            None => headers.set_nothing(name),
        }
    }
    add.for_each(|(name, value)| headers.add(name, value.as_bytes()));
    for (name, _, value) in values.iter().filter(|(_, append, _)| *append) {
        if let Some(value) = value {
            headers.add(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::HeaderFormat;

    /// What was done, in order.
    #[derive(Default)]
    struct Noted(Vec<String>);

    impl MutableHeaders for Noted {
        fn remove(&mut self, name: &str) {
            self.0.push(format!("-{name}"));
        }

        fn set(&mut self, name: &str, value: &[u8]) {
            self.0.push(format!("{name}={}", String::from_utf8_lossy(value)));
        }

        fn add(&mut self, name: &str, value: &[u8]) {
            self.0.push(format!("{name}+{}", String::from_utf8_lossy(value)));
        }

        fn value(&mut self, format: &str) -> Option<Vec<u8>> {
            self.0.push(format!("?{format}"));
            (!format.is_empty()).then(|| format.into())
        }

        fn set_nothing(&mut self, name: &str) {
            self.0.push(format!("{name}=nothing"));
        }
    }

    #[test]
    fn removals_come_first_and_all_values_are_read_before_any_is_written() {
        let format = |name: &str, format: &str, append| HeaderFormat {
            name: name.to_owned(),
            format: format.to_owned(),
            append,
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mutations = HeaderMutations {
            set: vec![pair("a", "1")],
            add: vec![pair("b", "2")],
            remove: vec!["c".to_owned()],
            formats: vec![
                format("d", "%D%", true),
                format("e", "%E%", false),
                format("f", "", false),
                format("g", "", true),
            ],
        };
        let mut noted = Noted::default();
        mutations.carry_out(&mut noted);
        let expected = "-c ?%D% ?%E% ? ? a=1 e=%E% f=nothing b+2 d+%D%";
        assert_eq!(noted.0.join(" "), expected);
    }
}
