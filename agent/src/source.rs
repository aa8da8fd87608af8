//! Where objects come from. Every source sends [`sealgate_model::SourceEvent`]s, so that nothing else depends on which
//! one is running.

pub mod directory;
pub mod health;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
