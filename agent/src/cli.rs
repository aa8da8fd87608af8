//! The subcommands. Each returns the exit status that `sealgate --help` promises.

mod agent;
mod bootstrap;
mod certs;
mod check;
mod explain;
mod input;
mod istio;
mod own;
mod run;
mod status;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Result;

use crate::args::{Cli, Command};

/// The answer of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conclusion {
    /// Exit 0.
    Good,
    /// Exit 1.
    No,
    /// Exit 2, and everything was said already.
    Bad,
}

/// Runs a command.
#[must_use]
pub fn main(cli: &Cli) -> ExitCode {
    let answer = match &cli.command {
        Command::Run(args) => run::main(args),
        Command::Bootstrap(args) => bootstrap::render(args)
            .and_then(|text| print(&text))
            .map(|_| Conclusion::Good),
        Command::Check(args) => check::main(args),
        Command::Explain(args) => explain::main(args),
        Command::Status(args) => status::main(args),
        Command::Certs(args) => certs::main(args),
        Command::Istio(args) => istio::main(args),
        Command::Completions(args) => own::completions(args),
        Command::Man(args) => own::man(args),
    };
    match answer {
        Ok(Conclusion::Good) => ExitCode::SUCCESS,
        Ok(Conclusion::No) => ExitCode::from(1),
        Ok(Conclusion::Bad) => ExitCode::from(2),
        Err(error) => {
            // If standard error is closed there is nobody to tell.
            let _ = writeln!(io::stderr(), "sealgate: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Writes data to standard output, and says whether anybody still reads: one that went away (`| head`) is no error.
fn print(text: &str) -> Result<bool> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// `1 gateway`, `2 gateways`.
fn plural<N: Display + From<u8> + PartialEq>(count: N, noun: &str) -> String {
    let ending = if count == N::from(1) { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::plural;

    #[test]
    fn only_one_is_singular() {
        let counts = [-1_i64, 0, 1, 2, 11].map(|count| plural(count, "day"));
        assert_eq!(counts, ["-1 days", "0 days", "1 day", "2 days", "11 days"]);
    }
}
