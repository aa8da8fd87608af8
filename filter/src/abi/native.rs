//! Outside of Envoy, there is no host except one that a test installs for its thread.

use std::cell::RefCell;
use std::rc::Rc;

use super::Host;

/// The status of calls that a host does not have.
const UNIMPLEMENTED: u32 = 12;

thread_local! {
    static HOST: RefCell<Option<Rc<dyn Host>>> = const { RefCell::new(None) };
}

/// Asks the host of this thread.
pub(crate) fn ask(call: impl FnOnce(&dyn Host) -> u32) -> u32 {
    HOST.with_borrow(|host| host.as_deref().map_or(UNIMPLEMENTED, call))
}

/// Replaces this thread's host.
#[cfg(test)]
pub(crate) fn install(host: Rc<dyn Host>) {
    HOST.set(Some(host));
}
