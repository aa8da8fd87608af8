//! What lies at a path and below it, of maps in the order of paths.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

/// The entries at a path and below it.
pub(super) fn below<'m, V>(
    map: &'m BTreeMap<Arc<Path>, V>,
    path: &'m Path,
) -> impl Iterator<Item = (&'m Arc<Path>, &'m V)> {
    map.range::<Path, _>((Bound::Included(path), Bound::Unbounded))
        .take_while(move |(other, _)| other.starts_with(path))
}

/// Their paths, for whoever changes the map meanwhile.
pub(super) fn keys_below<V>(map: &BTreeMap<Arc<Path>, V>, path: &Path) -> Vec<Arc<Path>> {
    below(map, path).map(|(key, _)| Arc::clone(key)).collect()
}
