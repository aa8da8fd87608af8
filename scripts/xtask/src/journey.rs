//! `cargo xtask journey`: plays a page of `docs/journeys`: runs its commands in order, and checks that their output has
//! what the page shows.

mod istio;
mod load;
mod machine;
pub(crate) mod page;
pub(crate) mod shell;
mod vm;

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;

#[derive(clap::Args)]
pub(crate) struct JourneyArgs {
    /// The page to run
    #[arg(value_enum)]
    name: Name,
    /// The agent to test, with the filter next to it
    #[arg(long, default_value = "target/debug/sealgate")]
    binary: PathBuf,
    /// The folder of the journey: this process is in a machine of its own
    #[arg(long, hide = true)]
    inside: Option<PathBuf>,
    /// The folder of a machine that is to be made of the namespaces that this process is in
    #[arg(long, hide = true)]
    boot: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    /// Envoy on a virtual machine: under its own systemd, in namespaces (as root)
    Vm,
    /// Istio: the output of `sealgate istio`, with a fake kubectl and helm
    Istio,
}

pub(crate) fn main(args: &JourneyArgs) -> Result<()> {
    match (args.name, &args.inside, &args.boot) {
        (Name::Istio, _, _) => istio::play(&args.binary),
        (Name::Vm, _, Some(folder)) => machine::boot(folder, &["journey", "vm"]),
        (Name::Vm, Some(folder), _) => vm::inside(folder),
        (Name::Vm, None, None) => vm::outside(&args.binary),
    }
}
