//! Certificates that a proxy asks for by SNI when a handshake needs them. It asks for each name on a stream of its own,
//! and there may be ten thousand of them: a stream waits for its own name alone, and the hub knows which streams a
//! change concerns. What a client says as SNI is its own choice, so a name that nobody serves leaves nothing behind.

mod hub;
mod message;
mod name;
mod residents;
mod stream;

pub(super) use self::hub::Hub;
pub(super) use self::stream::follow;
