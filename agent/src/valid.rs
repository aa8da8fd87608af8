//! What Envoy checks of a resource, checked before it is published: the rules that its protos are annotated with
//! (`generated.rs`), and those that only its code knows, a file each. Messages are looked at as they are built, so
//! nothing is decoded or encoded for it.

mod addresses;
mod chains;
mod domains;
mod generated;
mod packer;
mod program_size;
pub mod rule;
mod server_names;
mod violation;

pub use self::addresses::Addresses;
pub use self::chains::ChainMatches;
pub use self::packer::Packer;
pub use self::violation::{Broken, Violation};

use self::violation::Located;

/// Whether a message is one that Envoy takes.
pub type Validity = Result<(), Violation>;

/// A message that Envoy checks.
pub trait Valid {
    /// Says what Envoy would refuse it for.
    ///
    /// # Errors
    /// The first rule that is broken, and where.
    fn valid(&self) -> Validity {
        Ok(())
    }
}
