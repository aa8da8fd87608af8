//! The command line of `bench-scale`.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use super::{Origin, Size};

/// Shown for an invalid command line.
const USAGE: &str = "bench scale [--quick] [--sizes 10,1000,1000p,40000x2500,...] [--source directory|kubernetes|both] \
                     [--svg FILE] [--flood [COUNT] | --rotate-all | --pods [COUNT]]";
const SIZES: [usize; 5] = [10, 1_000, 3_000, 10_000, 40_000];
const QUICK_SIZES: [usize; 3] = [10, 100, 1_000];
/// Unknown names, of each kind.
const FLOOD: usize = 100_000;
/// Pods, a hundred of which a subset needs.
const PODS: usize = 10_000;
const QUICK_FLOOD: usize = 5_000;
/// The largest size at which another build is also run, unless `SEALGATE_OTHER_MAX` is set.
const OTHER_MAX: usize = 3_000;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The rows of the table.
    Rows,
    /// This many unknown server names, and as many unknown hosts.
    Flood(usize),
    /// Every certificate once.
    RotateAll,
    /// This many Pods, of which a subset needs some.
    Pods(usize),
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Options {
    /// Fewer rounds, smaller sizes.
    pub quick: bool,
    /// The rows, or one of the separate tests.
    pub mode: Mode,
    /// In this order.
    pub sizes: Vec<Size>,
    /// In this order.
    pub origins: Vec<Origin>,
    /// Where the picture goes.
    pub svg: Option<PathBuf>,
    /// The build that is measured (`SEALGATE_BIN`).
    pub own: PathBuf,
    /// Another one, and up to which number of routes (`SEALGATE_OTHER_BIN`, `SEALGATE_OTHER_MAX`).
    pub other: Option<(PathBuf, usize)>,
}

impl Options {
    /// Reads the arguments, without the program's name, and the environment.
    ///
    /// # Errors
    /// What is wrong, and the usage.
    pub fn read(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = parse(arguments).context(USAGE)?;
        options.own = crate::site::program("SEALGATE_BIN")?;
        if let Some(other) = std::env::var_os("SEALGATE_OTHER_BIN") {
            let max = std::env::var("SEALGATE_OTHER_MAX").map_or(Ok(OTHER_MAX), |text| text.parse())?;
            options.other = Some((other.into(), max));
        }
        Ok(options)
    }

    /// How many rounds a row has.
    #[must_use]
    pub const fn rounds(&self) -> usize {
        if self.quick { 10 } else { 30 }
    }
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Options> {
    let mut arguments = arguments.peekable();
    let (mut quick, mut mode, mut sizes, mut svg) = (false, Mode::Rows, None, None);
    let mut origins = vec![Origin::Directory, Origin::Kubernetes];
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .with_context(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--quick" => quick = true,
            "--svg" => svg = Some(PathBuf::from(value()?)),
            "--sizes" => sizes = Some(value()?.split(',').map(size).collect::<Result<Vec<_>>>()?),
            "--source" => origins = origins_of(&value()?)?,
            "--rotate-all" => mode = Mode::RotateAll,
            "--flood" | "--pods" => {
                let count = arguments.next_if(|next| !next.starts_with("--"));
                let count = count.map(|count| count.parse()).transpose()?;
                mode = if argument == "--pods" {
                    Mode::Pods(count.unwrap_or(PODS))
                } else {
                    Mode::Flood(count.unwrap_or(0))
                };
            }
            other => bail!("{other} is no argument"),
        }
    }
    if mode == Mode::Flood(0) {
        mode = Mode::Flood(if quick { QUICK_FLOOD } else { FLOOD });
    }
    let sizes = sizes.unwrap_or_else(|| default_sizes(mode, quick));
    Ok(Options {
        quick,
        mode,
        sizes,
        origins,
        svg,
        own: PathBuf::new(),
        other: None,
    })
}

fn default_sizes(mode: Mode, quick: bool) -> Vec<Size> {
    let sizes: &[usize] = match (mode, quick) {
        (Mode::Rows, false) => &SIZES,
        (Mode::Rows, true) => &QUICK_SIZES,
        (Mode::Pods(_), _) => &[10],
        (_, false) => &[10_000],
        (_, true) => &[1_000],
    };
    sizes.iter().map(|routes| Size::of(*routes)).collect()
}

/// `1000`, or `40000x2500`; `1000p` with policies.
fn size(text: &str) -> Result<Size> {
    if let Some(text) = text.strip_suffix('p') {
        return Ok(size(text)?.with_policies());
    }
    let number = |text: &str| {
        text.parse::<usize>()
            .with_context(|| format!("{text} is no number"))
    };
    let size = match text.split_once('x') {
        Some((routes, hosts)) => Size {
            routes: number(routes)?,
            hosts: number(hosts)?,
            policies: false,
        },
        None => Size::of(number(text)?),
    };
    anyhow::ensure!(
        size.hosts > 0 && size.hosts <= size.routes,
        "{text}: every host needs a route"
    );
    Ok(size)
}

fn origins_of(text: &str) -> Result<Vec<Origin>> {
    match text {
        "directory" => Ok(vec![Origin::Directory]),
        "kubernetes" => Ok(vec![Origin::Kubernetes]),
        "both" => Ok(vec![Origin::Directory, Origin::Kubernetes]),
        other => bail!("{other} is no source"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn everything_can_be_said() {
        let options = read("--quick --sizes 10,40000,1000x100 --source directory --svg a.svg").unwrap();
        let hosts: Vec<usize> = options.sizes.iter().map(|size| size.hosts).collect();
        assert_eq!((options.quick, hosts), (true, vec![10, 2_500, 100]));
        assert_eq!(options.origins, [Origin::Directory]);
        assert_eq!(options.svg, Some(PathBuf::from("a.svg")));
        assert_eq!(read("--sizes 10p").unwrap().sizes, [Size::of(10).with_policies()]);
        assert_eq!(read("--flood --quick").unwrap().mode, Mode::Flood(QUICK_FLOOD));
        assert_eq!(read("--flood 7").unwrap().mode, Mode::Flood(7));
        assert_eq!(read("--pods").unwrap().mode, Mode::Pods(PODS));
        assert_eq!(read("--rotate-all").unwrap().sizes, [Size::of(10_000)]);
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for line in ["--sizes", "--sizes 1x2", "--source files", "--slow", "--sizes 0"] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
