//! `sealgate`.
fn main() {}
