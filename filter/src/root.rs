//! The root context: one per configuration. It holds the table that its streams decide by, so that old streams end
//! on the table that they began with.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;
use sealgate_core::table::{RouteTable, TableConfig};

use crate::host;
use crate::http::Stream;
use crate::identity::Identity;

/// See the module.
#[derive(Default)]
pub(crate) struct Root {
    table: Rc<RouteTable>,
    identity: Rc<Identity>,
}

impl Context for Root {}

impl RootContext for Root {
    /// A refusal says where, and Envoy keeps the configuration that it has.
    fn on_configure(&mut self, size: usize) -> bool {
        match read(size) {
            Ok((table, identity)) => {
                self.table = Rc::new(table);
                self.identity = Rc::new(identity);
                true
            }
            Err(reason) => {
                host::error(&format!("sealgate: the configuration is refused: {reason}"));
                false
            }
        }
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(
            Rc::clone(&self.table),
            Rc::clone(&self.identity),
        )))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

fn read(size: usize) -> Result<(RouteTable, Identity), String> {
    let bytes = host::configuration(size).map_err(|status| format!("it cannot be read: {status:?}"))?;
    let mut config = TableConfig::from_json(&bytes).map_err(|error| error.to_string())?;
    let identity = Identity::new(std::mem::take(&mut config.policies));
    let table = RouteTable::new(config).map_err(|error| error.to_string())?;
    Ok((table, identity))
}
