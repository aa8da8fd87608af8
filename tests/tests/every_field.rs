//! No field is silently ignored. `data/every-field.yaml` has every field of the definitions; each is removed once, and
//! either what is served changes, or a finding has named it. `docs/reference/fields.md` says which, for every field.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use sealgate_agent::config::GatewaySettings;
use sealgate_agent::engine::Engine;
use sealgate_agent::translate::Settings;
use sealgate_core::rules::TableConfig;
use sealgate_core::table::PARTS;
use sealgate_model::manifest::{self, Namespaces};
use sealgate_model::resolve::{ConnectionPolicy, HostKey, Resolver, StreamKey};
use sealgate_model::resolved::{ServedPort, Share, Upstream};
use sealgate_model::{Code, CredentialName, Finding, Severity, SourceEvent, SourceObject, validate};
use sealgate_tests::fields::{self, Occurrence};
use serde_json::Value;

const OBJECTS: &str = include_str!("data/every-field.yaml");
const PAGE: &str = include_str!("../../docs/reference/fields.md");

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// What is served depends on it.
    CarriedOut,
    /// An error names it.
    Refused,
    /// A warning names it.
    Reported,
    /// It is a name or a note, and nothing depends on it.
    NoEffect,
}

impl Fate {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "supported" => Self::CarriedOut,
            "refused" => Self::Refused,
            "reported" => Self::Reported,
            "no effect" => Self::NoEffect,
            _ => return None,
        })
    }
}

/// What becomes of all objects.
struct Outcome {
    served: Served,
    findings: Vec<Finding>,
    /// What refuses an object by itself: that a Secret is missing does not.
    refusals: Vec<Finding>,
}

/// Everything that a proxy gets, before it is encoded.
#[derive(Debug, PartialEq)]
struct Served {
    /// The Gateways, as people are shown them.
    gateways: Vec<(String, Vec<String>)>,
    ports: Vec<(ServedPort, TableConfig)>,
    demands: BTreeMap<HostKey, ConnectionPolicy>,
    streams: Vec<(StreamKey, Vec<Share>)>,
    upstreams: Vec<Upstream>,
    wanted: Vec<CredentialName>,
}

impl Served {
    fn of(resolver: &Resolver) -> Self {
        let gateways = resolver.gateways().iter();
        let parts = (0..PARTS).filter_map(|at| resolver.part(at));
        Self {
            gateways: gateways
                .map(|(rank, gateway)| {
                    (
                        format!("{}/{}", rank.namespace, rank.name),
                        gateway.described.clone(),
                    )
                })
                .collect(),
            ports: resolver
                .ports()
                .map(|port| (ServedPort::clone(port), resolver.table(port.number)))
                .collect(),
            demands: parts.flat_map(|part| part.demands.clone()).collect(),
            streams: resolver
                .streams()
                .map(|(key, shares)| (key, shares.to_vec()))
                .collect(),
            upstreams: resolver.upstreams().map(|own| Upstream::clone(own)).collect(),
            wanted: resolver.wanted().iter().cloned().collect(),
        }
    }
}

fn translate(objects: &[Value]) -> Result<Outcome> {
    let namespaces = Namespaces {
        gateway: "istio-system".to_owned(),
        other: "default",
    };
    let mut entries = Vec::new();
    for object in objects {
        entries.extend(manifest::read(
            "every-field.yaml",
            &serde_json::to_vec(object)?,
            &namespaces,
        ));
    }
    let refusals = entries.iter().flat_map(refusals).collect();
    let settings = Settings {
        gateway: GatewaySettings::new(&namespaces.gateway),
        listen: "0.0.0.0".to_owned(),
        module: "sealgate_filter.wasm".into(),
    };
    let (mut engine, _) = Engine::new(settings);
    engine.apply([SourceEvent::Reset(entries)], Instant::now());
    Ok(Outcome {
        served: Served::of(engine.resolver()),
        findings: engine.view().findings(),
        refusals,
    })
}

