//! What the first command needs: setup, builds, and the walkthrough. A separate library, so that people who try
//! Sealgate do not wait for dependencies of other tasks.

pub mod demo;
pub mod kube;
mod module;
pub mod process;
pub mod product;
mod progress;
pub mod setup;
pub mod version;
