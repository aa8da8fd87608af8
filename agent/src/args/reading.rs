//! Commands that ask what would be served, or what is: of a directory, a cluster or a running agent.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueHint};

use super::{AgentArgs, GatewayArgs};

/// What is asked. One of its flags is required, which the commands say themselves.
#[derive(Debug, Args)]
#[group(skip)]
pub struct InputArgs {
    /// Directory or file to read; `-` for manifests from standard input
    #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub dir: Option<PathBuf>,
    /// Read a cluster once, with your kubeconfig: `kubernetes` (or `dir:PATH`, as --dir)
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<String>,
    /// Kubeconfig context (with --source kubernetes) [default: the kubeconfig's current context]
    #[arg(long, value_name = "NAME", requires = "source")]
    pub kube_context: Option<String>,
    /// Ask the running agent with this admin address, such as 127.0.0.1:15080, about what it serves now
    #[arg(long, value_name = "ADDR")]
    pub admin: Option<String>,
    /// File with the token of that agent's --admin-token-file
    #[arg(long, env = "SEALGATE_ADMIN_TOKEN_FILE", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub admin_token_file: Option<PathBuf>,
}

impl InputArgs {
    /// The running agent, if that is what is asked.
    #[must_use]
    pub fn agent(&self) -> Option<AgentArgs> {
        let admin = Some(self.admin.clone()?);
        let admin_token_file = self.admin_token_file.clone();
        Some(AgentArgs {
            admin,
            admin_token_file,
        })
    }
}

/// Flags of `check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status 1 if any finding has severity error.",
    group = ArgGroup::new("input").args(["dir", "source", "admin", "plugin_config"]).required(true)
)]
pub struct CheckArgs {
    /// What is checked
    #[command(flatten)]
    pub input: InputArgs,
    /// Check the configuration of a filter without an agent instead: `pluginConfig` as YAML or JSON, or a WasmPlugin or
    /// EnvoyExtensionPolicy that contains it; `-` for standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub plugin_config: Option<PathBuf>,
    /// Which gateway this is (a running agent knows it itself)
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `explain`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status 1 if nothing matches. A batch has one JSON object per line:\n  \
    {\"id\":1,\"port\":443,\"method\":\"GET\",\"authority\":\"a.example\",\"path\":\"/hello\",\"headers\":[[\"x-a\",\"1\"]]}",
    group = ArgGroup::new("input").args(["dir", "source", "admin"]).required(true)
)]
pub struct ExplainArgs {
    /// What is asked
    #[command(flatten)]
    pub input: InputArgs,
    /// Which gateway this is (a running agent knows it itself)
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Request method
    #[arg(long, default_value = "GET")]
    pub method: String,
    /// HTTP version of the client; each version rejects different requests
    #[arg(long, value_enum, value_name = "VERSION", default_value_t = HttpVersion::Http1, ignore_case = true)]
    pub protocol: HttpVersion,
    /// Request header as `name: value`; can be repeated
    #[arg(long = "header", value_name = "HEADER")]
    pub headers: Vec<String>,
    /// Also show the identity headers for a client with this certificate (PEM, optionally with its chain)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "batch")]
    pub peer_certificate: Option<PathBuf>,
    /// Read one request per line from this file (`-` for standard input) and print one answer per line
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    pub batch: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Request URL
    #[arg(required_unless_present = "batch")]
    pub url: Option<String>,
}

/// A version of HTTP that a client may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum HttpVersion {
    /// Not for gRPC
    #[value(name = "HTTP/1.1")]
    Http1,
    /// With or without TLS
    #[value(name = "HTTP/2")]
    Http2,
}
