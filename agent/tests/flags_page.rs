//! `docs/reference/flags.md` matches the command line's help. `SEALGATE_WRITE_DOCS=1` writes it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::env;
use std::fmt::Write as _;
use std::fs;

use clap::{Arg, Command, CommandFactory as _};
use sealgate_agent::args::Cli;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/flags.md");
const HEAD: &str = "# Flags

All subcommands and flags of `sealgate`. `sealgate COMMAND --help` prints the same.

Each flag of `sealgate run` can also be set by an environment variable: `SEALGATE_`, then the flag's name in capitals
(`--port-map` is `SEALGATE_PORT_MAP`). A flag on the command line takes precedence.

Data goes to standard output, messages to standard error. The exit status is 0 on success, 1 if the answer is no (an error finding,
no match), and 2 on wrong usage or unreadable input.

This page is generated from the program: `SEALGATE_WRITE_DOCS=1 cargo test -p sealgate-agent --test agent flags_page`.
";

#[test]
fn the_page_has_every_flag_as_the_program_does() {
    let mut cli = Cli::command();
    cli.build();
    let mut page = HEAD.to_owned();
    let commands = cli
        .get_subcommands()
        .filter(|command| command.get_name() != "help");
    for command in commands {
        section(&mut page, "sealgate", command);
    }
    if env::var_os("SEALGATE_WRITE_DOCS").is_some() {
        fs::write(PAGE, &page).unwrap();
    }
    let written = fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        written == page,
        "docs/reference/flags.md is stale: run this test with SEALGATE_WRITE_DOCS=1"
    );
}

fn section(page: &mut String, before: &str, command: &Command) {
    let name = format!("{before} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    write!(page, "\n## {name}\n\n{about}.\n").unwrap();
    let flags: Vec<&Arg> = command
        .get_arguments()
        .filter(|flag| !flag.is_hide_set() && flag.get_id() != "help" && flag.get_id() != "version")
        .collect();
    if !flags.is_empty() {
        page.push_str("\n| flag | default | meaning |\n|---|---|---|\n");
    }
    for flag in flags {
        let [name, default, meaning] =
            [spelling(flag), default(flag), meaning(flag)].map(|cell| cell.replace('|', "\\|"));
        writeln!(page, "| {name} | {default} | {meaning} |").unwrap();
    }
    let commands = command
        .get_subcommands()
        .filter(|command| command.get_name() != "help");
    for command in commands {
        section(page, &name, command);
    }
}

fn spelling(flag: &Arg) -> String {
    let value = flag.get_value_names().unwrap_or_default().first();
    let value = value.map(ToString::to_string).unwrap_or_default();
    match flag.get_long() {
        Some(long) if flag.get_action().takes_values() => format!("`--{long} {value}`"),
        Some(long) => format!("`--{long}`"),
        None => format!("`{value}`"),
    }
}

/// The help's own words, where the default is not one value.
fn default(flag: &Arg) -> String {
    let said = help(flag);
    let said = said
        .split_once("[default: ")
        .map(|(_, rest)| rest.trim_end_matches(']'));
    let values: Vec<String> = flag
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy().into_owned())
        .filter(|value| !value.is_empty() && flag.get_action().takes_values())
        .collect();
    match said {
        Some(said) => said.to_owned(),
        None if values.is_empty() => String::new(),
        None => format!("`{}`", values.join(",")),
    }
}

fn meaning(flag: &Arg) -> String {
    let help = help(flag);
    let mut text = help.split(" [default: ").next().unwrap_or_default().to_owned();
    for value in flag.get_possible_values() {
        if let (Some(about), true) = (value.get_help(), flag.get_action().takes_values()) {
            write!(text, "; `{}`: {about}", value.get_name()).unwrap();
        }
    }
    text.replace('<', "&lt;")
}

fn help(flag: &Arg) -> String {
    let text = flag.get_long_help().or_else(|| flag.get_help());
    text.map(ToString::to_string).unwrap_or_default()
}
