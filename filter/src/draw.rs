//! Random numbers for weighted choices: seeded once per VM, then a few instructions each and no host call.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

thread_local! {
    // The standard library seeds its hash maps from the host's randomness.
    static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(0_u8));
}

/// A number in [0, 1), by SplitMix64.
pub(crate) fn draw() -> f64 {
    let mixed = STATE.with(|state| {
        let next = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(next);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    });
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}
