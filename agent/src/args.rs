//! The command line as it was typed; `config.rs` makes validated values of it.

mod agent;
mod istio;
mod own;
mod reading;

use std::path::PathBuf;

use clap::builder::{
    BoolishValueParser, NonEmptyStringValueParser, OsStringValueParser, TypedValueParser as _,
};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

pub use self::agent::{AgentArgs, CertsArgs, StatusArgs};
pub use self::istio::{
    IstioAgentArgs, IstioArgs, IstioForm, IstioFullArgs, IstioGatewayArgs, IstioListenerArgs, IstioSdsArgs,
    IstioWasmArgs, OutputFormat,
};
pub use self::own::{CompletionsArgs, ManArgs};
pub use self::reading::{CheckArgs, ExplainArgs, HttpVersion, InputArgs};

/// `sealgate --version`: the version, its commit, and the Envoy version that the tests run.
pub const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("SEALGATE_COMMIT"),
    ", tested with Envoy ",
    env!("SEALGATE_ENVOY"),
    ")"
);

/// An Envoy ingress gateway whose certificates, hosts and routes change without a restart.
///
/// Sealgate reads Kubernetes Secrets, Gateways and VirtualServices from the Kubernetes API or from a directory, validates
/// them, and configures the Envoys on this machine over a Unix domain socket.
#[derive(Debug, Parser)]
#[command(name = "sealgate", version = VERSION, max_term_width = 110)]
#[command(
    after_help = "Exit status: 0 on success; 1 if the answer is no (an error finding, no match); 2 on wrong usage or \
    unreadable input.\nData goes to standard output, messages to standard error."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the agent: watch the source and configure the Envoys on this machine
    Run(Box<RunArgs>),
    /// Print an Envoy bootstrap configuration that uses the agent's socket
    Bootstrap(BootstrapArgs),
    /// Validate manifests before you apply them, the objects in a cluster, or what an agent serves
    Check(CheckArgs),
    /// Show where a request would go, and why
    Explain(ExplainArgs),
    /// Show whether a running agent and its proxies are well, and what needs attention
    Status(StatusArgs),
    /// List the certificates that a running agent serves, or that a directory would provide
    Certs(CertsArgs),
    /// Print manifests that make Istio's own ingress gateway use Sealgate, without applying them
    Istio(IstioArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write those of all commands into a directory
    Man(ManArgs),
}

