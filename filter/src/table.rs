//! The table of this worker: every plugin of it shares one VM, so whichever of them is told a part installs it for all.
//!
//! A part is also put where Envoy keeps data for all VMs. A VM that crashed is made anew for the plugin that a request
//! came to, and for it alone: nobody configures the parts once more, so they are taken from there.

use std::cell::RefCell;

use sealgate_core::table::RouteTable;

use crate::host::{self, HostError};

thread_local! {
    static TABLE: RefCell<RouteTable> = RefCell::default();
}

/// Installs a part in the place of the former one.
///
/// # Errors
/// It is none that this filter can read; the former one stays.
pub(crate) fn install(bytes: Vec<u8>) -> Result<(), String> {
    TABLE.with(|table| {
        // Nobody configures a plugin while a request is decided on: the host enters a VM once at a time.
        let mut table = table.try_borrow_mut().map_err(|error| error.to_string())?;
        let index = table.install(bytes).map_err(|error| error.to_string())?;
        // Always written: reading what is there would copy as much, and would take memory of the VM's own.
        let part = table.part(index).unwrap_or_default();
        if let Err(error) = host::share(&key(index), part) {
            host::error(&format!("sealgate: part {index} is not shared: {error}"));
        }
        Ok(())
    })
}

/// Decides by the table.
///
/// # Errors
/// It is being changed, or as `decide` has it.
pub(crate) fn with<T>(decide: impl FnOnce(&RouteTable) -> Result<T, HostError>) -> Result<T, HostError> {
    TABLE.with(|table| {
        if !table.try_borrow().map_err(|_| HostError::Busy)?.is_complete() {
            let mut table = table.try_borrow_mut().map_err(|_| HostError::Busy)?;
            recover(&mut table)?;
        }
        let table = table.try_borrow().map_err(|_| HostError::Busy)?;
        decide(&table)
    })
}

/// Takes what is missing from what this worker or another one shared. The first part that is not there ends it: before
/// the parts have come, a request costs one call of the host more.
fn recover(table: &mut RouteTable) -> Result<(), HostError> {
    let missing: Vec<u16> = table.missing().collect();
    for index in missing {
        let Some(bytes) = host::shared(&key(index))? else {
            return Ok(());
        };
        if let Err(error) = table.install(bytes) {
            host::error(&format!("sealgate: shared part {index} is rejected: {error}"));
            return Ok(());
        }
    }
    Ok(())
}

fn key(index: u16) -> String {
    format!("part-{index}")
}
