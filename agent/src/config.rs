//! Validated values of the command line: past this point nothing is a string that could be wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
#[cfg(feature = "kubernetes")]
use std::time::Duration;

use sealgate_core::arrival::{EscapedSlashes, PathNormalization, PathPolicy};
use sealgate_model::budget::{BudgetError, Budgets};
use sealgate_model::locality::{Locality, LocalityError};
use sealgate_model::manifest::is_name;
use sealgate_model::resolve::{self, AddressPolicy};
use sealgate_model::tenancy::{Tenancy, TenancyPolicy, Tenants};
use thiserror::Error;

use crate::admin::{AdminAccess, AdminHosts, AdminToken};
use crate::args::{
    EscapedSlashesArg, GatewayArgs, KubernetesArgs, OnlyArg, PathNormalizationArg, RunArgs, TenancyArg,
};
use crate::envoy_limits::{EnvoyLimitError, EnvoyLimits};
use crate::public_ca::PublicCa;
use crate::scope::Scope;
#[cfg(feature = "kubernetes")]
use crate::source::kubernetes::SecretWatch;

/// Where objects come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory or a file.
    Directory(PathBuf),
    /// The Kubernetes API.
    #[cfg(feature = "kubernetes")]
    Kubernetes(Kubernetes),
}

impl Source {
    /// What `check` and `explain` read once.
    ///
    /// # Errors
    /// It is no source.
    pub(crate) fn once(text: &str, context: Option<&str>) -> Result<Self, ConfigError> {
        let kubernetes = KubernetesArgs {
            kube_context: context.map(str::to_owned),
            secret_watch: "name".to_owned(),
            watch_timeout: ONCE_SECONDS,
        };
        source(Some(text), &kubernetes)
    }
}

/// How the Kubernetes API is followed.
#[cfg(feature = "kubernetes")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kubernetes {
    /// `--kube-context`.
    pub context: Option<String>,
    /// `--secret-watch`.
    pub secrets: SecretWatch,
    /// `--watch-timeout`.
    pub watch_timeout: Duration,
}

/// Which gateway this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewaySettings {
    /// Its own namespace.
    pub namespace: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `--locality`; empty if it is not known.
    pub locality: Locality,
    /// `--strict-names`.
    pub strict_names: bool,
    /// `--refuse-expired`.
    pub refuse_expired: bool,
    /// `--port-map`; a port that is not in it is bound as it is.
    pub port_map: BTreeMap<u16, u16>,
    /// `--on-demand-from`.
    pub on_demand_from: usize,
    /// `--tenancy` and `--root-namespace`.
    pub tenants: Tenants,
    /// `--budgets`.
    pub budgets: Budgets,
    /// `--allow-local-upstreams`, and the ports of admin interfaces.
    pub addresses: AddressPolicy,
    /// `--path-normalization` and `--escaped-slashes`.
    pub paths: PathPolicy,
    /// `--envoy-limits`.
    pub limits: EnvoyLimits,
    /// `--keep-peer-metadata`.
    pub keep_peer_metadata: bool,
    /// `--public-ca`; none is the system's.
    pub public_ca: Option<PublicCa>,
}

/// `run`, validated.
#[derive(Clone, Debug)]
pub struct Run {
    /// `--only`.
    pub scope: Scope,
    /// Where objects come from.
    pub source: Source,
    /// The socket.
    pub socket: PathBuf,
    /// Its permissions.
    pub socket_mode: u32,
    /// Its group.
    pub socket_group: Option<String>,
    /// The admin address, unless it is off.
    pub admin: Option<SocketAddr>,
    /// `--admin-hosts` and `--admin-token-file`.
    pub admin_access: AdminAccess,
    /// Which gateway this is.
    pub gateway: GatewaySettings,
    /// The address that listeners bind.
    pub listen: IpAddr,
    /// `--filter`.
    pub filter: Option<PathBuf>,
    /// `--state-dir`; none if nothing is kept.
    pub state_dir: Option<PathBuf>,
    /// `--state-keys`.
    pub state_keys: bool,
}

