//! The request as the host shows it.

use std::cell::OnceCell;

use proxy_wasm::types::{Bytes, Status};
use sealgate_core::decision::Request;

use crate::host;

/// All headers of a request.
pub(super) type Headers = Vec<(String, Bytes)>;

/// Its headers are fetched at once, and only if somebody needs more of them than every decision does.
pub(super) struct HostRequest {
    authority: Bytes,
    path: Bytes,
    headers: OnceCell<Headers>,
}

impl HostRequest {
    /// `whole`: all headers will be needed.
    pub(super) fn read(whole: bool) -> Result<Self, Status> {
        if !whole {
            return Ok(Self {
                authority: host::request_value(":authority")?.unwrap_or_default(),
                path: host::request_value(":path")?.unwrap_or_default(),
                headers: OnceCell::new(),
            });
        }
        let headers = host::request_headers()?;
        let value = |name: &str| {
            let found = headers.iter().find(|(own, _)| own == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        Ok(Self {
            authority: value(":authority"),
            path: value(":path"),
            headers: headers.into(),
        })
    }

    pub(super) fn headers(&self) -> Result<&Headers, Status> {
        if let Some(headers) = self.headers.get() {
            return Ok(headers);
        }
        let headers = host::request_headers()?;
        Ok(self.headers.get_or_init(|| headers))
    }
}

impl Request for HostRequest {
    fn authority(&self) -> &[u8] {
        &self.authority
    }

    fn path(&self) -> &[u8] {
        &self.path
    }

    fn header(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        let name = if name == "host" { ":authority" } else { name };
        let headers = self.headers().into_iter().flatten();
        let values = headers.filter(|(own, _)| own == name);
        values.for_each(|(_, value)| each(value));
    }
}
