//! Names within a message: it must stay readable, however many there are.

/// So many are written out.
const MOST_NAMED: usize = 5;

/// The first few, and how many more there are.
pub(crate) fn first_few<T: AsRef<str>>(names: &[T]) -> String {
    let (named, rest) = names.split_at_checked(MOST_NAMED).unwrap_or((names, &[]));
    let named: Vec<&str> = named.iter().map(AsRef::as_ref).collect();
    let named = named.join(", ");
    match rest.len() {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
