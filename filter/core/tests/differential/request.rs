//! A request as plain bytes.

use sealgate_core::request::Request;

#[derive(Clone, Default)]
pub(crate) struct Asked {
    pub(crate) authority: Vec<u8>,
    pub(crate) path: Vec<u8>,
    /// `:method` and `:scheme` too.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl Asked {
    pub(crate) fn values(&self, name: &str) -> Vec<&[u8]> {
        if name == ":authority" {
            return vec![&self.authority];
        }
        let own = self.headers.iter().filter(|(own, _)| *own == name);
        own.map(|(_, value)| value.as_slice()).collect()
    }
}

impl Request for Asked {
    fn authority(&self) -> &[u8] {
        &self.authority
    }

    fn path(&self) -> &[u8] {
        &self.path
    }

    fn header(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        self.values(name).into_iter().for_each(each);
    }
}

impl std::fmt::Debug for Asked {
    /// Bytes as escapes: this is what a failure shows.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (authority, path) = (self.authority.escape_ascii(), self.path.escape_ascii());
        write!(f, "authority `{authority}` path `{path}`")?;
        self.headers
            .iter()
            .try_for_each(|(name, value)| write!(f, ", {name}: `{}`", value.escape_ascii()))
    }
}