/// A value that cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// Outside a cluster there is no default.
    #[error("--source is required: dir:PATH or kubernetes")]
    NoSource,
    /// Neither form.
    #[error("--source {0}: expected dir:PATH or kubernetes")]
    Source(String),
    /// This build has no Kubernetes source.
    #[error("--source kubernetes: this build reads directories only (dir:PATH)")]
    NoKubernetes,
    /// None of the three.
    #[error("--secret-watch {0}: expected auto, name or namespace")]
    SecretWatch(String),
    /// Not octal, or more than permissions.
    #[error("--socket-mode {0}: expected octal permissions such as 0600")]
    SocketMode(String),
    /// Not an address.
    #[error("--admin {0}: expected ADDRESS:PORT or off")]
    Admin(String),
    /// No name of a host.
    #[error("--admin-hosts {0}: expected names of hosts, without ports")]
    AdminHosts(String),
    /// No token.
    #[error("--admin-token-file {0}")]
    AdminToken(String),
    /// Not an address.
    #[error("--listen {0}: expected an IP address")]
    Listen(String),
    /// Not pairs of ports.
    #[error("--port-map {0}: expected FROM=TO, ports from 1 to 65535, each FROM and each TO once")]
    PortMap(String),
    /// No object could be in it.
    #[error("--namespace {0}: expected lower-case letters, digits and `-`")]
    Namespace(String),
    /// No object could be in it.
    #[error("--root-namespace {0}: expected lower-case letters, digits and `-`")]
    RootNamespace(String),
    /// Not pairs.
    #[error("--envoy-limits {0}")]
    EnvoyLimits(EnvoyLimitError),
    /// Not one of its names, or not a number.
    #[error("--budgets {0}")]
    Budgets(BudgetError),
    /// It cannot be read.
    #[error("--tenancy-policy {0}: {1}")]
    TenancyPolicy(String, String),
    /// It would mean nothing.
    #[error("--tenancy-policy {0}: it has no effect with --tenancy single")]
    IdleTenancyPolicy(String),
    /// No bundle of authorities.
    #[error("--public-ca {0}")]
    PublicCa(String),
    /// Not pairs.
    #[error("--gateway-labels {0}: expected KEY=VALUE,..., each KEY once")]
    Labels(String),
    /// Not one.
    #[error("--locality {0}: {1}")]
    Locality(String, LocalityError),
}

/// A cluster that is read once answers in this time, and a little more.
const ONCE_SECONDS: u32 = 30;
/// Where `sealgate bootstrap` puts Envoy's own admin interface.
const ENVOY_ADMIN_PORT: u16 = 15_000;

impl GatewaySettings {
    /// The gateway of a namespace, with the default of every flag: one team's, that reads a directory.
    #[must_use]
    pub fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            labels: BTreeMap::from([("istio".to_owned(), "ingressgateway".to_owned())]),
            locality: Locality::default(),
            strict_names: false,
            refuse_expired: false,
            port_map: BTreeMap::new(),
            on_demand_from: 0,
            tenants: Tenants {
                tenancy: Tenancy::Single,
                gateway: namespace.to_owned(),
                root: namespace.to_owned(),
                policy: TenancyPolicy::default(),
            },
            budgets: Budgets::default(),
            addresses: AddressPolicy {
                local: true,
                barred_ports: BTreeSet::from([ENVOY_ADMIN_PORT]),
            },
            paths: PathPolicy::default(),
            limits: EnvoyLimits::default(),
            keep_peer_metadata: false,
            public_ca: None,
        }
    }

    /// The authorities of upstreams for which no Secret is named.
    #[must_use]
    pub fn public_ca(&self) -> PublicCa {
        self.public_ca.clone().unwrap_or_else(PublicCa::of_system)
    }

    /// Of a cluster's gateway.
    ///
    /// # Errors
    /// A value that cannot be used.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn of_cluster(args: &GatewayArgs) -> Result<Self, ConfigError> {
        let mut settings = Self::try_from(args)?;
        settings.share(args);
        Ok(settings)
    }

    /// What is not given is as it should be where many teams write objects.
    fn share(&mut self, args: &GatewayArgs) {
        if args.tenancy.is_none() {
            self.tenants.tenancy = Tenancy::Namespaces;
        }
        if args.allow_local_upstreams.is_none() {
            self.addresses.local = false;
        }
    }

    /// What of it decides what is served.
    #[must_use]
    pub fn resolved(&self) -> resolve::Gateway {
        resolve::Gateway {
            namespace: self.namespace.clone(),
            labels: self.labels.clone(),
            locality: self.locality.clone(),
            port_map: self.port_map.clone(),
            on_demand_from: self.on_demand_from,
            tenants: self.tenants.clone(),
            budgets: self.budgets.clone(),
            addresses: self.addresses.clone(),
        }
    }
}

