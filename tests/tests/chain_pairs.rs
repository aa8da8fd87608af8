//! Every pair of a filter chain that Envoy chose and a host that is requested on it, in every TLS mode: real agent,
//! real Envoy, and server names that no library would send. The expectations come from the documented rule, in
//! `chain_pairs/oracle.rs`. The results are `docs/reference/connections.md`; `SEALGATE_WRITE_DOCS=1` writes it.

mod oracle;
mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use sealgate_tests::client::{Connection, Tls, Version};
use sealgate_tests::clients::{SeenRequest, ask_on, with_any_sni};
use sealgate_tests::handmade::{Content, Handmade};
use sealgate_tests::pki::Authority;
use sealgate_tests::site::Site;
use sealgate_tests::{echo, eventually};

use self::oracle::{CLIENTS, Caller, HostSpec, MORE_HOSTS, Mode, PLAIN, SERVERS, Variant};
use self::page::{Page, Seen};

const START: Duration = Duration::from_secs(20);
/// So many connections at once.
const AT_ONCE: usize = 8;

/// Server names that belong to nobody, or lie below a wildcard.
const MORE_SNIS: [&str; 5] = ["nobody.example", "q.w.test", "r.q.w.test", "w.test", "q.x.test"];

/// A gateway with all hosts of a variant.
struct World {
    site: Site,
    variant: Variant,
    clients: Vec<(Caller, Tls)>,
    /// The certificate of each server, by its Secret.
    leaves: BTreeMap<&'static str, Vec<u8>>,
}

/// What came of a connection.
#[derive(Debug, Default)]
struct Talk {
    /// The certificate that was shown.
    leaf: Vec<u8>,
    answers: Vec<(String, SeenRequest)>,
}

impl World {
    async fn start(variant: Variant) -> Result<Self> {
        let site = Site::start_with(Vec::new()).await?;
        let (roots, servers) = (
            [Handmade::root("A")?, Handmade::root("B")?],
            Authority::new("CA")?,
        );
        for (root, name) in roots.iter().zip(["clients-a", "clients-b"]) {
            fs::create_dir_all(site.dir().join(name))?;
            fs::write(site.dir().join(name).join("ca.crt"), root.pem())?;
        }
        let mut leaves = BTreeMap::new();
        for host in variant.servers() {
            let leaf = servers.leaf(&[host.pattern])?;
            leaf.write(&site.dir().join(host.name))?;
            leaves.insert(host.name, leaf.der);
        }
        let [a, b] = &roots;
        let client = |caller: Caller| -> Result<Tls> {
            let root = match caller {
                Caller::Nobody => return with_any_sni(None, Version::H1),
                Caller::Alice | Caller::Bob => a,
                Caller::Carol => b,
            };
            let sans = vec![(2, caller.name().as_bytes().to_vec())];
            with_any_sni(
                Some(&root.signs(&Content {
                    sans,
                    ..Content::default()
                })?),
                Version::H1,
            )
        };
        let clients = CLIENTS.into_iter().map(|caller| Ok((caller, client(caller)?)));
        let world = Self {
            clients: clients.collect::<Result<_>>()?,
            leaves,
            variant,
            site,
        };
        world
            .site
            .write("site.yaml", &objects(variant, echo::start("app").await?))?;
        let ready = eventually("the gateway serves", START, || world.is_ready()).await;
        ready.with_context(|| {
            world
                .site
                .check()
                .map(|(_, seen)| format!("{:#}", seen["findings"]))
                .unwrap_or_default()
        })?;
        Ok(world)
    }

    /// The last host of each port answers: then all do.
    async fn is_ready(&self) -> Result<()> {
        let mut plain = Connection::open_plain(self.site.http).await?;
        let seen = ask_on(&mut plain, PLAIN[0]).await?;
        ensure!(seen.status == 200, "{}", seen.status);
        for host in self.variant.servers() {
            let sni = host.pattern.replace('*', "ready");
            let Some((_, tls)) = self.clients.iter().find(|(caller, _)| host.mode.takes(*caller)) else {
                continue;
            };
            let mut open = Connection::open_as(self.site.https, Some(sni.as_bytes()), tls).await?;
            let seen = ask_on(&mut open, &sni).await?;
            ensure!(seen.status == 200, "{sni}: {}", seen.status);
        }
        Ok(())
    }

