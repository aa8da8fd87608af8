//! Decides where a request goes and who its client is. No host, no clock, no IO: the filter, the agent and the
//! browser run the same code.

pub mod config;
