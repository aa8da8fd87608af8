//! The scenario tables with the browser's module: it answers every question like `sealgate explain`, which another test
//! compares with the real Envoy with the filter.

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::browser::Browser;
use sealgate_tests::explain;
use sealgate_tests::front::say;
use sealgate_tests::manifests;
use sealgate_tests::pki::Authority;
use sealgate_tests::scenario::{self, GATEWAY, UPSTREAMS, explained};
use sealgate_tests::site::Site;
use serde_json::{Value, json};

use super::files::Files;

const ASK: &str = "const { ask } = await import('./explorer.js'); \
    await ask('manifests', arguments[0], {}); \
    const answers = []; for (const question of arguments[1]) answers.push(await ask('line', question)); return answers";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_browser_answers_as_explain_does() -> Result<()> {
    let scenarios = scenario::all()?;
    let site = Site::prepare().await?;
    let mut objects = vec![GATEWAY.to_owned()];
    for (at, name) in UPSTREAMS.into_iter().enumerate() {
        objects.push(manifests::entry(
            name,
            &format!("{name}.local"),
            80,
            8000 + u16::try_from(at)?,
        ));
    }
    objects.extend(scenarios.values().map(|own| own.objects.clone()));
    let text = objects.join("---\n");
    site.write("objects.yaml", &text)?;
    Authority::new("CA")?
        .leaf(&["*.example"])?
        .write(&site.dir().join("edge"))?;
    let cases = || {
        scenarios
            .iter()
            .flat_map(|(file, own)| own.cases.iter().map(move |case| (file, case)))
    };
    let questions: Vec<Value> = cases().map(|(_, case)| case.ask.clone()).collect();
    let told = explain::ask(&site, &questions)?;

    let files = Files::serve().await?;
    let browser = Browser::start().await?;
    browser.open(&files.url).await?;
    let answers = browser.run(ASK, &[json!(text), json!(questions)]).await?;
    let answers = answers.as_array().context("no answers")?.iter();
    let answers = answers.map(|text| serde_json::from_str(text.as_str().unwrap_or_default()));
    let answers: Vec<Value> = answers.collect::<Result<_, _>>()?;
    ensure!(
        answers.len() == told.len() && !told.is_empty(),
        "{} answers",
        answers.len()
    );
    let mut wrong = Vec::new();
    for (((file, case), told), answer) in cases().zip(&told).zip(&answers) {
        if answer != told {
            wrong.push(format!(
                "{file}: {}: the browser says {answer}, explain {told}",
                case.case
            ));
        }
        // Shares are of many draws, not of this one.
        if case.shares.is_none() && explained(answer) != case.expected()? {
            wrong.push(format!(
                "{file}: {}: {} instead of {}",
                case.case,
                explained(answer),
                case.expected()?
            ));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    say(&format!(
        "{} questions: the browser and explain say the same",
        answers.len()
    ));
    Ok(())
}
