//! Entries at and below a path, in maps that are ordered by path.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

/// The entries at and below a path.
pub(super) fn below<'m, V>(
    map: &'m BTreeMap<Arc<Path>, V>,
    path: &'m Path,
) -> impl Iterator<Item = (&'m Arc<Path>, &'m V)> {
    map.range::<Path, _>((Bound::Included(path), Bound::Unbounded))
        .take_while(move |(other, _)| other.starts_with(path))
}

/// Their paths, so that the map can be changed meanwhile.
pub(super) fn keys_below<V>(map: &BTreeMap<Arc<Path>, V>, path: &Path) -> Vec<Arc<Path>> {
    below(map, path).map(|(key, _)| Arc::clone(key)).collect()
}
