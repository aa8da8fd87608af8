//! Decisions to be shown: the request lines and answer lines of `explain --batch`, and why earlier rules did not match.

mod answer;
mod grpc;
mod header_answer;
mod headers;
mod protocol;
mod question;
mod target;
mod trace;

pub use self::answer::BatchAnswer;
pub use self::protocol::{CodecRefusal, Protocol};
pub use self::question::{EarlyAnswer, Question};
pub use self::trace::{Failure, HostMatch, Trace, Trial, VirtualHost, trace};
