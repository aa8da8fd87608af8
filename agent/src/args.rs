//! The command line as it was typed; `config.rs` makes validated values of it.

use std::path::PathBuf;

use clap::builder::{
    BoolishValueParser, NonEmptyStringValueParser, OsStringValueParser, TypedValueParser as _,
};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

/// `sealgate --version`: what it is, what it was built of, and the Envoy that its tests run.
pub const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("SEALGATE_COMMIT"),
    ", tested with Envoy ",
    env!("SEALGATE_ENVOY"),
    ")"
);

/// Certificates, hosts and routes for Envoy, changed while it serves.
///
/// Sealgate reads Kubernetes Secrets, Gateways and VirtualServices (from the API or from a directory), checks
/// them, and feeds them to the Envoys on this machine over one Unix domain socket.
#[derive(Debug, Parser)]
#[command(name = "sealgate", version = VERSION, max_term_width = 110)]
#[command(
    after_help = "Exit status: 0 good; 1 the answer is no (an error finding, nothing matched); 2 wrong usage or \
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
    /// Watch the source and serve the Envoys on this machine until told to stop
    Run(RunArgs),
    /// Print an Envoy bootstrap that takes everything from the agent's socket
    Bootstrap(BootstrapArgs),
    /// Say everything about a directory of manifests that one would want to know before applying it
    Check(CheckArgs),
    /// Say where a request would go, and why
    Explain(ExplainArgs),
    /// List the certificates that are served, or would be
    Certs(CertsArgs),
}

/// Flags of `run`.
#[derive(Debug, Args)]
#[command(
    after_help = "Every flag can be set by an environment variable: SEALGATE_ and the flag's name in capitals \
    (SEALGATE_PORT_MAP).\nSIGTERM and SIGINT stop the agent within a second; Envoy keeps what it has."
)]
pub struct RunArgs {
    /// Where objects come from: `dir:PATH` or `kubernetes` [default: kubernetes inside a cluster]
    #[arg(long, env = "SEALGATE_SOURCE", value_name = "SOURCE")]
    pub source: Option<String>,
    /// Read and serve nothing else: with `secrets`, every Secret of the namespace to whoever asks for it by name; no other
    /// kinds are read, and no rights to them needed [default: everything]
    #[arg(long, env = "SEALGATE_ONLY", value_name = "WHAT", value_enum)]
    pub only: Option<OnlyArg>,
    /// How the Kubernetes API is followed
    #[command(flatten)]
    pub kubernetes: KubernetesArgs,
    /// The Unix domain socket that Envoy connects to
    #[arg(long, env = "SEALGATE_SOCKET", default_value = "/run/sealgate/xds.sock", value_hint = ValueHint::FilePath)]
    pub socket: PathBuf,
    /// Permissions of the socket, octal
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
    /// Address of health, metrics, status and page; `off` for none
    #[arg(
        long,
        env = "SEALGATE_ADMIN",
        default_value = "127.0.0.1:15080",
        value_name = "ADDR"
    )]
    pub admin: String,
    /// Names by which the admin interface may be asked, beside addresses and `localhost`
    #[arg(
        long,
        env = "SEALGATE_ADMIN_HOSTS",
        value_name = "NAME,...",
        default_value = ""
    )]
    pub admin_hosts: String,
    /// What the gateway serves
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// The address that listeners bind
    #[arg(long, env = "SEALGATE_LISTEN", default_value = "0.0.0.0", value_name = "ADDR")]
    pub listen: String,
    /// Ports to bind in place of a Gateway's: 443=8443,80=8080
    #[arg(
        long,
        env = "SEALGATE_PORT_MAP",
        value_name = "FROM=TO,...",
        default_value = ""
    )]
    pub port_map: String,
    /// From how many servers of one TLS policy on a port on Envoy asks for certificates by name; 0 for never by itself
    #[arg(
        long,
        env = "SEALGATE_ON_DEMAND_FROM",
        value_name = "N",
        default_value_t = 200
    )]
    pub on_demand_from: usize,
    /// Where the agent keeps, beyond its own life, who was first with a host or port, and what is served in place of what
    /// is refused or cannot be read; off if empty
    #[arg(
        long,
        env = "SEALGATE_STATE_DIR",
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    pub state_dir: Option<PathBuf>,
    /// Whether private keys are kept there too, so that a certificate whose Secret is bad, unreadable or gone is still
    /// served when the agent starts anew [default: true with a directory, false with Kubernetes]
    #[arg(long, env = "SEALGATE_STATE_KEYS", value_name = "BOOL")]
    pub state_keys: Option<bool>,
    /// What is logged to standard error: off, error, warn, info, debug or trace, and TARGET=LEVEL for parts (info,h2=error)
    /// [default: SEALGATE_LOG, else info]
    #[arg(long, env = "SEALGATE_LOG_LEVEL", value_name = "LEVEL,...")]
    pub log_level: Option<String>,
    /// How it is written
    #[arg(
        long,
        env = "SEALGATE_LOG_FORMAT",
        value_name = "FORMAT",
        default_value_t,
        value_enum
    )]
    pub log_format: LogFormat,
    /// Keep a client's `x-envoy-peer-metadata` and `x-envoy-peer-metadata-id`: behind a gateway or mesh of Istio's that
    /// alone can connect
    #[arg(long, env = "SEALGATE_KEEP_PEER_METADATA", value_parser = BoolishValueParser::new())]
    pub keep_peer_metadata: bool,
    /// Another build of the filter, in place of the one that the agent carries
    #[arg(long, env = "SEALGATE_FILTER", value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub filter: Option<PathBuf>,
}

