//! The routes of all ports in the form in which they run. The agent encodes each virtual host of the
//! [rules](crate::rules) as a [`HostBlock`], and each part of the table with [`encode_part`]; [`RouteTable`] runs them:
//! the first rule in declared order that matches wins, and an index narrows the rules that are tried. A filter reads
//! parts in place, and only what a request needs.

mod block;
mod bytes;
mod condition;
mod index;
mod installed;
mod key;
mod part;
mod view;

pub(crate) use self::bytes::Corrupt;

pub use self::block::{HostBlock, TableError};
pub use self::installed::{Demanded, RouteTable, encode_parts};
pub use self::key::{PARTS, part_of};
pub use self::part::{EntryValue, TableEntry, encode_part, is_part};