    /// All requests on one connection; nothing if it does not come about.
    async fn ask(&self, sni: Option<&[u8]>, caller: Caller, tls: &Tls) -> Result<Talk> {
        let hosts = spelled(sni.map_or(0, <[u8]>::len), &self.variant.hosts());
        let Ok(mut open) = Connection::open_as(self.site.https, sni, tls).await else {
            return Ok(Talk::default());
        };
        let mut talk = Talk {
            leaf: open.leaf.clone(),
            ..Talk::default()
        };
        for host in hosts {
            // Whoever is refused by his certificate learns of it after his handshake, with his first request.
            match ask_on(&mut open, &host).await {
                Ok(answer) => talk.answers.push((host, answer)),
                Err(_) if talk.answers.is_empty() => return Ok(talk),
                Err(error) => return Err(error.context(format!("{host} of {caller:?}"))),
            }
        }
        Ok(talk)
    }
}

/// Each host as it is, and in one of the other spellings.
fn spelled(turn: usize, hosts: &[&str]) -> Vec<String> {
    let other = |(at, host): (usize, &&str)| match (turn + at) % 5 {
        0 => format!("{host}."),
        1 => host.to_ascii_uppercase(),
        2 => format!("{host}:443"),
        3 => format!("{host}.:8443"),
        _ => format!("{}.", host.to_ascii_uppercase()),
    };
    let others: Vec<_> = hosts.iter().enumerate().map(other).collect();
    hosts.iter().map(ToString::to_string).chain(others).collect()
}

/// The server names that are tried: all of them in three spellings, none, and one that is too long to be any.
fn server_names(variant: Variant) -> Vec<Option<Vec<u8>>> {
    let servers = variant.servers();
    let own = servers
        .iter()
        .map(|host| host.pattern)
        .filter(|host| !host.starts_with('*'));
    let names: BTreeSet<_> = own.chain(MORE_SNIS).collect();
    let spellings = |name: &&str| [name.to_string(), format!("{name}."), name.to_ascii_uppercase()];
    let long = [vec![b'l'; 250], b".test".to_vec()].concat();
    names
        .iter()
        .flat_map(spellings)
        .map(|name| Some(name.into_bytes()))
        .chain([None, Some(long)])
        .collect()
}

fn objects(variant: Variant, upstream: u16) -> String {
    let server = |host: &HostSpec| {
        format!(
            "  - port: {{number: 443, name: https, protocol: HTTPS}}\n    hosts: [\"{}\"]\n    tls: {{{}credentialName: '{}'}}\n",
            host.pattern,
            host.mode.fields(),
            host.name
        )
    };
    let gateway = |name: &str, servers: String| {
        let annotations = if variant == Variant::OnDemand {
            ", annotations: {sealgate.dev/certificates: onDemand}"
        } else {
            ""
        };
        format!(
            "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: {name}, namespace: istio-system{annotations}}}\nspec:\n  \
             selector: {{istio: ingressgateway}}\n  servers:\n{servers}---\n"
        )
    };
    let plain = PLAIN.iter().map(|host| {
        format!("  - port: {{number: 80, name: http, protocol: HTTP}}\n    hosts: [\"{host}\"]\n")
    });
    let mut text = gateway("plain", plain.collect());
    let mut routes: Vec<_> = PLAIN.map(|host| (host, "plain".to_owned())).to_vec();
    // A wildcard's rules would speak for a narrower server of the same Gateway too, so each has one of its own. The oldest is
    // that of the smallest name.
    for (at, host) in variant.servers().iter().enumerate() {
        let name = format!("tls-{at:02}");
        text += &gateway(&name, server(host));
        routes.push((host.pattern, name));
    }
    for (at, (pattern, gateway)) in routes.iter().enumerate() {
        text += &format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: v{at}}}\nspec:\n  hosts: [\"{pattern}\"]\n  gateways: \
             [istio-system/{gateway}]\n  http:\n  - headers: {{request: {{set: {{x-owner: '{pattern}'}}}}}}\n    route: [{{destination: {{host: \
             app.local, port: {{number: 80}}}}}}]\n---\n"
        );
    }
    text + &sealgate_tests::edge::service("app", upstream)
}

