//! Headers in the ABI's form: their count, the two lengths of each, then names and values, each followed by a NUL;
//! numbers have 32 bits, little-endian.

/// The size of a number in bytes.
const NUMBER: usize = 4;

/// Encodes what `decode` reads.
pub(super) fn encode(pairs: &[(&str, &str)]) -> Vec<u8> {
    // A length of more than 32 bits does not fit into the filter's memory.
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = number(pairs.len()).to_vec();
    for (name, value) in pairs {
        bytes.extend(number(name.len()));
        bytes.extend(number(value.len()));
    }
    for (name, value) in pairs {
        for text in [name, value] {
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
        }
    }
    bytes
}

/// Names and values; none if the bytes are not exactly in the form above. No bytes mean no headers.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let (count, rest) = number(bytes)?;
    let (lengths, mut texts) = rest.split_at_checked(count.checked_mul(2 * NUMBER)?)?;
    let mut pairs = Vec::with_capacity(count);
    for lengths in lengths.chunks_exact(2 * NUMBER) {
        let (name, rest) = number(lengths)?;
        let (value, _) = number(rest)?;
        let name = String::from_utf8(text(&mut texts, name)?.to_vec()).ok()?;
        pairs.push((name, text(&mut texts, value)?.to_vec()));
    }
    texts.is_empty().then_some(pairs)
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<NUMBER>()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

fn text<'b>(bytes: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest.strip_prefix(&[0])?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_reads_back() {
        for pairs in [
            &[][..],
            &[("location", "/a")],
            &[("a", ""), ("content-type", "text/plain")],
        ] {
            let read = decode(&encode(pairs)).unwrap();
            let read: Vec<_> = read
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_slice()))
                .collect();
            let expected: Vec<_> = pairs
                .iter()
                .map(|(name, value)| (*name, value.as_bytes()))
                .collect();
            assert_eq!(read, expected);
        }
        assert_eq!(decode(&[]), Some(Vec::new()));
    }

    #[test]
    fn no_byte_may_be_missing_and_none_may_be_changed_without_being_another_text() {
        let whole = encode(&[("a", "bc"), ("d", "")]);
        for end in 1..whole.len() {
            assert_eq!(decode(&whole[..end]), None, "{end}");
        }
        let longer = [&whole[..], b"x"].concat();
        assert_eq!(decode(&longer), None);
        for at in 0..20 {
            let mut changed = whole.clone();
            changed[at] = 0xff;
            assert_eq!(decode(&changed), None, "{at}");
        }
    }
}
