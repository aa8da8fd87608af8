//! What it costs to tell upstreams who the client is: CPU per request of the real Envoy, kept connections and new
//! ones, beside Envoy's own XFCC. Mutual TLS, HTTP/2, one worker, a loopback upstream, interleaved rounds, medians.

use anyhow::{Context as _, Result};
use sealgate_tests::bench::filter::{Routing, RoutingSubject, Spot};
use sealgate_tests::bench::identity::IdentitySubject;
use sealgate_tests::bench::say;
use serde_json::{Value, json};

const NOTHING: &str = "Sealgate, routing alone";
const DEFAULT: &str = "Sealgate, the default: discrete headers and XFCC";
const NATIVE: [&str; 2] = ["Envoy alone, mutual TLS", "Envoy's own XFCC"];

const ADDING: &str = "Envoy alone, its route adds the same headers";
const BARE: [&str; 2] = ["bare ABI, three calls", "bare ABI, and the same headers"];

async fn subjects() -> Result<Vec<IdentitySubject>> {
    let default = IdentitySubject::sealgate(DEFAULT, "").await?;
    let told = default.told().await?;
    Ok(vec![
        IdentitySubject::native(NATIVE[0], "SANITIZE").await?,
        IdentitySubject::native(NATIVE[1], "SANITIZE_SET").await?,
        IdentitySubject::sealgate(NOTHING, "{headers: [], xfcc: off, misdirected: allow}").await?,
        IdentitySubject::sealgate("Sealgate, discrete headers", "{xfcc: off}").await?,
        IdentitySubject::sealgate("Sealgate, XFCC", "{headers: []}").await?,
        default,
        IdentitySubject::sealgate("Sealgate, RFC 9440", "{headers: [], xfcc: off, clientCert: leaf}").await?,
        IdentitySubject::adding(ADDING, &told).await?,
        IdentitySubject::bare(BARE[0], &[]).await?,
        IdentitySubject::bare(BARE[1], &told).await?,
    ])
}

/// The unit that the goal is in: see `bench filter`.
fn routing() -> [RoutingSubject; 3] {
    let spots = [Spot(1); 3];
    [
        RoutingSubject::new("Envoy alone, a direct response", Routing::Native(0), &spots),
        RoutingSubject::new("bare ABI, three calls", Routing::Bare, &spots),
        RoutingSubject::new("Sealgate, 10 routes", Routing::Sealgate(10), &spots),
    ]
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (starts, rounds, requests) = if quick { (2, 4, 40) } else { (5, 8, 120) };
    let mut routing = routing();
    let mut all: Vec<IdentitySubject> = Vec::new();
    for _ in 0..starts {
        let mut fresh = subjects().await?;
        let mut running = Vec::new();
        for subject in &routing {
            running.push(subject.start().await?);
        }
        // The first round is for caches and compilers.
        for round in 0..=rounds {
            for subject in &mut fresh {
                subject.round(requests).await?;
                if round == 0 {
                    subject.forget();
                }
            }
            for (subject, running) in routing.iter_mut().zip(&running) {
                subject.round(running, requests * 8).await?;
            }
        }
        if all.is_empty() {
            all = fresh;
        } else {
            all.iter_mut()
                .zip(fresh)
                .for_each(|(all, fresh)| all.gather(fresh));
        }
    }
    report(&all, &routing, &format!("{starts} x {rounds} rounds"))
}

fn report(all: &[IdentitySubject], routing: &[RoutingSubject; 3], rounds: &str) -> Result<()> {
    let title = format!("CPU per request, us, {rounds}");
    say(&format!("{title:<52}{:>10}{:>10}", "kept", "new"));
    for subject in all {
        say(&format!(
            "{:<52}{:>10.1}{:>10.1}",
            subject.name,
            kept(subject),
            fresh(subject)
        ));
    }
    for subject in routing {
        say(&format!("{:<52}{:>10.1}", subject.name, subject.mean()));
    }
    let nothing = find(all, NOTHING)?;
    let default = find(all, DEFAULT)?;
    let told = kept(default) - kept(nothing);
    let [alone, bare, sealgate] = routing.each_ref().map(RoutingSubject::mean);
    let connection = fresh(default) - fresh(nothing) - told;
    let native = kept(find(all, NATIVE[1])?) - kept(find(all, NATIVE[0])?);
    let floor = kept(find(all, BARE[1])?) - kept(find(all, BARE[0])?);
    let adding = kept(find(all, ADDING)?) - kept(find(all, NATIVE[0])?);
    say(&format!(
        "the default adds {told:.1} us to a request, and {connection:.1} us once to a connection; a bare module that sets the \
         same headers {floor:.1} us, Envoy's route {adding:.1} us; Envoy's own XFCC {native:.1} us"
    ));
    let ratios = json!({"default_vs_bare": (sealgate - alone + told) / (bare - alone), "default_vs_native_xfcc": told / native,
        "told_vs_floor": told / floor});
    let figures = json!({"added_us": told, "added_per_connection_us": connection, "floor_us": floor, "route_adds_us": adding, "native_xfcc_us": native,
        "bare_us": bare - alone, "routing_us": sealgate - alone, "rows": rows(all)});
    say(&json!({"bench": "identity", "ratios": ratios, "figures": figures}).to_string());
    Ok(())
}

fn find<'s>(all: &'s [IdentitySubject], name: &str) -> Result<&'s IdentitySubject> {
    all.iter()
        .find(|subject| subject.name == name)
        .context(name.to_owned())
}

/// In microseconds.
fn kept(subject: &IdentitySubject) -> f64 {
    subject.kept.p50() * 1000.0
}

fn fresh(subject: &IdentitySubject) -> f64 {
    subject.fresh.p50() * 1000.0
}

fn rows(all: &[IdentitySubject]) -> Value {
    let row = |subject: &IdentitySubject| {
        (
            subject.name.clone(),
            json!({"kept_us": kept(subject), "new_us": fresh(subject)}),
        )
    };
    Value::Object(all.iter().map(row).collect())
}
