//! Commands that ask a running agent.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::GatewayArgs;

/// Which agent is asked.
#[derive(Clone, Debug, Args)]
pub struct AgentArgs {
    /// Admin address of the running agent [default: SEALGATE_ADMIN, else 127.0.0.1:15080]
    // Not as clap's `env`, with which `--dir` would be in conflict.
    #[arg(long, value_name = "ADDR")]
    pub admin: Option<String>,
    /// File with the token of the agent's --admin-token-file
    #[arg(long, env = "SEALGATE_ADMIN_TOKEN_FILE", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub admin_token_file: Option<PathBuf>,
}

/// Flags of `status`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status 1 if anything needs attention: an object, a certificate or a proxy has an error, a watch has \
    failed, no proxy is connected, a proxy has been behind for half a minute, a certificate has a warning about its dates, \
    or a budget is almost used up."
)]
pub struct StatusArgs {
    /// Which agent is asked
    #[command(flatten)]
    pub agent: AgentArgs,
    /// Print all entries of each list, not only the first ten
    #[arg(long)]
    pub all: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Print the JSON Schema of `/api/status` instead, without asking an agent
    #[arg(long, conflicts_with_all = ["json", "all", "admin"])]
    pub schema: bool,
}

/// Flags of `certs`.
#[derive(Debug, Args)]
#[command(
    after_help = "Proxy states: current; behind (the proxy has not confirmed the served version yet); refused (the \
    proxy rejected it); gone (disconnected).\n\
    Exit status 1 if nothing is served, a certificate is rejected, or a connected proxy rejects anything, including a \
    listener or cluster."
)]
pub struct CertsArgs {
    /// Which agent is asked
    #[command(flatten)]
    pub agent: AgentArgs,
    /// Read a directory instead of asking a running agent
    #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath, conflicts_with = "admin")]
    pub dir: Option<PathBuf>,
    /// Which gateway this is (with --dir)
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