/// A form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people
    #[default]
    Text,
    /// A JSON object per line
    Json,
}

/// How the Kubernetes API is followed.
#[derive(Debug, Args)]
pub struct KubernetesArgs {
    /// Context of the kubeconfig [default: the pod's service account, or the kubeconfig's current context]
    #[arg(long, env = "SEALGATE_KUBE_CONTEXT", value_name = "NAME")]
    pub kube_context: Option<String>,
    /// How Secrets are watched: each by `name`, by `namespace` at once, or `auto`: by name up to 100
    #[arg(
        long,
        env = "SEALGATE_SECRET_WATCH",
        default_value = "auto",
        value_name = "HOW",
        value_parser = ["auto", "name", "namespace"]
    )]
    pub secret_watch: String,
    /// Seconds after which a watch is begun anew; one that stays silent a little longer is given up
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
    /// The gateway's own namespace, where credentialName is looked up [default: POD_NAMESPACE, else istio-system]
    #[arg(long, env = "SEALGATE_NAMESPACE", value_name = "NS")]
    pub namespace: Option<String>,
    /// The labels of the gateway, which a Gateway's selector must match
    #[arg(
        long,
        env = "SEALGATE_GATEWAY_LABELS",
        default_value = "istio=ingressgateway",
        value_name = "K=V,..."
    )]
    pub gateway_labels: String,
    /// How far namespaces trust each other: `namespaces` not at all, `single` as one team
    /// [default: namespaces with Kubernetes, single with a directory]
    #[arg(long, env = "SEALGATE_TENANCY", value_name = "HOW", value_enum)]
    pub tenancy: Option<TenancyArg>,
    /// The namespace whose objects are meant for all, beside the gateway's own [default: the gateway's own]
    #[arg(long, env = "SEALGATE_ROOT_NAMESPACE", value_name = "NS")]
    pub root_namespace: Option<String>,
    /// Which namespaces may have single hosts, ports and Secrets (YAML, read at the start); implies --tenancy namespaces
    #[arg(long, env = "SEALGATE_TENANCY_POLICY", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub tenancy_policy: Option<PathBuf>,
    /// What each namespace may use up, and all together (total-NAME): hosts=40000,total-hosts=400000; see limits.md
    #[arg(long, env = "SEALGATE_BUDGETS", value_name = "NAME=N,...", default_value = "")]
    pub budgets: String,
    /// Limits that Envoy gets: stream-idle=15m,http2-streams=250; see envoy.md
    #[arg(
        long,
        env = "SEALGATE_ENVOY_LIMITS",
        value_name = "NAME=VALUE,...",
        default_value = ""
    )]
    pub envoy_limits: String,
    /// Whether requests may be sent to loopback and link-local addresses
    /// [default: false with Kubernetes, true with a directory]
    #[arg(long, env = "SEALGATE_ALLOW_LOCAL_UPSTREAMS", value_name = "BOOL")]
    pub allow_local_upstreams: Option<bool>,
    /// How far a path is brought into one form before rules see it
    #[arg(
        long,
        env = "SEALGATE_PATH_NORMALIZATION",
        default_value = "merge-slashes",
        value_name = "HOW",
        value_enum
    )]
    pub path_normalization: PathNormalizationArg,
    /// What becomes of %2F and %5C in paths, unless a Gateway's annotation says it [default: they stay, but with
    /// decode-and-merge-slashes]
    #[arg(long, env = "SEALGATE_ESCAPED_SLASHES", value_name = "HOW", value_enum)]
    pub escaped_slashes: Option<EscapedSlashesArg>,
    /// Refuse Secrets whose name starts with istio or prometheus, or that hold a key `token`
    #[arg(long, env = "SEALGATE_STRICT_NAMES", value_parser = BoolishValueParser::new())]
    pub strict_names: bool,
    /// Refuse certificates that have expired or are not valid yet, instead of serving them with a warning; one that is
    /// served already stays
    #[arg(long, env = "SEALGATE_REFUSE_EXPIRED", value_parser = BoolishValueParser::new())]
    pub refuse_expired: bool,
}

