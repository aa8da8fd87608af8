//! The root context: one per plugin. A plugin whose configuration is a part of the table has nothing else; one for a
//! port's traffic knows its port, and what upstreams are told about its connections. An agent makes these two; a
//! configuration by users needs no agent.

use std::rc::Rc;

use sealgate_core::port::PortConfig;
use sealgate_core::table::is_part;

use crate::alone::Alone;
use crate::http::Stream;
use crate::identity::PortIdentity;
use crate::{host, table};

/// See the module.
#[derive(Default)]
pub(crate) struct Root {
    identity: Rc<PortIdentity>,
    /// None with an agent.
    alone: Option<Rc<Alone>>,
}

impl Root {
    /// On rejection, logs where, and Envoy keeps the previous configuration.
    pub(crate) fn on_configure(&mut self, size: usize) -> bool {
        match self.configure(size) {
            Ok(()) => true,
            Err(reason) => {
                host::error(&format!("sealgate: the configuration is rejected: {reason}"));
                false
            }
        }
    }

    /// A new request of this plugin.
    pub(crate) fn stream(&self) -> Stream {
        Stream::new(Rc::clone(&self.identity), self.alone.clone())
    }

    fn configure(&mut self, size: usize) -> Result<(), String> {
        let bytes = host::configuration(size).map_err(|error| format!("it cannot be read: {error}"))?;
        if is_part(&bytes) {
            return table::install(bytes);
        }
        if bytes.is_empty() && size > 0 {
            return Err("it cannot be read: the host keeps it to itself".to_owned());
        }
        if PortConfig::is_one(&bytes) {
            let config = PortConfig::from_json(&bytes).map_err(|error| error.to_string())?;
            self.identity = Rc::new(PortIdentity::new(config));
            self.alone = None;
        } else {
            self.alone = Some(Rc::new(Alone::new(&bytes)?));
        }
        Ok(())
    }
}