/// Flags of `run`.
#[derive(Debug, Args)]
#[command(
    after_help = "Every flag has an environment variable: SEALGATE_ and the flag's name in capitals \
    (SEALGATE_PORT_MAP).\nSIGTERM and SIGINT stop the agent within a second; Envoy keeps its configuration."
)]
pub struct RunArgs {
    /// Where to read objects from: `dir:PATH` or `kubernetes` [default: kubernetes inside a cluster]
    #[arg(long, env = "SEALGATE_SOURCE", value_name = "SOURCE")]
    pub source: Option<String>,
    /// Read and serve only this. With `secrets`, the agent reads no other kinds, needs no permissions for them, and serves
    /// every Secret of the namespace to any proxy that asks for it by name [default: everything]
    #[arg(long, env = "SEALGATE_ONLY", value_name = "WHAT", value_enum)]
    pub only: Option<OnlyArg>,
    /// How the agent watches the Kubernetes API
    #[command(flatten)]
    pub kubernetes: KubernetesArgs,
    /// The Unix domain socket that Envoy connects to
    #[arg(long, env = "SEALGATE_SOCKET", default_value = "/run/sealgate/xds.sock", value_hint = ValueHint::FilePath)]
    pub socket: PathBuf,
    /// Permissions of the socket, in octal
    #[arg(
        long,
        env = "SEALGATE_SOCKET_MODE",
        default_value = "0600",
        value_name = "MODE"
    )]
    pub socket_mode: String,
    /// Group of the socket, by name or number
    #[arg(long, env = "SEALGATE_SOCKET_GROUP", value_name = "GROUP")]
    pub socket_group: Option<String>,
    /// Address of the admin interface (health, metrics, status API and page), or `off`
    #[arg(
        long,
        env = "SEALGATE_ADMIN",
        default_value = "127.0.0.1:15080",
        value_name = "ADDR"
    )]
    pub admin: String,
    /// Host names that the admin interface answers to, besides IP addresses and `localhost`
    #[arg(
        long,
        env = "SEALGATE_ADMIN_HOSTS",
        value_name = "NAME,...",
        default_value = ""
    )]
    pub admin_hosts: String,
    /// File with a token (at least 16 characters) that the admin interface requires, except on `/healthz` and `/readyz`; it
    /// can be replaced while the agent runs
    #[arg(long, env = "SEALGATE_ADMIN_TOKEN_FILE", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub admin_token_file: Option<PathBuf>,
    /// What the gateway serves
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Address that listeners bind
    #[arg(long, env = "SEALGATE_LISTEN", default_value = "0.0.0.0", value_name = "ADDR")]
    pub listen: String,
    /// Ports to bind instead of a Gateway's ports, such as 443=8443,80=8080
    #[arg(
        long,
        env = "SEALGATE_PORT_MAP",
        value_name = "FROM=TO,...",
        default_value = ""
    )]
    pub port_map: String,
    /// Load certificates on demand once this many servers on a port share a TLS policy; 0: only where a Gateway asks for it
    #[arg(
        long,
        env = "SEALGATE_ON_DEMAND_FROM",
        value_name = "N",
        default_value_t = 200
    )]
    pub on_demand_from: usize,
    /// Directory for state that survives restarts: who claimed a host or port first, and the last good versions of
    /// objects that are invalid or unreadable. Off if empty
    #[arg(
        long,
        env = "SEALGATE_STATE_DIR",
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    pub state_dir: Option<PathBuf>,
    /// Whether to keep private keys in the state directory too, so that a certificate whose Secret is invalid, unreadable
    /// or deleted is still served after a restart [default: true with a directory, false with Kubernetes]
    #[arg(long, env = "SEALGATE_STATE_KEYS", value_name = "BOOL")]
    pub state_keys: Option<bool>,
    /// Log level: off, error, warn, info, debug or trace; TARGET=LEVEL sets it for a part, as in info,h2=error
    /// [default: SEALGATE_LOG, else info]
    #[arg(long, env = "SEALGATE_LOG_LEVEL", value_name = "LEVEL,...")]
    pub log_level: Option<String>,
    /// Log format
    #[arg(
        long,
        env = "SEALGATE_LOG_FORMAT",
        value_name = "FORMAT",
        default_value_t,
        value_enum
    )]
    pub log_format: LogFormat,
    /// Keep `x-envoy-peer-metadata` and `x-envoy-peer-metadata-id` on requests. Use this only if nothing but an Istio
    /// gateway or mesh can connect
    #[arg(long, env = "SEALGATE_KEEP_PEER_METADATA", value_parser = BoolishValueParser::new())]
    pub keep_peer_metadata: bool,
    /// PEM file of the authorities that sign the certificates of upstreams, where a DestinationRule asks for TLS and names
    /// no Secret; read at startup [default: the system's authorities, else Mozilla's]
    #[arg(long, env = "SEALGATE_PUBLIC_CA", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub public_ca: Option<PathBuf>,
    /// Filter module to use instead of the built-in one
    #[arg(long, env = "SEALGATE_FILTER", value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub filter: Option<PathBuf>,
}

/// A log format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A human-readable line per event
    #[default]
    Text,
    /// A JSON object per line
    Json,
}

/// How the agent watches the Kubernetes API.
#[derive(Debug, Args)]
pub struct KubernetesArgs {
    /// Kubeconfig context [default: the pod's service account, or the kubeconfig's current context]
    #[arg(long, env = "SEALGATE_KUBE_CONTEXT", value_name = "NAME")]
    pub kube_context: Option<String>,
    /// How to watch Secrets: each one by `name`, the whole `namespace`, or `auto` (by name for up to 100 Secrets)
    #[arg(
        long,
        env = "SEALGATE_SECRET_WATCH",
        default_value = "auto",
        value_name = "HOW",
        value_parser = ["auto", "name", "namespace"]
    )]
    pub secret_watch: String,
    /// Seconds after which to restart a watch; a watch that stays silent slightly longer is abandoned
    #[arg(
        long,
        env = "SEALGATE_WATCH_TIMEOUT",
        default_value_t = 60,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u32).range(1..=3600)
    )]
    pub watch_timeout: u32,
}