impl TryFrom<&RunArgs> for Run {
    type Error = ConfigError;

    fn try_from(args: &RunArgs) -> Result<Self, ConfigError> {
        let mut gateway = GatewaySettings::try_from(&args.gateway)?;
        gateway.port_map = port_map(&args.port_map)?;
        gateway.on_demand_from = args.on_demand_from;
        let source = source(args.source.as_deref(), &args.kubernetes)?;
        if !matches!(source, Source::Directory(_)) {
            gateway.share(&args.gateway);
        }
        let is_directory = matches!(source, Source::Directory(_));
        let admin = admin(&args.admin)?;
        gateway
            .addresses
            .barred_ports
            .extend(admin.map(|address| address.port()));
        gateway.keep_peer_metadata = args.keep_peer_metadata;
        let public_ca = args.public_ca.as_deref().map(PublicCa::read).transpose();
        gateway.public_ca = public_ca.map_err(|error| ConfigError::PublicCa(error.to_string()))?;
        Ok(Self {
            scope: scope(args.only),
            source,
            socket: args.socket.clone(),
            socket_mode: socket_mode(&args.socket_mode)?,
            socket_group: args.socket_group.clone(),
            admin,
            admin_access: AdminAccess {
                hosts: admin_hosts(&args.admin_hosts)?,
                token: admin_token(args.admin_token_file.as_deref())?,
            },
            gateway,
            listen: args
                .listen
                .parse()
                .map_err(|_| ConfigError::Listen(args.listen.clone()))?,
            filter: args.filter.clone(),
            state_dir: args.state_dir.clone().filter(|path| !path.as_os_str().is_empty()),
            state_keys: args.state_keys.unwrap_or(is_directory),
        })
    }
}

impl TryFrom<&GatewayArgs> for GatewaySettings {
    type Error = ConfigError;

    fn try_from(args: &GatewayArgs) -> Result<Self, ConfigError> {
        let namespace = args
            .namespace
            .clone()
            .or_else(|| std::env::var("POD_NAMESPACE").ok())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "istio-system".to_owned());
        if !is_name(&namespace) {
            return Err(ConfigError::Namespace(namespace));
        }
        let mut settings = Self {
            budgets: args.budgets.parse().map_err(ConfigError::Budgets)?,
            labels: labels(&args.gateway_labels)?,
            locality: locality(&args.locality)?,
            strict_names: args.strict_names,
            refuse_expired: args.refuse_expired,
            paths: PathPolicy {
                form: form(args.path_normalization),
                escaped: args.escaped_slashes.map(escaped),
            },
            limits: args.envoy_limits.parse().map_err(ConfigError::EnvoyLimits)?,
            ..Self::new(&namespace)
        };
        if let Some(root) = &args.root_namespace {
            if !is_name(root) {
                return Err(ConfigError::RootNamespace(root.clone()));
            }
            settings.tenants.root.clone_from(root);
        }
        if let Some(own) = args.tenancy {
            settings.tenants.tenancy = tenancy(own);
        }
        if let Some(local) = args.allow_local_upstreams {
            settings.addresses.local = local;
        }
        if let Some(path) = &args.tenancy_policy {
            if args.tenancy == Some(TenancyArg::Single) {
                return Err(ConfigError::IdleTenancyPolicy(path.display().to_string()));
            }
            settings.tenants.tenancy = Tenancy::Namespaces;
            settings.tenants.policy = policy(path)?;
        }
        Ok(settings)
    }
}

