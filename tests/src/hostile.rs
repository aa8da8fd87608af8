//! A hostile namespace that keeps trying, beside a platform that has to serve on: `cargo xtask fuzz tenants`. Real agent, real
//! Envoy.
//!
//! `pools` and `grammar` make objects that are nearly good, `mutate` damages them, and `slots` keeps those that are there. `stage` is
//! the platform, `judge` says whether it is unharmed, `client` asks for what is odd. `run` joins them, `minimise` leaves out what
//! a disturbance does not need, `tally` counts.

mod client;
mod grammar;
mod judge;
mod minimise;
mod mutate;
mod pools;
mod run;
mod slots;
mod stage;
mod tally;

pub use self::run::{FuzzArgs, fuzz};
