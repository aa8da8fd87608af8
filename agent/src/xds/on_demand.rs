//! Certificates that a proxy asks for by SNI when a handshake needs them. It asks for each name on a separate stream,
//! and there may be ten thousand: a stream waits only for its own name, and the hub knows which streams a change
//! affects. Clients can send any SNI, so a name that is not served leaves nothing behind.

mod hub;
mod message;
mod name;
mod residents;
mod stream;

pub(super) use self::hub::Hub;
pub(super) use self::stream::follow;
