//! Envoy as the host: what the module imports, and the memory in which Envoy returns values.
//!
//! The SDK has all of this, but panics at every status that it does not expect, which ends the VM with all of its
//! requests. These are the dozen calls that we need, and no status is unexpected. Only this file turns the lint off:
//! without `unsafe`, foreign functions cannot be called, and memory that the host has filled cannot be owned.
#![expect(unsafe_code, reason = "imports, and memory that the host fills")]

use std::alloc::{Layout, alloc};
use std::ptr::{null, null_mut};

use super::{HeaderMap, Host, OK};

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, message_size: usize) -> u32;
    fn proxy_get_buffer_bytes(
        kind: u32,
        start: usize,
        max_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        cas: u32,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
}

#[cfg(target_os = "wasi")]
unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// The ABI's number of the level.
const LEVEL_ERROR: u32 = 4;
/// The ABI's number of the buffer.
const PLUGIN_CONFIGURATION: u32 = 7;
/// The ABI's number of the kind of metric.
const COUNTER: u32 = 0;
/// The version of shared data: the last written one.
const ANY_VERSION: u32 = 0;

/// Asks Envoy.
pub(crate) fn ask(call: impl FnOnce(&dyn Host) -> u32) -> u32 {
    call(&Envoy)
}

/// See the module.
struct Envoy;

/// The ABI that the module speaks.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Called before everything else.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: the linker provides it to initialize the module; Envoy calls this once.
    #[cfg(target_os = "wasi")]
    unsafe {
        __wasm_call_ctors();
    }
}

/// Memory for a value that Envoy returns. If there is none left, returns null, which Envoy turns into a status of its
/// call.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    match Layout::array::<u8>(size) {
        // SAFETY: its size is not zero.
        Ok(layout) if size > 0 => unsafe { alloc(layout) },
        _ => null_mut(),
    }
}

/// Makes a call, and takes the value that the host has written to memory from us.
fn taken(value: &mut Option<Vec<u8>>, call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> u32 {
    let mut data = null_mut();
    let mut size = 0;
    let status = call(&raw mut data, &raw mut size);
    if status == OK && !data.is_null() {
        // SAFETY: `proxy_on_memory_allocate` made it for this value, with this size, and nothing else refers to it.
        *value = Some(unsafe { Vec::from_raw_parts(data, size, size) });
    }
    status
}

// SAFETY, of all below: every pointer is of a slice that outlives the call, with its length, or of a local variable
// that the host writes to before it returns; it keeps none of them.
impl Host for Envoy {
    fn header_map_pairs(&self, map: HeaderMap, pairs: &mut Option<Vec<u8>>) -> u32 {
        taken(pairs, |data, size| unsafe {
            proxy_get_header_map_pairs(map as u32, data, size)
        })
    }

    fn header_map_value(&self, map: HeaderMap, name: &str, value: &mut Option<Vec<u8>>) -> u32 {
        taken(value, |data, size| unsafe {
            proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, size)
        })
    }

    fn replace_header_map_value(&self, map: HeaderMap, name: &str, value: &[u8]) -> u32 {
        unsafe {
            proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
        }
    }

    fn add_header_map_value(&self, map: HeaderMap, name: &str, value: &[u8]) -> u32 {
        unsafe {
            proxy_add_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
        }
    }

    fn remove_header_map_value(&self, map: HeaderMap, name: &str) -> u32 {
        unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) }
    }

    fn send_local_response(&self, status: u32, grpc_status: i32, headers: &[u8], body: &[u8]) -> u32 {
        unsafe {
            proxy_send_local_response(
                status,
                null(),
                0,
                body.as_ptr(),
                body.len(),
                headers.as_ptr(),
                headers.len(),
                grpc_status,
            )
        }
    }

    fn property(&self, path: &[u8], value: &mut Option<Vec<u8>>) -> u32 {
        taken(value, |data, size| unsafe {
            proxy_get_property(path.as_ptr(), path.len(), data, size)
        })
    }

    fn plugin_configuration(&self, max_size: usize, value: &mut Option<Vec<u8>>) -> u32 {
        taken(value, |data, size| unsafe {
            proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, max_size, data, size)
        })
    }

    fn shared_data(&self, key: &str, value: &mut Option<Vec<u8>>) -> u32 {
        let mut cas = ANY_VERSION;
        taken(value, |data, size| unsafe {
            proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas)
        })
    }

    fn set_shared_data(&self, key: &str, value: &[u8]) -> u32 {
        unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), ANY_VERSION) }
    }

    fn define_counter(&self, name: &str, id: &mut u32) -> u32 {
        unsafe { proxy_define_metric(COUNTER, name.as_ptr(), name.len(), &raw mut *id) }
    }

    fn increment_metric(&self, id: u32, offset: i64) -> u32 {
        unsafe { proxy_increment_metric(id, offset) }
    }

    fn log_error(&self, message: &str) -> u32 {
        unsafe { proxy_log(LEVEL_ERROR, message.as_ptr(), message.len()) }
    }
}
