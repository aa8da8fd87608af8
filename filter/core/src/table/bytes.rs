//! The pieces of a table's bytes: numbers of four bytes, little-endian, and runs of bytes. Reading never panics,
//! whatever the bytes.

use std::ops::Range;

use crate::undecided::Undecided;

/// The bytes are not what an agent wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupt;

impl From<Corrupt> for Undecided {
    fn from(_: Corrupt) -> Self {
        Self::Corrupt
    }
}

/// A list of numbers within the bytes.
pub(super) type Numbers<'t> = &'t [[u8; 4]];

/// The number at a place.
pub(super) fn word(words: &[[u8; 4]], at: usize) -> Result<u32, Corrupt> {
    words.get(at).copied().map(u32::from_le_bytes).ok_or(Corrupt)
}

/// The start and end of the run at `at`, if the words are the ends of consecutive runs.
pub(super) fn run(ends: Numbers<'_>, at: usize) -> Result<Range<usize>, Corrupt> {
    let begin = match at.checked_sub(1) {
        Some(before) => word(ends, before)?,
        None => 0,
    };
    Ok(begin as usize..word(ends, at)? as usize)
}

/// Reads from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByteReader<'t>(pub(super) &'t [u8]);

impl<'t> ByteReader<'t> {
    pub(super) fn bytes(&mut self, count: usize) -> Result<&'t [u8], Corrupt> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Corrupt)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn word(&mut self) -> Result<u32, Corrupt> {
        let (taken, rest) = self.0.split_first_chunk::<4>().ok_or(Corrupt)?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*taken))
    }

    /// A number that counts something.
    pub(super) fn count(&mut self) -> Result<usize, Corrupt> {
        Ok(self.word()? as usize)
    }

    /// This many records of `N` bytes each.
    pub(super) fn records<const N: usize>(&mut self, count: usize) -> Result<&'t [[u8; N]], Corrupt> {
        let bytes = self.bytes(count.checked_mul(N).ok_or(Corrupt)?)?;
        Ok(bytes.as_chunks().0)
    }
}

/// A number of a record.
pub(super) fn field(record: &[u8], at: usize) -> Result<u32, Corrupt> {
    word(record.as_chunks().0, at)
}

/// Writes a number; one that is too large is written as one that every reader rejects.
pub(super) fn put(bytes: &mut Vec<u8>, number: usize) {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&number.to_le_bytes());
}
