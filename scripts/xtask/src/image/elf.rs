//! The files that a program needs: none if it is linked statically, as in a release; otherwise, the loader and
//! libraries of this machine, so that a build of any profile can be tested in an image.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum;
use object::elf::{self, FileHeader64};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};
use object::{Endianness, StringTable};

/// An architecture that images are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Arch {
    Amd64,
    Arm64,
}

impl Arch {
    /// Its name in images and file names.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// Its name among Rust's targets.
    pub(crate) const fn target(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// Its name among Debian's folders and compilers.
    pub(crate) const fn triplet(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-linux-gnu",
            Self::Arm64 => "aarch64-linux-gnu",
        }
    }

    /// The emulator for its programs on another machine.
    pub(crate) const fn emulator(self) -> &'static str {
        match self {
            Self::Amd64 => "qemu-x86_64-static",
            Self::Arm64 => "qemu-aarch64-static",
        }
    }

    const fn machine(self) -> u16 {
        match self {
            Self::Amd64 => elf::EM_X86_64,
            Self::Arm64 => elf::EM_AARCH64,
        }
    }

    /// The architecture of this machine.
    pub(crate) const fn own() -> Self {
        if cfg!(target_arch = "aarch64") {
            Self::Arm64
        } else {
            Self::Amd64
        }
    }
}

/// What the loader reads from a program or library.
struct Linked {
    loader: Option<String>,
    libraries: Vec<String>,
}

/// The loader and all libraries that a program needs, by their paths in the image.
pub(crate) fn needed(program: &[u8], arch: Arch) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    let linked = read(program, arch)?;
    if let Some(loader) = &linked.loader {
        let name = loader.rsplit('/').next().unwrap_or(loader);
        found.insert(loader.trim_start_matches('/').to_owned(), library(name, arch)?);
    }
    let mut left = linked.libraries;
    while let Some(name) = left.pop() {
        let path = format!("lib/{}/{name}", arch.triplet());
        let is_loader = found.keys().any(|known| known.ends_with(&format!("/{name}")));
        if !is_loader {
            let source = library(&name, arch)?;
            left.extend(read(&fs::read(&source)?, arch)?.libraries);
            found.insert(path, source);
        }
    }
    Ok(found)
}

/// Where this machine's linker would find a library.
fn library(name: &str, arch: Arch) -> Result<PathBuf> {
    let triplet = arch.triplet();
    let folders = [
        format!("/lib/{triplet}"),
        format!("/usr/lib/{triplet}"),
        format!("/usr/{triplet}/lib"),
        "/lib64".to_owned(),
        "/usr/lib64".to_owned(),
    ];
    let mut paths = folders.iter().map(|folder| Path::new(folder).join(name));
    let found = paths.find(|path| path.is_file());
    found.with_context(|| format!("{name} for {} lies in none of {folders:?}", arch.name()))
}

fn read(bytes: &[u8], arch: Arch) -> Result<Linked> {
    let header = FileHeader64::<Endianness>::parse(bytes).context("no ELF file of 64 bits")?;
    let endian = header.endian()?;
    ensure!(
        header.e_machine(endian) == arch.machine(),
        "it is not a program for {}",
        arch.name()
    );
    let segments = header.program_headers(endian, bytes)?;
    let mut linked = Linked {
        loader: None,
        libraries: Vec::new(),
    };
    for segment in segments {
        if let Some(path) = segment.interpreter(endian, bytes)? {
            linked.loader = Some(String::from_utf8(path.to_vec())?);
        }
        if let Some(entries) = segment.dynamic(endian, bytes)? {
            linked.libraries = libraries(bytes, endian, segments, entries)?;
        }
    }
    Ok(linked)
}

/// The names under `DT_NEEDED`. The string table is given by its address, and a segment says where that is in the file.
fn libraries(
    bytes: &[u8],
    endian: Endianness,
    segments: &[elf::ProgramHeader64<Endianness>],
    entries: &[elf::Dyn64<Endianness>],
) -> Result<Vec<String>> {
    let value = |wanted: i64| {
        let entry = entries.iter().find(|entry| entry.d_tag(endian) == wanted);
        entry.map(|entry| entry.d_val(endian))
    };
    let Some((address, size)) = value(elf::DT_STRTAB).zip(value(elf::DT_STRSZ)) else {
        return Ok(Vec::new());
    };
    let mut tables = segments
        .iter()
        .filter_map(|segment| segment.data_range(endian, bytes, address, size).ok().flatten());
    let Some(table) = tables.next() else {
        bail!("no segment holds the names of the libraries");
    };
    let table = StringTable::new(table, 0, table.len() as u64);
    let needed = entries
        .iter()
        .filter(|entry| entry.d_tag(endian) == elf::DT_NEEDED)
        .map(|entry| Ok(String::from_utf8(entry.string(endian, table)?.to_vec())?));
    needed.collect()
}
