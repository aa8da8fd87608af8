//! Envoy's own checks of resources, done before publishing: the rules in the annotations of its protos
//! (`generated.rs`), and those that are only in its code, one file each. Messages are checked as they are built, so
//! nothing is decoded or encoded for this.

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

/// Whether Envoy accepts a message.
pub type Validity = Result<(), Violation>;

/// A message that Envoy checks.
pub trait Valid {
    /// Checks whether Envoy would reject it.
    ///
    /// # Errors
    /// The first rule that is broken, and where.
    fn valid(&self) -> Validity {
        Ok(())
    }
}
