//! Damaged materials: bytes of the corpus flipped, cut out, doubled and put in, in the text or within a PEM block.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::sample::Index;
use sealgate_model::SecretObject;
use zeroize::Zeroizing;

/// One damage.
#[derive(Clone, Debug)]
pub enum Damage {
    /// A bit is flipped.
    Flip(Index, u8),
    /// Some bytes are cut out.
    Cut(Index, usize),
    /// Some bytes are doubled.
    Double(Index, usize),
    /// Some bytes are put in.
    Insert(Index, Vec<u8>),
}

/// Which value of a Secret, where, and how.
#[derive(Clone, Debug)]
pub struct Mutation {
    value: Index,
    /// Of the PEM block whose content is damaged; else the text is.
    block: Option<Index>,
    damages: Vec<Damage>,
}

/// Any damage.
fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        2 => (at(), 1..80_usize).prop_map(|(at, length)| Damage::Cut(at, length)),
        2 => (at(), 1..2000_usize).prop_map(|(at, length)| Damage::Double(at, length)),
        2 => (at(), prop::collection::vec(any::<u8>(), 1..4)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
    ]
}

/// Any mutation.
pub fn mutation() -> impl Strategy<Value = Mutation> {
    let damages = prop::collection::vec(damage(), 1..4);
    (
        any::<Index>(),
        prop::option::weighted(0.7, any::<Index>()),
        damages,
    )
        .prop_map(|(value, block, damages)| Mutation {
            value,
            block,
            damages,
        })
}

impl Mutation {
    /// The Secret with the damage.
    #[must_use]
    pub fn apply(&self, secret: &SecretObject) -> SecretObject {
        let mut mutant = secret.clone();
        let count = mutant.data.len();
        let Some(value) = mutant.data.values_mut().nth(self.value.index(count.max(1))) else {
            return mutant;
        };
        let damaged = self
            .block
            .and_then(|block| within(value, &block, |der| self.damaged(der)))
            .unwrap_or_else(|| self.damaged(value));
        *value = Zeroizing::new(damaged);
        mutant
    }

    fn damaged(&self, bytes: &[u8]) -> Vec<u8> {
        self.damages
            .iter()
            .fold(bytes.to_vec(), |bytes, damage| damage.apply(bytes))
    }
}

impl Damage {
    fn apply(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let length = bytes.len();
        let from = |at: &Index| at.index(length + 1);
        match self {
            Self::Flip(at, bit) => {
                if let Some(byte) = bytes.get_mut(from(at)) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Cut(at, count) => {
                bytes.drain(from(at)..(from(at) + count).min(length));
            }
            Self::Double(at, count) => {
                let end = (from(at) + count).min(length);
                let part = bytes.get(from(at)..end).unwrap_or_default().to_vec();
                bytes.splice(end..end, part);
            }
            Self::Insert(at, part) => {
                bytes.splice(from(at)..from(at), part.iter().copied());
            }
        }
        bytes
    }
}

/// Changes the content of one PEM block; none if the text is not such.
fn within(text: &[u8], which: &Index, change: impl Fn(&[u8]) -> Vec<u8>) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let begins: Vec<usize> = text.match_indices("-----BEGIN ").map(|(at, _)| at).collect();
    let begin = *begins.get(which.index(begins.len().max(1)))?;
    let start = begin + text.get(begin..)?.find('\n')?;
    let end = start + text.get(start..)?.find("-----END")?;
    let body: String = text.get(start..end)?.split_whitespace().collect();
    let changed = STANDARD.encode(change(&STANDARD.decode(body).ok()?));
    let lines = changed.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let mut out = format!("{}\n", text.get(..start)?);
    lines.for_each(|line| {
        out.push_str(&line);
        out.push('\n');
    });
    out.push_str(text.get(end..)?);
    Some(out.into_bytes())
}
