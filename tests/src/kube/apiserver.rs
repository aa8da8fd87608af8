//! kube-apiserver: its files and its command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_RSA_SHA256, SigningKey as _};
use serde_json::{Value, json};

use super::access::Access;
use super::daemon::Daemon;
use crate::pki::Authority;
use crate::site::free_port;

const ADMIN_TOKEN: &str = "the-tests-own-administrator";
/// The issuer and the audience of ServiceAccount tokens.
const ISSUER: &str = "https://kubernetes.default.svc";

/// How long the API server accepts a token after its expiry: ours are dated that much earlier.
const LEEWAY: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Apiserver {
    pub(super) daemon: Daemon,
    port: u16,
    authority: Authority,
    accounts: KeyPair,
}

impl Apiserver {
    /// Not started yet.
    pub(super) fn new(folder: &Path, program: PathBuf, etcd: u16, flags: &[&str]) -> Result<Self> {
        let port = free_port()?;
        let authority = Authority::new("Kubernetes of the tests")?;
        let serving = authority.leaf(&["127.0.0.1", "localhost", "kubernetes.default.svc"])?;
        // RSA, because its signatures can be used in tokens without conversion.
        let accounts = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
        let file = |name: &str, text: &str| -> Result<String> {
            let path = folder.join(name);
            fs::write(&path, text)?;
            Ok(path.display().to_string())
        };
        let key = file("accounts.key", &accounts.serialize_pem())?;
        let mut arguments = vec![
            format!("--etcd-servers=http://127.0.0.1:{etcd}"),
            format!("--secure-port={port}"),
            format!("--tls-cert-file={}", file("serving.crt", &serving.certificate)?),
            format!("--tls-private-key-file={}", file("serving.key", &serving.key)?),
            format!("--cert-dir={}", folder.join("certificates").display()),
            format!("--service-account-issuer={ISSUER}"),
            format!("--service-account-key-file={key}"),
            format!("--service-account-signing-key-file={key}"),
            format!(
                "--token-auth-file={}",
                file(
                    "tokens.csv",
                    &format!("{ADMIN_TOKEN},admin,admin,system:masters\n")
                )?
            ),
        ];
        arguments.extend(FLAGS.iter().chain(flags).map(ToString::to_string));
        let daemon = Daemon::new("kube-apiserver", program, arguments, folder);
        Ok(Self {
            daemon,
            port,
            authority,
            accounts,
        })
    }

    /// The administrator's kubeconfig.
    pub(super) fn admin(&self, folder: &Path) -> Result<Access> {
        let server = format!("https://127.0.0.1:{}", self.port);
        Access::write(
            folder,
            "admin",
            &server,
            &self.authority.certificate,
            "default",
            ADMIN_TOKEN,
        )
    }

    /// A token like one from the API server, but with any lifetime.
    pub(super) fn sign(&self, namespace: &str, name: &str, uid: &str, lifetime: Duration) -> Result<String> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let claims = json!({
            "iss": ISSUER,
            "aud": [ISSUER],
            "sub": format!("system:serviceaccount:{namespace}:{name}"),
            "iat": (now - 2 * LEEWAY).as_secs(),
            "nbf": (now - 2 * LEEWAY).as_secs(),
            "exp": (now + lifetime - LEEWAY).as_secs(),
            "kubernetes.io": { "namespace": namespace, "serviceaccount": { "name": name, "uid": uid } },
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!(
            "{}.{}",
            part(&json!({ "alg": "RS256", "typ": "JWT" })),
            part(&claims)
        );
        let signature = URL_SAFE_NO_PAD.encode(self.accounts.sign(signed.as_bytes())?);
        Ok(format!("{signed}.{signature}"))
    }
}

/// The flags that do not depend on the machine.
const FLAGS: [&str; 9] = [
    "--bind-address=127.0.0.1",
    "--advertise-address=127.0.0.1",
    // It would publish its address, but 127.0.0.1 must not be published.
    "--endpoint-reconciler-type=none",
    "--authorization-mode=RBAC",
    "--service-cluster-ip-range=10.0.0.0/24",
    // It waits for objects from controllers, of which there are none.
    "--disable-admission-plugins=ServiceAccount",
    // Only tests compact the history.
    "--etcd-compaction-interval=0",
    "--profiling=false",
    "--shutdown-delay-duration=0s",
];
