//! The memory of a running program, searched for what should not be there any more.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::pki::Leaf;

/// Of a P-256 key in PKCS#8: what stands before its 32 bytes.
const BEFORE_SCALAR: [u8; 5] = [0x02, 0x01, 0x01, 0x04, 0x20];
/// More is read in parts.
const PART: usize = 16 << 20;
/// What of a part can be read is read in these, where all of it cannot.
const PAGE: usize = 4096;

/// What would give a key away, with a word for each.
///
/// # Errors
/// It is no key of that form.
pub fn traces(leaf: &Leaf) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let body: String = leaf.key.lines().filter(|line| !line.starts_with('-')).collect();
    let der = BASE64_STANDARD.decode(&body)?;
    let at = der
        .windows(BEFORE_SCALAR.len())
        .position(|window| window == BEFORE_SCALAR)
        .context("no key in it")?
        + BEFORE_SCALAR.len();
    let scalar = der.get(at..at + 32).context("cut off")?.to_vec();
    let in_pem = body.get(48..64).context("cut off")?.as_bytes().to_vec();
    let packed = BASE64_STANDARD.encode(&leaf.key);
    let in_data = packed.get(80..112).context("cut off")?.as_bytes().to_vec();
    Ok(vec![("number", scalar), ("PEM", in_pem), ("data", in_data)])
}

/// Which of these are in memory that the process may write to.
///
/// # Errors
/// The process is gone, or not ours.
pub fn found(process: u32, wanted: &[(String, Vec<u8>)]) -> Result<Vec<String>> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    let memory = File::open(format!("/proc/{process}/mem"))?;
    let mut found = Vec::new();
    for map in maps.lines().filter(|map| map.contains(" rw")) {
        let range = map.split(' ').next().and_then(|range| range.split_once('-'));
        let (start, end) = range.context("a range")?;
        let (mut at, end) = (u64::from_str_radix(start, 16)?, u64::from_str_radix(end, 16)?);
        while at < end {
            let length = PART.min(usize::try_from(end - at)?);
            let part = read(&memory, at, length);
            let here = wanted.iter().filter(|(_, trace)| holds(&part, trace));
            let place = map.split_whitespace().nth(5).unwrap_or("anonymous");
            found.extend(here.map(|(word, _)| format!("{word} in {place}")));
            // Parts overlap, so that nothing hides between two.
            at += u64::try_from(if length == PART { PART - 64 } else { length })?;
        }
    }
    found.sort();
    Ok(found)
}

/// What is at this place; zeros where nothing is: memory may be given back meanwhile.
fn read(memory: &File, at: u64, length: usize) -> Vec<u8> {
    let mut part = vec![0; length];
    if memory.read_exact_at(&mut part, at).is_err() {
        part.fill(0);
        for (page, at) in part.chunks_mut(PAGE).zip((at..).step_by(PAGE)) {
            if memory.read_exact_at(page, at).is_err() {
                page.fill(0);
            }
        }
    }
    part
}

fn holds(part: &[u8], trace: &[u8]) -> bool {
    let Some(first) = trace.first() else { return false };
    let mut rest = part;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        let here = rest.get(at..).unwrap_or_default();
        if here.starts_with(trace) {
            return true;
        }
        rest = here.get(1..).unwrap_or_default();
    }
    false
}