fn refusals(entry: &SourceObject) -> Vec<Finding> {
    let judged = entry.object.iter().flat_map(validate::object);
    let mut said: Vec<_> = entry.findings.iter().cloned().chain(judged).collect();
    said.retain(|finding| finding.severity == Severity::Error);
    said
}

/// The finding that refuses the object because of this field, or says that the field means nothing; that may name what the
/// field is part of.
fn named<'f>(outcome: &'f Outcome, object: &Value, field: &Occurrence) -> Option<&'f Finding> {
    let is_of = |finding: &&Finding| {
        *finding.object.kind.as_str() == object["kind"] && *finding.object.name == object["metadata"]["name"]
    };
    let names = |finding: &&Finding| {
        let place = finding.field.as_deref().unwrap_or_default();
        let rest = field.place.strip_prefix(place);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let is_about = |finding: &&Finding| finding.field.as_deref() == Some(field.place.as_str());
    let meaningless = |finding: &&Finding| finding.code == Code::NotCarriedOut;
    let said = outcome.findings.iter().filter(is_of).filter(meaningless);
    // Without TLS that cannot be had nothing is sent: that is no less than a refusal.
    let unsent = |finding: &&Finding| finding.code == Code::UpstreamTls;
    let unsent = outcome.findings.iter().filter(is_of).filter(unsent);
    let mut refused = outcome.refusals.iter().filter(is_of).chain(unsent);
    said.clone().find(names).or_else(|| refused.find(is_about))
}

fn without(objects: &[Value], at: usize, field: &Occurrence) -> Result<Vec<Value>> {
    let mut objects = objects.to_vec();
    let spec = objects.get_mut(at).and_then(|object| object.get_mut("spec"));
    let parent = spec.and_then(|spec| spec.pointer_mut(&field.parent));
    let parent = parent
        .and_then(Value::as_object_mut)
        .context("the field has a parent")?;
    ensure!(parent.remove(&field.name).is_some(), "{field:?} is not there");
    Ok(objects)
}

/// The fates of every field of every kind, as they are seen.
fn seen() -> Result<BTreeMap<(String, String), BTreeSet<Fate>>> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(OBJECTS)?;
    let schemas = fields::schemas()?;
    let whole = translate(&objects)?;
    let mut seen = BTreeMap::new();
    for (kind, schema) in &schemas {
        for field in fields::of_schema(schema) {
            seen.insert((kind.clone(), field), BTreeSet::new());
        }
    }
    let mut trials = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        let kind = object["kind"].as_str().context("a kind")?;
        trials.extend(
            fields::of_object(&schemas[kind], &object["spec"])
                .into_iter()
                .map(|field| (at, field)),
        );
    }
    let fate = |(at, field): &(usize, Occurrence)| {
        let object = objects.get(*at).context("an object")?;
        let kind = object["kind"].as_str().context("a kind")?;
        let fate = match named(&whole, object, field) {
            Some(finding) if finding.severity == Severity::Error => Fate::Refused,
            Some(_) => Fate::Reported,
            None if translate(&without(&objects, *at, field)?)?.served != whole.served => Fate::CarriedOut,
            None => Fate::NoEffect,
        };
        Ok(((kind.to_owned(), field.field.clone()), fate))
    };
    // Each takes away one field of hundreds of objects: as many at a time as the machine has processors.
    let share = trials.len().div_ceil(thread::available_parallelism()?.get());
    let fates = thread::scope(|scope| {
        let parts: Vec<_> = trials
            .chunks(share)
            .map(|part| scope.spawn(|| part.iter().map(fate).collect::<Result<Vec<_>>>()))
            .collect();
        let parts = parts
            .into_iter()
            .map(|part| part.join().map_err(|_| anyhow!("it panics"))?);
        parts.collect::<Result<Vec<_>>>()
    })?;
    for (key, fate) in fates.into_iter().flatten() {
        seen.get_mut(&key).context("a field of the schema")?.insert(fate);
    }
    Ok(seen)
}

