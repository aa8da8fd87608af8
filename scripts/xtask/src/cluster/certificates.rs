//! Certificates, made by OpenSSL: those with which the parts of the cluster authenticate each other, and those of the
//! walkthrough.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::addresses::{API_SERVER, NODE};

/// A CA, and what it has signed, in a folder.
pub(super) struct Authority(PathBuf);

impl Authority {
    pub(super) fn new(folder: &Path, subject: &str) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let own = Self(folder.to_owned());
        let mut command = openssl(&["req", "-x509", "-nodes", "-days", "30", "-subj", subject]);
        elliptic(&mut command);
        command
            .arg("-keyout")
            .arg(own.key("ca"))
            .arg("-out")
            .arg(own.certificate("ca"));
        quiet(&mut command)?;
        Ok(own)
    }

    pub(super) fn certificate(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.crt"))
    }

    pub(super) fn key(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.key"))
    }

    /// Signs a certificate of a subject and its alternative names.
    pub(super) fn sign(&self, name: &str, subject: &str, names: &str) -> Result<()> {
        let (request, extensions) = (
            self.0.join(format!("{name}.csr")),
            self.0.join(format!("{name}.ext")),
        );
        let text = format!("subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n");
        fs::write(&extensions, text)?;
        let mut command = openssl(&["req", "-nodes", "-subj", subject]);
        elliptic(&mut command);
        command
            .arg("-keyout")
            .arg(self.key(name))
            .arg("-out")
            .arg(&request);
        quiet(&mut command)?;
        let mut command = openssl(&["x509", "-req", "-days", "30", "-CAcreateserial", "-in"]);
        command.arg(&request).arg("-CA").arg(self.certificate("ca"));
        command.arg("-CAkey").arg(self.key("ca"));
        command.arg("-extfile").arg(&extensions);
        quiet(command.arg("-out").arg(self.certificate(name)))
    }

    /// The serial number of a certificate, in hexadecimal without leading zeros.
    pub(super) fn serial(&self, name: &str) -> Result<String> {
        let mut command = openssl(&["x509", "-noout", "-serial", "-in"]);
        let output = command.arg(self.certificate(name)).output()?;
        let text = String::from_utf8(output.stdout)?;
        let serial = text.trim().strip_prefix("serial=").context("no serial number")?;
        Ok(serial.trim_start_matches('0').to_lowercase())
    }
}

/// The CA of the cluster, with the certificates of its parts and the key for the tokens of ServiceAccounts.
pub(super) fn of_the_cluster(folder: &Path) -> Result<Authority> {
    let authority = Authority::new(folder, "/CN=cluster")?;
    let api_server =
        format!("DNS:kubernetes.default.svc,DNS:localhost,IP:127.0.0.1,IP:{NODE},IP:{API_SERVER}");
    let kubelet = format!("DNS:node1,IP:{NODE}");
    for (name, subject, names) in [
        ("apiserver", "/CN=kube-apiserver", api_server.as_str()),
        (
            "kubelet",
            "/O=system:nodes/CN=system:node:node1",
            kubelet.as_str(),
        ),
        ("admin", "/O=system:masters/CN=admin", "DNS:admin"),
        (
            "controllers",
            "/CN=system:kube-controller-manager",
            "DNS:controllers",
        ),
        ("scheduler", "/CN=system:kube-scheduler", "DNS:scheduler"),
        ("proxy", "/CN=system:kube-proxy", "DNS:proxy"),
    ] {
        authority.sign(name, subject, names)?;
    }
    let mut command = openssl(&["genrsa", "-out"]);
    quiet(command.arg(authority.key("tokens")).arg("2048"))?;
    Ok(authority)
}

fn openssl(arguments: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command.args(arguments);
    command
}

fn elliptic(command: &mut Command) {
    command.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
}

fn quiet(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(())
}
