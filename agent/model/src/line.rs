//! Objects, claims and all that is served as lines of JSON: what an agent keeps, and what it tells the page.

mod claim;
mod object;
mod table;

pub use self::claim::ClaimLine;
pub use self::object::{ObjectLine, UnknownKind};
pub use self::table::{BeginLine, CredentialLine, NameLine, TableLine};
