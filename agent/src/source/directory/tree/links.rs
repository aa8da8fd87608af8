//! Where a name leads, link by link.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// As many as Linux itself follows.
const MOST_LINKS: usize = 40;

/// The way from a name to its target.
#[derive(Debug)]
pub(super) struct Way {
    /// The real path at its end, or why there is none.
    pub(super) end: io::Result<PathBuf>,
    /// Real paths whose change may change the target or its content: the links and what is behind them, the file at the
    /// end, and what is missing. None for a folder that no link leads to.
    pub(super) ties: Vec<Arc<Path>>,
}

/// Follows a name, or a path, in a real folder.
pub(super) fn follow(folder: &Path, name: &OsStr) -> Way {
    let mut ties = Vec::new();
    let end = walk(folder.to_owned(), name, &mut ties);
    Way { end, ties }
}

fn walk(mut at: PathBuf, name: &OsStr, ties: &mut Vec<Arc<Path>>) -> io::Result<PathBuf> {
    let mut rest: VecDeque<OsString> = names(Path::new(name)).collect();
    let mut links = 0_usize;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&name);
        let kind = match fs::symlink_metadata(&next) {
            Ok(metadata) => metadata.file_type(),
            Err(error) => {
                ties.push(next.into());
                return Err(error);
            }
        };
        if kind.is_symlink() {
            links += 1;
            if links > MOST_LINKS {
                return Err(rustix::io::Errno::LOOP.into());
            }
            let target = fs::read_link(&next)?;
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            names(&target).rev().for_each(|name| rest.push_front(name));
            ties.push(next.into());
        } else {
            if links > 0 || !kind.is_dir() {
                ties.push(Arc::from(next.as_path()));
            }
            at = next;
        }
    }
    Ok(at)
}

/// The names of a path, `..` among them.
fn names(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    let is_name = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    path.components()
        .filter(is_name)
        .map(|part| part.as_os_str().to_owned())
}
