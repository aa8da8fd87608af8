//! `sealgate istio`: the manifests with which Istio's own ingress gateway uses Sealgate. Nothing is applied.

mod chains;
mod error;
mod full;
mod input;
mod patches;
mod pod;
mod rights;
mod sds;
mod site;
mod wasm;

use std::io::{self, Write as _};

use anyhow::Result;
use serde_json::{Value, json};

use self::error::IstioError;
use super::{Conclusion, print};
use crate::args::{IstioArgs, IstioForm, OutputFormat};

/// What is printed.
#[derive(Debug, Default)]
struct Manifests {
    objects: Vec<Value>,
    /// What else is to be done, for people: on standard error.
    notes: Vec<String>,
}

pub(super) fn main(args: &IstioArgs) -> Result<Conclusion> {
    let (made, output) = match &args.form {
        IstioForm::Sds(args) => (sds::manifests(args), args.gateway.output),
        IstioForm::Full(args) => (full::manifests(args), args.gateway.output),
        IstioForm::Wasm(args) => (wasm::manifests(args), args.gateway.output),
    };
    match made.and_then(|made| Ok((written(&made.objects, output)?, made.notes))) {
        Ok((text, notes)) => {
            for note in notes {
                say(&note);
            }
            print(&text)?;
            Ok(Conclusion::Good)
        }
        Err(error) if error.is_no() => {
            say(&error.to_string());
            Ok(Conclusion::No)
        }
        Err(error) => Err(error.into()),
    }
}

fn written(objects: &[Value], output: OutputFormat) -> Result<String, IstioError> {
    match output {
        OutputFormat::Yaml => {
            // A name that is long stays on its line.
            let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
            serde_saphyr::to_string_multiple_with_options(objects, options)
                .map_err(|error| IstioError::Written(error.to_string()))
        }
        OutputFormat::Json => {
            let list = match objects {
                [one] => one.clone(),
                all => json!({ "apiVersion": "v1", "kind": "List", "items": all }),
            };
            serde_json::to_string_pretty(&list)
                .map(|text| text + "\n")
                .map_err(|error| IstioError::Written(error.to_string()))
        }
    }
}

/// If standard error is closed there is nobody to tell.
fn say(message: &str) {
    for line in message.lines() {
        let _ = writeln!(io::stderr(), "sealgate: {line}");
    }
}
