//! Black-box tests of the agent, a file for each topic, as one program that is linked once.

mod admin;
mod bad_input;
mod binding;
mod cli;
mod directory;
mod directory_moves;
mod flags_page;
mod full_disk;
mod held_back;
mod istio;
mod restart;
mod status_schema;
mod tenancy;
mod umask;
mod usage;
mod xds;
