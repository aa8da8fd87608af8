//! Where objects come from. Every source says the same [`sealgate_model::SourceEvent`]s, so that nothing behind it knows which
//! one is running.

pub mod directory;
pub mod health;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