/// Which gateway this is; shared by all that read objects.
#[derive(Clone, Debug, Args)]
pub struct GatewayArgs {
    /// The gateway's namespace, where credentialName is looked up [default: POD_NAMESPACE, else istio-system]
    #[arg(long, env = "SEALGATE_NAMESPACE", value_name = "NS")]
    pub namespace: Option<String>,
    /// Labels of this gateway, which a Gateway's selector must match
    #[arg(
        long,
        env = "SEALGATE_GATEWAY_LABELS",
        default_value = "istio=ingressgateway",
        value_name = "K=V,..."
    )]
    pub gateway_labels: String,
    /// Location of this gateway as region, zone and subzone, so that the nearest endpoints can be preferred; see upstreams.md
    #[arg(
        long,
        env = "SEALGATE_LOCALITY",
        value_name = "REGION/ZONE/SUBZONE",
        default_value = ""
    )]
    pub locality: String,
    /// How far namespaces trust each other: not at all (`namespaces`), or as one team (`single`)
    /// [default: namespaces with Kubernetes, single with a directory]
    #[arg(long, env = "SEALGATE_TENANCY", value_name = "HOW", value_enum)]
    pub tenancy: Option<TenancyArg>,
    /// A second operator namespace, whose objects apply to all namespaces [default: the gateway's namespace]
    #[arg(long, env = "SEALGATE_ROOT_NAMESPACE", value_name = "NS")]
    pub root_namespace: Option<String>,
    /// YAML file that assigns hosts, ports and Secrets to namespaces, read at startup; implies `--tenancy namespaces`
    #[arg(long, env = "SEALGATE_TENANCY_POLICY", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub tenancy_policy: Option<PathBuf>,
    /// Budgets per namespace (NAME) and in total (total-NAME), such as hosts=40000,total-hosts=400000; see limits.md
    #[arg(long, env = "SEALGATE_BUDGETS", value_name = "NAME=N,...", default_value = "")]
    pub budgets: String,
    /// Envoy limits and timeouts, such as stream-idle=15m,http2-streams=250; see envoy.md
    #[arg(
        long,
        env = "SEALGATE_ENVOY_LIMITS",
        value_name = "NAME=VALUE,...",
        default_value = ""
    )]
    pub envoy_limits: String,
    /// Whether to allow upstreams on loopback and link-local addresses
    /// [default: false with Kubernetes, true with a directory]
    #[arg(long, env = "SEALGATE_ALLOW_LOCAL_UPSTREAMS", value_name = "BOOL")]
    pub allow_local_upstreams: Option<bool>,
    /// How to normalize paths before rules see them
    #[arg(
        long,
        env = "SEALGATE_PATH_NORMALIZATION",
        default_value = "merge-slashes",
        value_name = "HOW",
        value_enum
    )]
    pub path_normalization: PathNormalizationArg,
    /// What to do with %2F and %5C in paths, unless a Gateway's annotation decides [default: keep, or unescape with
    /// decode-and-merge-slashes]
    #[arg(long, env = "SEALGATE_ESCAPED_SLASHES", value_name = "HOW", value_enum)]
    pub escaped_slashes: Option<EscapedSlashesArg>,
    /// Reject Secrets whose name starts with istio or prometheus, or that have a key `token`
    #[arg(long, env = "SEALGATE_STRICT_NAMES", value_parser = BoolishValueParser::new())]
    pub strict_names: bool,
    /// Reject certificates that have expired or are not valid yet, instead of serving them with a warning; a certificate
    /// that is already served stays in use
    #[arg(long, env = "SEALGATE_REFUSE_EXPIRED", value_parser = BoolishValueParser::new())]
    pub refuse_expired: bool,
}

/// Flags of `bootstrap`.
#[derive(Debug, Args)]
pub struct BootstrapArgs {
    /// The agent's socket
    #[arg(long, default_value = "/run/sealgate/xds.sock", value_hint = ValueHint::FilePath)]
    pub socket: PathBuf,
    /// Envoy's node.id, which identifies this proxy in the agent's status
    #[arg(long, default_value = "sealgate", value_parser = NonEmptyStringValueParser::new())]
    pub node_id: String,
    /// Envoy's node.cluster
    #[arg(long, default_value = "sealgate", value_parser = NonEmptyStringValueParser::new())]
    pub node_cluster: String,
    /// Port of Envoy's admin interface on loopback
    #[arg(long, default_value_t = 15000, value_parser = clap::value_parser!(u16).range(1..))]
    pub admin_port: u16,
    /// Which statistics Envoy keeps per destination
    #[arg(long, value_enum, default_value_t = ClusterStats::Few)]
    pub cluster_stats: ClusterStats,
}

/// The only thing that the agent reads and serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnlyArg {
    /// Certificates and trust bundles
    Secrets,
}

/// How far namespaces trust each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TenancyArg {
    /// Objects in one namespace never change what another namespace's hosts do
    Namespaces,
    /// All namespaces belong to one team
    Single,
}

/// How paths are normalized before rules see them; Istio's `pathNormalization`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PathNormalizationArg {
    /// Do not normalize
    None,
    /// Resolve dot segments, turn backslashes into slashes, unescape letters and digits
    Base,
    /// As `base`, and merge adjacent slashes
    MergeSlashes,
    /// As `merge-slashes`, and unescape slashes first
    DecodeAndMergeSlashes,
}

/// What to do with `%2F` and `%5C` in paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum EscapedSlashesArg {
    /// Leave them as they are
    Keep,
    /// Reject the request with 400
    Reject,
    /// Redirect the client to the unescaped path with 307
    Redirect,
    /// Turn them into slashes
    Unescape,
}

/// Which statistics Envoy keeps per destination (`cluster.outbound|...` in `/stats`). It always keeps all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ClusterStats {
    /// All; this needs the most memory
    All,
    /// Requests (all, failed, active), connections (active, failed) and healthy endpoints; a destination needs about 29.5 KB
    Few,
    /// None; a destination needs about 29.4 KB
    None,
}
