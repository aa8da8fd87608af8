//! Outside of Envoy there is no host but the one that a test installs for its thread.

use std::cell::RefCell;
use std::rc::Rc;

use super::Host;

/// What a host says of calls that it does not have.
const UNIMPLEMENTED: u32 = 12;

thread_local! {
    static HOST: RefCell<Option<Rc<dyn Host>>> = const { RefCell::new(None) };
}

/// Asks the host of this thread.
pub(crate) fn ask(call: impl FnOnce(&dyn Host) -> u32) -> u32 {
    HOST.with_borrow(|host| host.as_deref().map_or(UNIMPLEMENTED, call))
}

/// Takes the place of the host that this thread has.
#[cfg(test)]
pub(crate) fn install(host: Rc<dyn Host>) {
    HOST.set(Some(host));
}
