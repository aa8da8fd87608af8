//! WebAssembly modules that are broken on purpose, to test what a gateway does with a broken filter.

/// A module without anything in it: Envoy finds no filter there.
pub const EMPTY: &[u8] = b"\0asm\x01\0\0\0";

/// `end` of a function's body.
const END: u8 = 0x0b;
const I32: u8 = 0x7f;
const UNREACHABLE: u8 = 0x00;
const I32_CONST: u8 = 0x41;

/// What a filter exports (name, parameters, results, body): it starts, takes any configuration, and traps on the
/// first request.
const TRAPPING: [(&str, usize, usize, &[u8]); 6] = [
    ("proxy_abi_version_0_2_1", 0, 0, &[]),
    // Address 1024 is in the first page; what is written there is never read.
    ("proxy_on_memory_allocate", 1, 1, &[I32_CONST, 0x80, 0x08]),
    ("proxy_on_vm_start", 2, 1, &[I32_CONST, 1]),
    ("proxy_on_configure", 2, 1, &[I32_CONST, 1]),
    ("proxy_on_context_create", 2, 0, &[]),
    ("proxy_on_request_headers", 3, 1, &[UNREACHABLE]),
];

/// A filter that traps on every request.
#[must_use]
pub fn trapping() -> Vec<u8> {
    let (mut types, mut functions, mut exports, mut code) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (at, (name, parameters, results, body)) in (0_u8..).zip(TRAPPING) {
        let signature = [
            vec![0x60],
            vector(&vec![vec![I32]; parameters]),
            vector(&vec![vec![I32]; results]),
        ];
        types.push(signature.concat());
        functions.push(vec![at]);
        exports.push([sized(name.as_bytes()), vec![0, at]].concat());
        // No locals, then the body.
        code.push(sized(&[&[0], body, &[END]].concat()));
    }
    exports.push([sized(b"memory"), vec![2, 0]].concat());
    // One memory of at least one page.
    let memory = vec![vec![0, 1]];
    let mut module = EMPTY.to_vec();
    for (id, entries) in [(1, types), (3, functions), (5, memory), (7, exports), (10, code)] {
        module.push(id);
        module.extend(sized(&vector(&entries)));
    }
    module
}

fn vector(entries: &[Vec<u8>]) -> Vec<u8> {
    [number(entries.len()), entries.concat()].concat()
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [number(bytes.len()), bytes.to_vec()].concat()
}

/// LEB128.
fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or_default());
    bytes
}
