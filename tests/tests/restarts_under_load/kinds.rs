//! Every kind of object that was served and no longer can be: its valid text, and how it becomes invalid.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::manifests::{entry, gateway_of, plain_server, routes_of, tls_server};

/// How an object goes bad.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It does not: it is there to be served all the while.
    None,
    /// The first such text of its manifest becomes another one.
    Edit(&'static str, &'static str),
    /// A file gets another text.
    Write(&'static str, &'static str),
    /// A folder is removed.
    Remove(&'static str),
    /// A file becomes a link to itself, which nobody can read.
    Circle(&'static str),
}

/// How its host is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Without TLS, by the Gateway `edge` or its own.
    Plain,
    /// With the certificate of its own Secret.
    Tls,
    /// And with a client's certificate.
    Mutual,
}

/// A kind; its name is that of the objects, of their file, and of the host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// NAME.test.
    pub(crate) host: &'static str,
    pub(crate) reach: Reach,
    pub(crate) fault: Fault,
    /// The object or file that is bad, by its name: without a folder a new agent knows of a deleted Secret by its Gateway alone.
    pub(crate) said: &'static str,
    /// Without a folder, a running Envoy goes on with all that this host needs.
    pub(crate) envoy_keeps: bool,
}

/// Each kind.
pub(crate) const KINDS: [Kind; 13] = [
    kind("good", "good.test", Fault::None, "").kept(),
    kind(
        "server",
        "server.test",
        Fault::Edit("mode: SIMPLE", "mode: SIMPLE, minProtocolVersion: TLS_ONE"),
        "istio-system/server",
    )
    .over(Reach::Tls),
    kind(
        "gateway",
        "gateway.test",
        Fault::Edit(
            "namespace: istio-system",
            "namespace: istio-system, annotations: {sealgate.dev/identity: \"{]\"}",
        ),
        "istio-system/gateway",
    ),
    kind(
        "rule",
        "rule.test",
        Fault::Edit(
            "    route:",
            "    headers: {request: {set: {\"a b\": x}}}\n    route:",
        ),
        "istio-system/rule",
    ),
    kind(
        "match",
        "match.test",
        Fault::Edit("prefix: /", "regex: \"(\""),
        "istio-system/match",
    ),
    kind(
        "service",
        "service.test",
        Fault::Edit("number: 80", "number: eighty"),
        "default/service",
    )
    .kept(),
    kind(
        "subset",
        "subset.test",
        Fault::Edit("labels: {version: one}", "labels: [one]"),
        "istio-system/subset",
    ),
    kind(
        "secret",
        "secret.test",
        Fault::Write("secret/tls.crt", "no certificate\n"),
        "istio-system/secret",
    )
    .over(Reach::Tls)
    .kept(),
    kind(
        "deleted",
        "deleted.test",
        Fault::Remove("deleted"),
        "istio-system/deleted",
    )
    .over(Reach::Tls)
    .kept(),
    kind(
        "bundle",
        "bundle.test",
        Fault::Write("bundle-cacert/ca.crt", "no certificate\n"),
        "istio-system/bundle-cacert",
    )
    .over(Reach::Mutual)
    .kept(),
    kind(
        "locked",
        "locked.test",
        Fault::Circle("locked/tls.key"),
        "istio-system/locked",
    )
    .over(Reach::Tls)
    .kept(),
    kind(
        "syntax",
        "syntax.test",
        Fault::Write("syntax.yaml", "a: [\n"),
        "syntax.yaml",
    ),
    kind("link", "link.test", Fault::Circle("link.yaml"), "link.yaml"),
];

const fn kind(name: &'static str, host: &'static str, fault: Fault, said: &'static str) -> Kind {
    Kind {
        name,
        host,
        reach: Reach::Plain,
        fault,
        said,
        envoy_keeps: false,
    }
}

