//! Values that are copied from the table's bytes, to be kept.

use rkyv::string::ArchivedString;
use rkyv::tuple::ArchivedTuple2;
use rkyv::vec::ArchivedVec;

use super::action::{
    Abort, AbortStatus, ArchivedAbortStatus, ArchivedFault, ArchivedHeaderFormat, ArchivedHeaderMutations,
    ArchivedMirror, Delay, Fault, HeaderFormat, HeaderMutations, Mirror,
};

impl From<&ArchivedHeaderMutations> for HeaderMutations {
    fn from(archived: &ArchivedHeaderMutations) -> Self {
        let pairs = |list: &ArchivedVec<ArchivedTuple2<ArchivedString, ArchivedString>>| {
            let pair = |pair: &ArchivedTuple2<ArchivedString, ArchivedString>| {
                (pair.0.as_str().to_owned(), pair.1.as_str().to_owned())
            };
            list.iter().map(pair).collect()
        };
        Self {
            set: pairs(&archived.set),
            add: pairs(&archived.add),
            remove: archived
                .remove
                .iter()
                .map(|name| name.as_str().to_owned())
                .collect(),
            formats: archived.formats.iter().map(HeaderFormat::from).collect(),
        }
    }
}

impl ArchivedHeaderMutations {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty() && self.formats.is_empty()
    }
}

impl From<&ArchivedHeaderFormat> for HeaderFormat {
    fn from(archived: &ArchivedHeaderFormat) -> Self {
        Self {
            name: archived.name.as_str().to_owned(),
            format: archived.format.as_str().to_owned(),
            append: archived.append,
        }
    }
}

impl From<&ArchivedAbortStatus> for AbortStatus {
    fn from(archived: &ArchivedAbortStatus) -> Self {
        match archived {
            ArchivedAbortStatus::Http(status) => Self::Http(status.to_native()),
            ArchivedAbortStatus::Grpc(status) => Self::Grpc(*status),
        }
    }
}

impl From<&ArchivedFault> for Fault {
    fn from(archived: &ArchivedFault) -> Self {
        Self {
            delay: archived.delay.as_ref().map(|delay| Delay {
                ms: delay.ms.to_native(),
                percent: delay.percent.to_native(),
            }),
            abort: archived.abort.as_ref().map(|abort| Abort {
                status: (&abort.status).into(),
                percent: abort.percent.to_native(),
            }),
        }
    }
}

/// The name of a list of mirrors, which depends only on the list, so that the filter and the native routes may be
/// updated one after the other.
#[must_use]
pub fn mirrors_key(mirrors: &[Mirror]) -> String {
    key(mirrors
        .iter()
        .map(|mirror| (mirror.cluster.as_str(), mirror.percent)))
}

pub(crate) fn archived_mirrors_key(mirrors: &[ArchivedMirror]) -> String {
    key(mirrors
        .iter()
        .map(|mirror| (mirror.cluster.as_str(), mirror.percent.to_native())))
}

fn key<'m>(mirrors: impl Iterator<Item = (&'m str, f64)>) -> String {
    let one = |(cluster, percent)| format!("{cluster}@{percent}");
    mirrors.map(one).collect::<Vec<_>>().join(",")
}