fn policy(path: &Path) -> Result<TenancyPolicy, ConfigError> {
    let refused = |reason: String| ConfigError::TenancyPolicy(path.display().to_string(), reason);
    let text = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    TenancyPolicy::read(&text).map_err(|error| refused(error.to_string()))
}

fn scope(only: Option<OnlyArg>) -> Scope {
    match only {
        Some(OnlyArg::Secrets) => Scope::Secrets,
        None => Scope::All,
    }
}

fn tenancy(arg: TenancyArg) -> Tenancy {
    match arg {
        TenancyArg::Namespaces => Tenancy::Namespaces,
        TenancyArg::Single => Tenancy::Single,
    }
}

fn escaped(arg: EscapedSlashesArg) -> EscapedSlashes {
    match arg {
        EscapedSlashesArg::Keep => EscapedSlashes::Kept,
        EscapedSlashesArg::Reject => EscapedSlashes::Refused,
        EscapedSlashesArg::Redirect => EscapedSlashes::Redirected,
        EscapedSlashesArg::Unescape => EscapedSlashes::Decoded,
    }
}

fn form(arg: PathNormalizationArg) -> PathNormalization {
    match arg {
        PathNormalizationArg::None => PathNormalization::None,
        PathNormalizationArg::Base => PathNormalization::Base,
        PathNormalizationArg::MergeSlashes => PathNormalization::MergeSlashes,
        PathNormalizationArg::DecodeAndMergeSlashes => PathNormalization::DecodeAndMergeSlashes,
    }
}

fn source(text: Option<&str>, kubernetes: &KubernetesArgs) -> Result<Source, ConfigError> {
    match text {
        Some("kubernetes") => api(kubernetes),
        Some(text) => match text.strip_prefix("dir:") {
            Some(path) if !path.is_empty() => Ok(Source::Directory(path.into())),
            _ => Err(ConfigError::Source(text.to_owned())),
        },
        None if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() => api(kubernetes),
        None => Err(ConfigError::NoSource),
    }
}

#[cfg(feature = "kubernetes")]
fn api(args: &KubernetesArgs) -> Result<Source, ConfigError> {
    let secrets = match args.secret_watch.as_str() {
        "auto" => SecretWatch::Auto,
        "name" => SecretWatch::Name,
        "namespace" => SecretWatch::Namespace,
        other => return Err(ConfigError::SecretWatch(other.to_owned())),
    };
    Ok(Source::Kubernetes(Kubernetes {
        context: args.kube_context.clone(),
        secrets,
        watch_timeout: Duration::from_secs(args.watch_timeout.into()),
    }))
}

#[cfg(not(feature = "kubernetes"))]
fn api(_: &KubernetesArgs) -> Result<Source, ConfigError> {
    Err(ConfigError::NoKubernetes)
}

fn socket_mode(text: &str) -> Result<u32, ConfigError> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o777)
        .ok_or_else(|| ConfigError::SocketMode(text.to_owned()))
}

fn admin(text: &str) -> Result<Option<SocketAddr>, ConfigError> {
    if text == "off" {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| ConfigError::Admin(text.to_owned()))
}

fn admin_hosts(text: &str) -> Result<AdminHosts, ConfigError> {
    let name = |name: &str| {
        let name = name.to_ascii_lowercase();
        is_name(&name).then_some(name)
    };
    let names: Option<AdminHosts> = pairs(text).map(name).collect();
    names.ok_or_else(|| ConfigError::AdminHosts(text.to_owned()))
}

