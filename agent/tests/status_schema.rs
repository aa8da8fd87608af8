//! `docs/reference/status.schema.json` matches the types. `SEALGATE_WRITE_DOCS=1` writes it.

use std::env;
use std::fs;
use std::process::Command;

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../docs/reference/status.schema.json"
);

#[test]
fn the_schema_is_what_the_program_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_sealgate"))
        .args(["status", "--schema"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    if env::var_os("SEALGATE_WRITE_DOCS").is_some() {
        fs::write(FILE, &printed).unwrap();
    }
    let written = fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        written == printed,
        "docs/reference/status.schema.json is stale: run this test with SEALGATE_WRITE_DOCS=1"
    );
}
