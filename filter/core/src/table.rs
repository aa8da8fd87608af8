//! The routes of all ports as they run. [`HostBlock`] is what the agent makes of one virtual host of the
//! [rules](crate::rules), and [`encode_part`] of a part of all; [`RouteTable`] is what runs: the first rule in declared
//! order that matches wins, and an index narrows the rules that are tried. A filter reads parts where they lie, and looks
//! at no more of them than a request asks for.

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
