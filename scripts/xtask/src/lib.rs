//! What the first command needs: to set up, to build, to play the walkthrough. It is a library of its own so that
//! whoever tries Sealgate does not wait for what its other tasks are made of.

pub mod demo;
pub mod kube;
mod module;
pub mod process;
pub mod product;
mod progress;
pub mod setup;
pub mod version;
