//! Access to the API server: kubeconfigs and tokens.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// A kubeconfig, and the file with its token.
#[derive(Clone, Debug)]
pub struct Access {
    /// The file for `KUBECONFIG`.
    pub kubeconfig: PathBuf,
    /// Rewriting it changes the token.
    pub token_file: PathBuf,
    server: String,
    authority: String,
}

impl Access {
    /// Writes both files into `folder`, with this name.
    pub(super) fn write(
        folder: &Path,
        name: &str,
        server: &str,
        authority: &str,
        namespace: &str,
        token: &str,
    ) -> Result<Self> {
        let access = Self {
            kubeconfig: folder.join(format!("{name}.kubeconfig")),
            token_file: folder.join(format!("{name}.token")),
            server: server.to_owned(),
            authority: authority.to_owned(),
        };
        fs::write(&access.token_file, token)?;
        fs::write(&access.kubeconfig, access.text(namespace))?;
        Ok(access)
    }

    fn text(&self, namespace: &str) -> String {
        format!(
            "apiVersion: v1\n\
             kind: Config\n\
             current-context: tests\n\
             clusters: [{{ name: tests, cluster: {{ server: '{}', certificate-authority-data: {} }} }}]\n\
             contexts: [{{ name: tests, context: {{ cluster: tests, user: tests, namespace: {namespace} }} }}]\n\
             users: [{{ name: tests, user: {{ tokenFile: '{}' }} }}]\n",
            self.server,
            STANDARD.encode(&self.authority),
            self.token_file.display(),
        )
    }

    /// The same server for another account.
    pub(super) fn for_token(&self, folder: &Path, namespace: &str, name: &str, token: &str) -> Result<Self> {
        let file = format!("{namespace}.{name}");
        Self::write(folder, &file, &self.server, &self.authority, namespace, token)
    }

    /// The same through another port on loopback.
    ///
    /// # Errors
    /// The file system's.
    pub fn through(&self, port: u16) -> Result<Self> {
        let text = fs::read_to_string(&self.kubeconfig)?;
        let server = format!("https://127.0.0.1:{port}");
        let access = Self {
            kubeconfig: self.kubeconfig.with_extension(format!("{port}.kubeconfig")),
            server: server.clone(),
            ..self.clone()
        };
        fs::write(&access.kubeconfig, text.replace(&self.server, &server))?;
        Ok(access)
    }

    /// The port on loopback on which the server listens.
    ///
    /// # Errors
    /// It has none.
    pub fn port(&self) -> Result<u16> {
        let port = self.server.rsplit(':').next().context("a server without port")?;
        Ok(port.parse()?)
    }

    /// A client that hides no failures: it does not retry.
    ///
    /// # Errors
    /// The kubeconfig cannot be read.
    pub async fn client(&self) -> Result<Client> {
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig)?;
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        config.default_retry = false;
        Ok(Client::try_from(config)?)
    }
}

/// A token for one hour, from the TokenRequest API.
pub(super) async fn request_token(client: &Client, namespace: &str, name: &str) -> Result<String> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    if accounts.get_opt(name).await?.is_none() {
        let mut account = ServiceAccount::default();
        account.metadata.name = Some(name.to_owned());
        accounts.create(&PostParams::default(), &account).await?;
    }
    let request = TokenRequest {
        spec: Some(TokenRequestSpec {
            expiration_seconds: Some(3600),
            ..TokenRequestSpec::default()
        }),
        ..TokenRequest::default()
    };
    let answer = accounts
        .create_token_request(name, &PostParams::default(), &request)
        .await?;
    answer
        .status
        .and_then(|status| status.token)
        .context("a TokenRequest without a token")
}

/// The UID with which a token distinguishes its ServiceAccount from a later one of the same name.
pub(super) async fn uid(client: &Client, namespace: &str, name: &str) -> Result<String> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    accounts
        .get(name)
        .await?
        .metadata
        .uid
        .context("a ServiceAccount without uid")
}
