//! Writes certificates that no library would write: unsigned, and with any contents.

pub(super) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = vec![tag];
    match length {
        0..=0x7f => bytes.push(length as u8),
        0x80..=0xff => bytes.extend([0x81, length as u8]),
        0x100..=0xffff => bytes.extend([0x82, (length >> 8) as u8, length as u8]),
        _ => bytes.extend([0x83, (length >> 16) as u8, (length >> 8) as u8, length as u8]),
    }
    bytes.extend(content);
    bytes
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    value(0x30, &parts.concat())
}

/// The attribute `2.5.4.LAST`, with a string of this kind.
pub(super) fn attribute(last: u8, tag: u8, content: &[u8]) -> Vec<u8> {
    sequence(&[value(6, &[0x55, 4, last]), value(tag, content)])
}

/// A name of parts, each of several attributes.
pub(super) fn name(parts: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let sets: Vec<_> = parts.iter().map(|part| value(0x31, &part.concat())).collect();
    sequence(&sets)
}

/// The fields in which certificates differ.
pub(super) struct Certificate {
    pub(super) serial: Vec<u8>,
    pub(super) subject: Vec<u8>,
    pub(super) sans: Vec<(u8, Vec<u8>)>,
}

impl Default for Certificate {
    fn default() -> Self {
        Self {
            serial: vec![1],
            subject: name(&[vec![attribute(3, 0x0c, b"a")]]),
            sans: Vec::new(),
        }
    }
}

impl Certificate {
    pub(super) fn der(&self) -> Vec<u8> {
        let algorithm = sequence(&[value(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2])]);
        let date = value(0x17, b"260101000000Z");
        let names: Vec<_> = self
            .sans
            .iter()
            .map(|(tag, content)| value(0x80 | tag, content))
            .collect();
        let extension = sequence(&[value(6, &[0x55, 0x1d, 17]), value(4, &sequence(&names))]);
        let mut body = vec![
            value(0xa0, &[2, 1, 2]),
            value(2, &self.serial),
            algorithm.clone(),
            name(&[vec![attribute(10, 0x13, b"CA")]]),
            sequence(&[date.clone(), date]),
            self.subject.clone(),
            sequence(&[algorithm.clone(), value(3, &[0, 4])]),
        ];
        if !names.is_empty() {
            body.push(value(0xa3, &sequence(&[extension])));
        }
        sequence(&[sequence(&body), algorithm, value(3, &[0, 1])])
    }
}
