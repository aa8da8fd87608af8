//! A hostile namespace that keeps trying, beside a platform that has to serve on: `cargo xtask fuzz tenants`. Real agent, real
//! Envoy.
//!
//! `pools` has values, `chance` chooses, `grammar`, `routes` and `services` make objects that are nearly good, `mutate` damages
//! them, and `slots` keeps those that are there. `stage` is the platform, `judge` says whether it is unharmed, and `client` asks
//! for what is odd. `run` joins them, `minimise` leaves out what a disturbance does not need, `tally` counts.

mod chance;
mod client;
mod grammar;
mod ground;
mod judge;
mod minimise;
mod mutate;
mod pools;
mod routes;
mod run;
mod services;
mod slots;
mod stage;
mod tally;

pub use self::run::{FuzzArgs, fuzz};