/// Whether a connection's requests were answered as the rule says, and its client told as it is.
fn compare(world: &World, sni: Option<&[u8]>, caller: Caller, talk: &Talk) -> Result<()> {
    let (variant, seen) = (world.variant, &talk.answers);
    let Some(chain) = variant.chain(sni).filter(|chain| chain.mode.takes(caller)) else {
        ensure!(
            seen.is_empty(),
            "a connection that was to fail is answered: {seen:?}"
        );
        return Ok(());
    };
    ensure!(
        !seen.is_empty(),
        "the handshake fails, with the chain of {}",
        chain.pattern
    );
    ensure!(
        world.leaves.get(chain.name) == Some(&talk.leaf),
        "another chain's certificate than that of {}",
        chain.pattern
    );
    for (host, answer) in seen {
        let expected = variant.answer(&chain, host);
        ensure!(
            answer.status == expected,
            "{host} by the chain of {}: {} and not {expected}",
            chain.pattern,
            answer.status
        );
        if expected == 200 {
            let owner = variant.owner(host).map(|owner| owner.pattern);
            ensure!(
                answer.get("x-owner") == owner,
                "{host} is answered by {:?}",
                answer.get("x-owner")
            );
            is_told(&chain, caller, answer)
                .with_context(|| format!("{host} by the chain of {}", chain.pattern))?;
        }
    }
    Ok(())
}

/// What upstreams are told is what this chain has verified.
fn is_told(chain: &HostSpec, caller: Caller, answer: &SeenRequest) -> Result<()> {
    let (verified, issuer, name) = match (chain.mode, caller) {
        (Mode::Simple | Mode::Newest, _) => (None, None, None),
        (_, Caller::Nobody) => (Some("none"), None, None),
        (_, Caller::Alice | Caller::Bob) => (Some("true"), Some("CN=A"), Some(caller.name())),
        (_, Caller::Carol) => (Some("true"), Some("CN=B"), Some(caller.name())),
    };
    for (header, expected) in [
        ("x-client-cert-verified", verified),
        ("x-client-cert-issuer", issuer),
        ("x-client-cert-dns-san", name),
    ] {
        ensure!(
            answer.get(header) == expected,
            "{header}: {:?} and not {expected:?}",
            answer.get(header)
        );
    }
    Ok(())
}

/// Everything of one variant.
async fn variant(variant: Variant, page: &mut Page) -> Result<()> {
    let world = World::start(variant).await?;
    let names = server_names(variant);
    let connections = names
        .iter()
        .flat_map(|sni| world.clients.iter().map(move |client| (sni.as_deref(), client)));
    let all: Vec<Seen> = futures::stream::iter(connections)
        .map(|(sni, (caller, tls))| {
            let world = &world;
            async move {
                let place = || {
                    format!(
                        "{variant:?}, {:?} of {caller:?}",
                        sni.map(|sni| String::from_utf8_lossy(sni).into_owned())
                    )
                };
                let talk = world.ask(sni, *caller, tls).await.with_context(place)?;
                compare(world, sni, *caller, &talk).with_context(place)?;
                anyhow::Ok(Seen::new(sni, *caller, &talk.answers))
            }
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    page.add(variant, &all);
    plain(&world).await
}

/// By plain HTTP hosts are those of plain servers, and nobody is told of.
async fn plain(world: &World) -> Result<()> {
    let mut open = Connection::open_plain(world.site.http).await?;
    for host in spelled(0, &world.variant.hosts()) {
        let seen = ask_on(&mut open, &host).await?;
        let owner = PLAIN.into_iter().find(|own| *own == oracle::normal(&host));
        ensure!(
            seen.status == if owner.is_some() { 200 } else { 404 },
            "plain {host}: {}",
            seen.status
        );
        ensure!(
            seen.get("x-owner") == owner,
            "plain {host}: {:?}",
            seen.get("x-owner")
        );
        ensure!(
            seen.get("x-client-cert-verified").is_none(),
            "plain {host}: {:?}",
            seen.headers
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_pair_of_chain_and_host_is_answered_as_the_page_says() -> Result<()> {
    let mut page = Page::default();
    for one in Variant::ALL {
        variant(one, &mut page).await?;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/connections.md");
    let text = page.text();
    if std::env::var_os("SEALGATE_WRITE_DOCS").is_some() {
        fs::write(&path, &text)?;
    }
    let held = fs::read_to_string(&path).unwrap_or_default();
    ensure!(
        held == text,
        "docs/reference/connections.md is stale: run this test with SEALGATE_WRITE_DOCS=1"
    );
    Ok(())
}

#[test]
fn the_servers_ask_for_everything_that_can_be_asked() {
    let modes: BTreeSet<_> = SERVERS.iter().map(|host| host.mode.fields()).collect();
    assert_eq!(modes.len(), 6, "{modes:?}");
    assert!(
        MORE_HOSTS
            .iter()
            .all(|host| SERVERS.iter().all(|own| own.pattern != *host))
    );
}
