//! Frames with an invalid authority, in pieces of any size.

use super::*;

const PREFACE_BYTES: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const BAD: &[u8] = b"outbound|9000||x";
const GOOD: &[u8] = b"outbound-9000--x";

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[a, b, c, kind, flags, 0, 0, 0, 1], payload].concat()
}

/// `:method: POST`, an authority in this representation, and a field from the dynamic table.
fn block(representation: &[u8], authority: &[u8]) -> Vec<u8> {
    let length = u8::try_from(authority.len()).unwrap();
    [&[0x83], representation, &[length], authority, &[0xbe]].concat()
}

fn told(bytes: &[u8], piece: usize) -> Vec<u8> {
    let (mut frames, mut out) = (Frames::default(), Vec::new());
    bytes.chunks(piece).for_each(|piece| frames.take(piece, &mut out));
    frames.end(&mut out);
    out
}

#[test]
fn a_bad_authority_is_made_a_good_one_and_everything_else_passes() {
    let conversation = |authority| {
        [
            PREFACE_BYTES.to_vec(),
            frame(SETTINGS, 0, &[0, 3, 0, 0, 0, 9]),
            frame(HEADERS, END_HEADERS, &block(&[0x41], authority)),
            frame(0, 0, b"data that says :authority"),
            frame(HEADERS, END_HEADERS, &[0x83, 0xbf]),
        ]
        .concat()
    };
    let bytes = conversation(BAD);
    for piece in [1, 2, 7, 9, 33, bytes.len()] {
        assert_eq!(told(&bytes, piece), conversation(GOOD), "{piece}");
        assert_eq!(told(&conversation(GOOD), piece), conversation(GOOD));
    }
}

#[test]
fn every_representation_is_known() {
    let named: &[u8] = b"\x40\x0a:authority";
    let never: &[u8] = b"\x10\x0a:authority";
    for representation in [&[0x41][..], &[0x01], &[0x11], named, never, &[0x3f, 0x01, 0x41]] {
        let rewritten = field::with_an_authority(&block(representation, BAD));
        assert_eq!(
            rewritten,
            Some(block(representation, GOOD)),
            "{representation:x?}"
        );
    }
    // `|` and `a` in Huffman code, padded with ones.
    let coded = [0x41, 0x80 | 2, 0xff, 0x83];
    assert_eq!(field::with_an_authority(&coded), Some(b"\x41\x02-a".to_vec()));
    // Another field may have any value.
    assert_eq!(field::with_an_authority(b"\x40\x01x\x03a|b"), None);
}

#[test]
fn padding_goes_and_a_priority_stays() {
    let priority = [0, 0, 0, 0, 15];
    let payload = [&[3][..], &priority, &block(&[0x41], BAD), &[0, 0, 0]].concat();
    let padded = frame(HEADERS, END_HEADERS | PADDED | PRIORITY, &payload);
    let plain = [&priority[..], &block(&[0x41], GOOD)].concat();
    let expected = frame(HEADERS, END_HEADERS | PRIORITY, &plain);
    assert_eq!(
        told(&[PREFACE_BYTES, &padded].concat(), 5),
        [PREFACE_BYTES, &expected].concat()
    );
}

#[test]
fn what_cannot_be_read_passes_as_it_is() {
    let block = block(&[0x41], BAD);
    for bad in [
        // Cut off, more padding than bytes, no room for the priority, and not HTTP/2.
        frame(HEADERS, END_HEADERS, block.get(..6).unwrap()),
        frame(HEADERS, END_HEADERS | PADDED, &[200, 1]),
        frame(HEADERS, END_HEADERS | PADDED, &[]),
        frame(HEADERS, END_HEADERS | PRIORITY, &[1, 2]),
        [frame(HEADERS, 0, &block), frame(CONTINUATION, END_HEADERS, &[])].concat(),
        frame(HEADERS, END_HEADERS, &[0xff; 40]),
        frame(HEADERS, END_HEADERS, &vec![0; LONGEST_FRAME + 1]),
        b"GET / HTTP/1.1\r\nhost: a|b\r\n\r\n".to_vec(),
    ] {
        let bytes = [PREFACE_BYTES, &bad].concat();
        for piece in [1, 10, bytes.len()] {
            assert_eq!(told(&bytes, piece), bytes);
        }
    }
}

#[tokio::test]
async fn a_reader_gets_all_of_it_and_the_end() {
    use tokio::io::AsyncReadExt as _;
    let sent = [
        PREFACE_BYTES.to_vec(),
        frame(HEADERS, END_HEADERS, &block(&[0x41], BAD)),
        vec![0, 0, 40, HEADERS],
    ]
    .concat();
    let mut read = Vec::new();
    let mut connection = LenientAuthority::new(sent.as_slice());
    connection.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, told(&sent, sent.len()));
    assert!(read.windows(GOOD.len()).any(|window| window == GOOD));
}