impl Kind {
    const fn over(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    const fn kept(self) -> Self {
        Self {
            envoy_keeps: true,
            ..self
        }
    }

    /// Its objects; the one that goes bad is the first of them.
    fn objects(&self, app: u16) -> String {
        let Self {
            name, host, reach, ..
        } = *self;
        let route = |to: &str, more: &str| {
            format!("    route: [{{destination: {{host: {to}.local, port: {{number: 80}}{more}}}}}]\n")
        };
        let rule = |route: &str| format!("  - match: [{{uri: {{prefix: /}}}}]\n{route}");
        let routes = |gateway: &str, rules: &str| routes_of("istio-system", name, (gateway, host), rules);
        let own =
            |server: &str| gateway_of("istio-system", name, server) + &routes(name, &rule(&route("app", "")));
        let mode = if reach == Reach::Mutual {
            "MUTUAL"
        } else {
            "SIMPLE"
        };
        match name {
            _ if reach != Reach::Plain => own(&tls_server(
                host,
                &format!("mode: {mode}, credentialName: {name}"),
            )),
            "gateway" => own(&plain_server(80, host)),
            "rule" => {
                // If the first rule went, the second one would answer for it.
                let second = rule(&route("other", ""));
                routes(
                    "edge",
                    &(rule(&route("app", "")).replace("prefix: /", "prefix: /rule") + &second),
                )
            }
            "service" => {
                entry(name, "service.local", 80, app) + "---\n" + &routes("edge", &rule(&route(name, "")))
            }
            "subset" => {
                let entry = entry(name, "subset.local", 80, app);
                let entry = entry.replace(
                    "{address: 127.0.0.1,",
                    "{address: 127.0.0.1, labels: {version: one},",
                );
                let subsets = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: subset, namespace: \
                               istio-system}\nspec:\n  host: subset.local\n  subsets: [{name: one, labels: {version: one}}]\n";
                let rules = rule(&route(name, ", subset: one"));
                [subsets, &entry, &routes("edge", &rules)].join("---\n")
            }
            _ => routes("edge", &rule(&route("app", ""))),
        }
    }

    /// Writes its manifest, as it is good.
    pub(crate) fn write(&self, dir: &Path, app: u16) -> Result<()> {
        Ok(fs::write(self.manifest(dir), self.objects(app))?)
    }

    fn manifest(&self, dir: &Path) -> std::path::PathBuf {
        dir.join(format!("{}.yaml", self.name))
    }

    /// Lets it go bad.
    pub(crate) fn spoil(&self, dir: &Path) -> Result<()> {
        match self.fault {
            Fault::None => Ok(()),
            Fault::Edit(good, bad) => {
                let text = fs::read_to_string(self.manifest(dir))?;
                ensure!(text.contains(good), "{good:?} is not in {text}");
                Ok(fs::write(self.manifest(dir), text.replacen(good, bad, 1))?)
            }
            Fault::Write(file, text) => Ok(fs::write(dir.join(file), text)?),
            Fault::Remove(folder) => Ok(fs::remove_dir_all(dir.join(folder))?),
            Fault::Circle(file) => {
                let path = dir.join(file);
                let name = path.file_name().and_then(|name| name.to_str());
                let name = name.context("no name")?;
                // Hidden, and no file of the source: in one step there is a link, which leads in a circle.
                let aside = path.with_file_name(format!(".{name}"));
                symlink(name, &aside)?;
                Ok(fs::rename(aside, path)?)
            }
        }
    }
}

/// What all of them need: where the rest goes, and the Gateway without TLS.
pub(crate) fn base(app: u16, other: u16, httpbin: u16) -> String {
    [("app", app), ("other", other), ("slow", httpbin)]
        .map(|(name, port)| entry(name, &format!("{name}.local"), 80, port) + "---\n")
        .concat()
        + &gateway_of("istio-system", "edge", &plain_server(80, "*"))
        + &routes_of(
            "istio-system",
            "slow",
            ("edge", "slow.test"),
            "  - route: [{destination: {host: slow.local, port: {number: 80}}}]\n",
        )
}