/// One row of the page.
struct Row {
    kind: &'static str,
    field: String,
    fate: &'static str,
    tests: Vec<&'static str>,
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for section in PAGE.split("\n## ").skip(1) {
        let kind = section.lines().next().unwrap_or_default();
        for row in section.lines().filter_map(|line| line.strip_prefix("| `")) {
            let cells: Vec<&str> = row.split(" | ").collect();
            let [fields, fate, _, tests] = cells.as_slice() else {
                continue;
            };
            let tests = tests.split('`').skip(1).step_by(2);
            let tests: Vec<&str> = tests.collect();
            rows.extend(expand(fields.trim_end_matches('`')).into_iter().map(|field| Row {
                kind,
                field,
                fate,
                tests: tests.clone(),
            }));
        }
    }
    rows
}

/// `a.{b,c}.d` is `a.b.d` and `a.c.d`.
fn expand(text: &str) -> Vec<String> {
    let Some((before, rest)) = text.split_once('{') else {
        return vec![text.to_owned()];
    };
    let Some((choices, after)) = rest.split_once('}') else {
        return vec![text.to_owned()];
    };
    let each = choices
        .split(',')
        .flat_map(|choice| expand(&format!("{before}{choice}{after}")));
    each.collect()
}

#[test]
fn every_field_is_carried_out_refused_or_reported_as_the_page_says() -> Result<()> {
    let seen = seen()?;
    let mut said: BTreeMap<(String, String), &str> = BTreeMap::new();
    let missing = seen.iter().filter(|(_, fates)| fates.is_empty());
    let mut wrong: Vec<_> = missing.map(|(key, _)| format!("no object has {key:?}")).collect();
    for row in rows() {
        let key = (row.kind.to_owned(), row.field);
        if said.insert(key.clone(), row.fate).is_some() {
            wrong.push(format!("{key:?} has two rows"));
        }
        match (Fate::of(row.fate), seen.get(&key)) {
            (_, None) => wrong.push(format!("{key:?} is no field of the definitions")),
            (Some(Fate::NoEffect), Some(fates)) if fates.len() == 1 && fates.contains(&Fate::NoEffect) => {}
            (Some(fate), Some(fates)) if fate != Fate::NoEffect && fates.contains(&fate) => {}
            (_, Some(fates)) => wrong.push(format!("{key:?}: {:?} on the page, seen {fates:?}", row.fate)),
        }
    }
    let silent = seen.iter().filter(|(key, _)| !said.contains_key(*key));
    wrong.extend(silent.map(|(key, fates)| format!("{key:?} has no row, seen {fates:?}")));
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// The tests of this package ask a real Envoy, but for those of what is found and of what is served.
fn shows_behavior(test: &str) -> bool {
    let file = test.strip_prefix("tests/tests/");
    file.is_some_and(|file| !file.starts_with("findings.rs") && !file.starts_with("every_field.rs"))
}

#[test]
fn every_test_that_the_page_names_is_there() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    for row in rows() {
        ensure!(
            !row.tests.is_empty(),
            "{} {}: no test is named",
            row.kind,
            row.field
        );
        let is_seen = row.tests.iter().any(|test| shows_behavior(test));
        ensure!(
            Fate::of(row.fate) != Some(Fate::CarriedOut) || is_seen,
            "{} {}: no test asks a real Envoy",
            row.kind,
            row.field
        );
        for test in row.tests {
            let (file, name) = test
                .split_once("::")
                .with_context(|| format!("{test}: file::test"))?;
            let text = match texts.get(file) {
                Some(text) => text,
                None => {
                    let text = fs::read_to_string(root.join(file)).with_context(|| file.to_owned())?;
                    texts.entry(file).or_insert(text)
                }
            };
            ensure!(
                text.contains(&format!("fn {name}(")),
                "{test}: there is no such test"
            );
        }
    }
    Ok(())
}