fn admin_token(file: Option<&Path>) -> Result<Option<AdminToken>, ConfigError> {
    let token = file.map(AdminToken::open).transpose();
    token.map_err(|error| ConfigError::AdminToken(error.to_string()))
}

pub(crate) fn port_map(text: &str) -> Result<BTreeMap<u16, u16>, ConfigError> {
    let refused = || ConfigError::PortMap(text.to_owned());
    let mut map = BTreeMap::new();
    for pair in pairs(text) {
        let (from, to) = pair.split_once('=').ok_or_else(refused)?;
        let port = |text: &str| text.trim().parse().ok().filter(|port: &u16| *port > 0);
        let (from, to) = port(from).zip(port(to)).ok_or_else(refused)?;
        if map.values().any(|taken| *taken == to) || map.insert(from, to).is_some() {
            return Err(refused());
        }
    }
    Ok(map)
}

pub(crate) fn labels(text: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let refused = || ConfigError::Labels(text.to_owned());
    let mut labels = BTreeMap::new();
    for pair in pairs(text) {
        let (key, value) = pair.split_once('=').ok_or_else(refused)?;
        let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
        if key.is_empty() || labels.insert(key, value).is_some() {
            return Err(refused());
        }
    }
    Ok(labels)
}

fn locality(text: &str) -> Result<Locality, ConfigError> {
    Locality::of_gateway(text).map_err(|error| ConfigError::Locality(text.to_owned(), error))
}

fn pairs(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|pair| !pair.is_empty())
}

#[cfg(test)]
mod tests {
    use sealgate_model::preview::GatewayOptions;

    use super::*;

    #[test]
    fn ports_are_mapped_once_each() {
        assert_eq!(
            port_map("443=8443, 80=8080"),
            Ok(BTreeMap::from([(443, 8443), (80, 8080)]))
        );
        assert_eq!(port_map(""), Ok(BTreeMap::new()));
        for bad in [
            "443", "443=", "0=1", "1=0", "1=65536", "1=2,1=3", "1=3,2=3", "a=b",
        ] {
            assert_eq!(port_map(bad), Err(ConfigError::PortMap(bad.to_owned())));
        }
    }

    #[test]
    fn the_page_has_the_same_defaults() {
        let own = GatewaySettings::new("istio-system");
        let told = GatewayOptions::new(&own.resolved(), own.paths);
        let page = GatewayOptions {
            budgets: own.budgets.to_string(),
            ..GatewayOptions::default()
        };
        assert_eq!(told, page);
    }

    fn kubernetes(secret_watch: &str) -> KubernetesArgs {
        KubernetesArgs {
            kube_context: None,
            secret_watch: secret_watch.to_owned(),
            watch_timeout: 60,
        }
    }

    #[test]
    fn a_source_is_a_directory_with_a_path() {
        let source = |text| source(text, &kubernetes("auto"));
        assert_eq!(source(Some("dir:/a")), Ok(Source::Directory("/a".into())));
        assert_eq!(source(None), Err(ConfigError::NoSource));
        assert_eq!(source(Some("dir:")), Err(ConfigError::Source("dir:".to_owned())));
        assert_eq!(source(Some("/a")), Err(ConfigError::Source("/a".to_owned())));
    }

    #[cfg(feature = "kubernetes")]
    #[test]
    fn or_it_is_kubernetes() {
        let source = |how| source(Some("kubernetes"), &kubernetes(how));
        assert!(matches!(source("name"), Ok(Source::Kubernetes(own)) if own.secrets == SecretWatch::Name));
        assert_eq!(source("all"), Err(ConfigError::SecretWatch("all".to_owned())));
    }

    #[test]
    fn modes_are_octal_permissions() {
        assert_eq!(socket_mode("0660"), Ok(0o660));
        for bad in ["0888", "7777", "rw", "-1"] {
            assert_eq!(socket_mode(bad), Err(ConfigError::SocketMode(bad.to_owned())));
        }
    }
}
