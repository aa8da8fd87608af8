//! `sealgate explain` on a site's directory, and whether Envoy agrees.

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use crate::edge::{UPSTREAMS, Way};
use crate::raw::RawAnswer;
use crate::scenario::{Seen, explained, seen};
use crate::site::Site;

/// The answers of `explain --batch` to these questions, in order.
///
/// # Errors
/// A question is none, or the directory cannot be read.
pub fn ask(site: &Site, questions: &[Value]) -> Result<Vec<Value>> {
    ask_with(site, &[], questions)
}

/// The same with more flags.
///
/// # Errors
/// As those of [`ask`].
pub fn ask_with(site: &Site, flags: &[&str], questions: &[Value]) -> Result<Vec<Value>> {
    let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
    // Beside the directory, not in it.
    site.write("../batch.jsonl", &lines)?;
    let folder = site.dir();
    let folder_text = folder.display().to_string();
    let batch = folder.join("../batch.jsonl").display().to_string();
    let own = ["explain", "--dir", &folder_text, "--batch", &batch];
    let output = site.sealgate(&[&own, flags].concat())?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "explain: {error}");
    let answers = String::from_utf8(output.stdout)?;
    let answers: Vec<Value> = answers
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    ensure!(answers.len() == questions.len(), "{} answers", answers.len());
    Ok(answers)
}

/// A request that reached an upstream, as the upstream saw it.
#[derive(Clone, Debug)]
pub struct Arrived {
    place: String,
    question: Value,
    outcome: String,
}

impl Arrived {
    /// None if no upstream answered; `place` is for messages.
    ///
    /// # Errors
    /// An upstream's answer that is not [`crate::echo`]'s.
    pub fn read(place: String, way: Way, answer: &RawAnswer) -> Result<Option<Self>> {
        if answer.status.is_none() {
            return Ok(None);
        }
        let Seen { outcome, headers, .. } = seen(answer, &UPSTREAMS)?;
        if !outcome.starts_with("to ") {
            return Ok(None);
        }
        let line = answer.body.lines().nth(1).unwrap_or_default();
        let [method, path, "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..] else {
            bail!("{place}: {line:?} arrived")
        };
        let authority = headers.get("host").cloned().unwrap_or_default().concat();
        let pairs: Vec<_> = headers
            .iter()
            .flat_map(|(name, values)| values.iter().map(move |value| (name, value)))
            .collect();
        let question = json!({
            "scheme": way.scheme(), "protocol": way.protocol(), "method": method, "path": path, "authority": authority, "headers": pairs,
        });
        Ok(Some(Self {
            place,
            question,
            outcome,
        }))
    }
}

/// Each went where `explain` says of what arrived.
///
/// # Errors
/// All that did not.
pub fn agrees(site: &Site, arrived: &[Arrived]) -> Result<()> {
    let questions: Vec<Value> = arrived.iter().map(|one| one.question.clone()).collect();
    let answers = ask(site, &questions)?;
    let differ = arrived.iter().zip(&answers).filter_map(|(one, answer)| {
        let says = explained(answer);
        (says != one.outcome).then(|| format!("{}: went {}, and explain says {says}", one.place, one.outcome))
    });
    let differ: Vec<String> = differ.collect();
    ensure!(differ.is_empty(), "{}", differ.join("\n"));
    Ok(())
}