/// Flags of `bootstrap`.
#[derive(Debug, Args)]
pub struct BootstrapArgs {
    /// The agent's socket
    #[arg(long, default_value = "/run/sealgate/xds.sock", value_hint = ValueHint::FilePath)]
    pub socket: PathBuf,
    /// Envoy's node.id, by which the agent names this proxy
    #[arg(long, default_value = "sealgate", value_parser = NonEmptyStringValueParser::new())]
    pub node_id: String,
    /// Envoy's node.cluster
    #[arg(long, default_value = "sealgate", value_parser = NonEmptyStringValueParser::new())]
    pub node_cluster: String,
    /// Port of Envoy's own admin interface, on loopback
    #[arg(long, default_value_t = 15000)]
    pub admin_port: u16,
    /// What Envoy counts of each destination: its counters are more than half of what a destination costs
    #[arg(long, value_enum, default_value_t = ClusterStats::Few)]
    pub cluster_stats: ClusterStats,
}

/// The one thing that is read and served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnlyArg {
    /// Certificates and trust bundles
    Secrets,
}

/// How far namespaces trust each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TenancyArg {
    /// What one writes never changes what another's hosts do
    Namespaces,
    /// All are one team's
    Single,
}

/// How far a path is brought into one form before rules see it; Istio's `pathNormalization`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PathNormalizationArg {
    /// Not at all
    None,
    /// Dot segments are resolved, a backslash is a slash, letters and digits are not escaped
    Base,
    /// The same, and slashes that follow each other are one
    MergeSlashes,
    /// The same, and escaped slashes are plain ones
    DecodeAndMergeSlashes,
}

/// What becomes of `%2F` and `%5C` in paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum EscapedSlashesArg {
    /// They stay
    Keep,
    /// The request is refused (400)
    Reject,
    /// The client is sent to the path with plain ones (307)
    Redirect,
    /// They are plain ones
    Unescape,
}

/// What Envoy counts of each destination (`cluster.outbound|...` of its `/stats`). Everything else is always counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ClusterStats {
    /// Everything: 62 KB a destination
    All,
    /// Requests (all, failed, active), connections (active, failed) and healthy endpoints: 32 KB
    Few,
    /// Nothing: 26 KB
    None,
}

/// Flags of `check`.
#[derive(Debug, Args)]
#[command(after_help = "Exit status 1 if there is a finding of severity error.")]
pub struct CheckArgs {
    /// The directory (or one file)
    #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub dir: PathBuf,
    /// Which gateway this is
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `explain`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status 1 if nothing matched. A batch has one JSON object per line:\n  \
    {\"id\":1,\"port\":443,\"method\":\"GET\",\"authority\":\"a.example\",\"path\":\"/hello\",\"headers\":[[\"x-a\",\"1\"]]}"
)]
pub struct ExplainArgs {
    /// The directory (or one file)
    #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub dir: PathBuf,
    /// Which gateway this is
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// The request's method
    #[arg(long, default_value = "GET")]
    pub method: String,
    /// The version of HTTP that the client speaks: they refuse different requests
    #[arg(long, value_enum, value_name = "VERSION", default_value_t = HttpVersion::Http1, ignore_case = true)]
    pub protocol: HttpVersion,
    /// A header of the request, `name: value`; may be repeated
    #[arg(long = "header", value_name = "HEADER")]
    pub headers: Vec<String>,
    /// What an upstream is told of a client that shows this certificate (PEM; a chain may follow)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "batch")]
    pub peer_certificate: Option<PathBuf>,
    /// Answer one request per line of this file (`-`: standard input) with one line each
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    pub batch: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The request's URL
    #[arg(required_unless_present = "batch")]
    pub url: Option<String>,
}

/// A version of HTTP that a client may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum HttpVersion {
    /// gRPC needs the other one.
    #[value(name = "HTTP/1.1")]
    Http1,
    /// With and without TLS.
    #[value(name = "HTTP/2")]
    Http2,
}

/// Flags of `certs`.
#[derive(Debug, Args)]
#[command(
    after_help = "Of each proxy that has a certificate or asks for it: current, behind (it has not confirmed what is \
    served), refused, or gone.\n\
    Exit status 1 if nothing is served, a certificate is refused, or a connected proxy refuses something, be it a \
    listener or a cluster."
)]
pub struct CertsArgs {
    /// The admin address of a running agent
    #[arg(
        long,
        default_value = "127.0.0.1:15080",
        value_name = "ADDR",
        conflicts_with = "dir"
    )]
    pub admin: String,
    /// A directory instead of a running agent
    #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub dir: Option<PathBuf>,
    /// Which gateway this is (with --dir)
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
