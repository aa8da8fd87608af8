//! Flags of `sealgate istio`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

/// Flags of `istio`.
#[derive(Debug, Args)]
pub struct IstioArgs {
    /// What Sealgate provides to Istio's gateway.
    #[command(subcommand)]
    pub form: IstioForm,
}

/// What Sealgate provides to Istio's gateway.
#[derive(Debug, Subcommand)]
pub enum IstioForm {
    /// Certificates only: the agent runs as a sidecar of Istio's gateway, and Istio does everything else
    Sds(IstioSdsArgs),
    /// Certificates, routing and identity headers: the agent as a sidecar, and the filter in Istio's listeners
    Full(IstioFullArgs),
    /// Routing and identity headers only: the filter as a WasmPlugin, without the agent
    Wasm(IstioWasmArgs),
}

/// Flags of `istio sds`.
#[derive(Debug, Args)]
#[command(
    after_help = "Prints the Gateways that select the gateway, with `sds://` in front of their credential names.\n\
    Exit status 1 if a Gateway cannot be changed this way, or none selects the gateway.\n\n\
    Example:\n  \
    kubectl get gateways.networking.istio.io -A -o yaml | sealgate istio sds -f - | kubectl apply --server-side -f -"
)]
pub struct IstioSdsArgs {
    /// Which gateway to use, and how to print it
    #[command(flatten)]
    pub gateway: IstioGatewayArgs,
    /// The agent in the gateway's pod
    #[command(flatten)]
    pub agent: IstioAgentArgs,
    /// Print only the mesh configuration that istiod needs, as Helm values for istiod (Istio 1.31 and later)
    #[arg(long)]
    pub mesh_config: bool,
}

/// Flags of `istio full`.
#[derive(Debug, Args)]
#[command(
    after_help = "Prints each Gateway that selects the gateway twice: for Istio, and for the agent with --agent-selector. \
    Prints the VirtualServices of these Gateways, bound to the agent's Gateways.\n\
    Exit status 1 if an object cannot be served this way, or no Gateway selects the gateway.\n\n\
    Example:\n  \
    kubectl get gateways.networking.istio.io,virtualservices.networking.istio.io -A -o yaml |\n    \
    sealgate istio full -f - | kubectl apply --server-side -f -"
)]
pub struct IstioFullArgs {
    /// Which gateway to use, and how to print it
    #[command(flatten)]
    pub gateway: IstioGatewayArgs,
    /// The agent in the gateway's pod
    #[command(flatten)]
    pub agent: IstioAgentArgs,
    /// The gateway's listeners
    #[command(flatten)]
    pub listener: IstioListenerArgs,
    /// Selector for the agent's Gateways: labels that no pod has
    #[arg(long, default_value = "istio=sealgate-edge", value_name = "K=V,...")]
    pub agent_selector: String,
}

/// Flags of `istio wasm`.
#[derive(Debug, Args)]
#[command(
    after_help = "The VirtualServices of Gateways that select the gateway become part of the plugin's configuration.\n\
    Exit status 1 if an object is not supported in this form, or no Gateway selects the gateway.\n\n\
    Example:\n  \
    sealgate istio wasm -f gateways.yaml --plugin-config plugin.yaml | kubectl apply --server-side -f -"
)]
pub struct IstioWasmArgs {
    /// Which gateway to use, and how to print it
    #[command(flatten)]
    pub gateway: IstioGatewayArgs,
    /// The gateway's listeners
    #[command(flatten)]
    pub listener: IstioListenerArgs,
    /// OCI artifact of the filter [default: the release of this version]
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// Plugin configuration in YAML, with `identity` and `routing` [default: identity headers as the Gateways configure them]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub plugin_config: Option<PathBuf>,
}

/// The gateway's listeners.
#[derive(Debug, Args)]
pub struct IstioListenerArgs {
    /// For each port of the gateway's Service, the port that its pods bind; empty if equal, as with Istio's Helm chart
    #[arg(long, default_value = "80=8080,443=8443", value_name = "FROM=TO,...")]
    pub port_map: String,
    /// Keep `x-envoy-peer-metadata` and `x-envoy-peer-metadata-id`. Use this only if nothing but an Istio gateway can connect
    #[arg(long)]
    pub keep_peer_metadata: bool,
}

/// Which of Istio's gateways to use, and how to print manifests.
#[derive(Debug, Args)]
pub struct IstioGatewayArgs {
    /// File or directory with your Gateways and VirtualServices (YAML or JSON), or `-` for standard input; can be repeated
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR|-", value_hint = ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,
    /// Namespace of Istio's gateway
    #[arg(long, default_value = "istio-system", value_name = "NS")]
    pub namespace: String,
    /// Labels of the gateway's pods, which a Gateway's selector must match
    #[arg(long, default_value = "istio=ingressgateway", value_name = "K=V,...")]
    pub selector: String,
    /// Deployment of Istio's gateway
    #[arg(long, default_value = "istio-ingressgateway", value_name = "NAME")]
    pub gateway_deployment: String,
    /// Istio version
    #[arg(long, default_value = "1.31", value_name = "VERSION")]
    pub istio_version: String,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value_t, value_enum)]
    pub output: OutputFormat,
}

/// The agent in the pod of Istio's gateway.
#[derive(Debug, Args)]
pub struct IstioAgentArgs {
    /// Image of the agent [default: the release of this version]
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// ServiceAccount of the gateway's pods, which gets permission to read Secrets
    #[arg(
        long,
        default_value = "istio-ingressgateway-service-account",
        value_name = "NAME"
    )]
    pub service_account: String,
}

/// How manifests are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// A YAML document for each object
    #[default]
    Yaml,
    /// One JSON `List` of all objects
    Json,
}
