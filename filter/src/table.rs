//! The table of this worker: all its plugins share one VM, so a part that one of them gets is installed for all.
//!
//! A part is also stored in Envoy's data for all VMs. After a crash, a VM is only restarted for the plugin that gets a
//! request: the parts are not configured again, so they are taken from there.

use std::cell::RefCell;

use sealgate_core::table::RouteTable;

use crate::host::{self, HostError};

thread_local! {
    static TABLE: RefCell<RouteTable> = RefCell::default();
}

/// Installs a part in place of the previous one.
///
/// # Errors
/// This filter cannot read it; the previous one stays.
pub(crate) fn install(bytes: Vec<u8>) -> Result<(), String> {
    TABLE.with(|table| {
        // A plugin is not configured during a decision: the host does not reenter a VM.
        let mut table = table.try_borrow_mut().map_err(|error| error.to_string())?;
        let index = table.install(bytes).map_err(|error| error.to_string())?;
        // Always written: reading the current value would copy as much, and would take memory of the VM.
        let part = table.part(index).unwrap_or_default();
        if let Err(error) = host::share(&key(index), part) {
            host::error(&format!("sealgate: part {index} is not shared: {error}"));
        }
        Ok(())
    })
}

/// Decides with the table.
///
/// # Errors
/// It is being changed, or `decide` failed.
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

/// Takes missing parts from what this worker or another one has shared. It stops at the first part that is not there,
/// so that before the parts arrive, a request costs only one more host call.
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
