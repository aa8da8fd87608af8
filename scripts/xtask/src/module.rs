//! Checks the filter's module after linking. Envoy calls every callback that a module exports, needed or not, and each
//! call costs, so it must export only what is needed.

use anyhow::{Context as _, Result, ensure};

/// An additional linker flag: short encodings of numbers, which save 7 bytes of 100.
pub(crate) const LINKED: &str = "-Clink-arg=--compress-relocations";

/// The exports that Envoy needs, and the callbacks that the filter needs.
const EXPORTS: [&str; 11] = [
    "_initialize",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_memory_allocate",
    "proxy_on_request_headers",
    "proxy_on_request_trailers",
    "proxy_on_response_headers",
    "proxy_on_response_trailers",
];
/// The start of a module: its magic number, and the version of the format.
const HEAD: &[u8] = b"\0asm\x01\0\0\0";
const CUSTOM_SECTION: u8 = 0;
const EXPORT_SECTION: u8 = 7;

/// Checks that a module is as Envoy should get it.
pub(crate) fn check(module: &[u8]) -> Result<()> {
    let mut reader = Reader(module.strip_prefix(HEAD).context("no WebAssembly module")?);
    let mut names = Vec::new();
    while !reader.0.is_empty() {
        let (section, size) = (reader.byte()?, reader.number()?);
        let content = Reader(reader.take(size)?);
        // Names of functions and producers: loaded everywhere, but never read.
        ensure!(
            section != CUSTOM_SECTION,
            "it holds a section that says nothing to Envoy"
        );
        if section == EXPORT_SECTION {
            names = exports(content)?;
        }
    }
    names.sort_unstable();
    ensure!(names == EXPORTS, "it exports {names:?}, and should {EXPORTS:?}");
    Ok(())
}

fn exports(mut section: Reader<'_>) -> Result<Vec<&str>> {
    let count = section.number()?;
    let read = |_| {
        let length = section.number()?;
        let name = std::str::from_utf8(section.take(length)?)?;
        // Its kind, and its index.
        section.byte()?;
        section.number()?;
        Ok(name)
    };
    (0..count).map(read).collect()
}

/// The rest of the bytes.
struct Reader<'m>(&'m [u8]);

impl<'m> Reader<'m> {
    fn take(&mut self, count: usize) -> Result<&'m [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).context("it ends too early")?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// LEB128.
    fn number(&mut self) -> Result<usize> {
        let mut number = 0;
        for shift in (0..32).step_by(7) {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        anyhow::bail!("a number that does not end")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(bytes: &[u8]) -> Vec<u8> {
        // Two bytes, although one would be enough for small numbers, as the linker does.
        let length = u8::try_from(bytes.len() & 0x7f).unwrap() | 0x80;
        let rest = u8::try_from(bytes.len() >> 7).unwrap();
        [&[length, rest], bytes].concat()
    }

    /// A module with two sections: one that is skipped, and one with these exports.
    fn module(names: &[&str]) -> Vec<u8> {
        let mut section = vec![u8::try_from(names.len()).unwrap()];
        for name in names {
            section.extend(sized(name.as_bytes()));
            section.extend([0, 0x81, 0x01]);
        }
        [
            HEAD,
            &[5],
            &sized(&[1, 0, 1]),
            &[EXPORT_SECTION],
            &sized(&section),
        ]
        .concat()
    }

    #[test]
    fn a_module_exports_what_envoy_needs_in_any_order() {
        check(&module(&EXPORTS)).unwrap();
        let mut turned = EXPORTS;
        turned.reverse();
        check(&module(&turned)).unwrap();
    }

    #[test]
    fn another_export_or_one_less_is_refused() {
        let more = [&EXPORTS[..], &["proxy_on_log"]].concat();
        for names in [&more[..], &EXPORTS[1..]] {
            let refused = check(&module(names)).unwrap_err().to_string();
            assert!(refused.starts_with("it exports ["), "{refused}");
        }
    }

    #[test]
    fn what_is_cut_or_no_module_or_named_is_refused() {
        let whole = module(&EXPORTS);
        check(&whole[..whole.len() - 1]).unwrap_err();
        check(b"\0asm").unwrap_err();
        check(&[&whole[..], &[CUSTOM_SECTION], &sized(b"\x04name")].concat()).unwrap_err();
    }
}
