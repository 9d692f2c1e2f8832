//! All the chance there is in a simulated world: numbers that follow from a seed.
//!
//! SplitMix64: any seed is a good one, and streams of different names have nothing in common.

/// A stream of numbers.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The stream called `stream` of `seed`.
    pub(super) fn new(seed: u64, stream: &str) -> Self {
        let named = stream.bytes().fold(seed, |state, byte| mixed(state ^ u64::from(byte)));
        Self(mixed(named))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed(self.0)
    }

    /// A number from 0 to one below `end`; 0 when there is none.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        // The bias is of no weight: `end` is small beside 2^64.
        if end == 0 { 0 } else { self.next() % end }
    }

    /// A number from `first` to `last`.
    pub(super) fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// True in `parts` of a thousand cases.
    pub(super) fn chance(&mut self, parts: u64) -> bool {
        self.below(1000) < parts
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    /// A number up to `most` whose size is spread evenly over all orders of magnitude.
    pub(super) fn magnitude(&mut self, most: u64) -> u64 {
        let bits = self.below(65 - u64::from(most.leading_zeros()));
        (self.next() & ((1 << bits) | ((1 << bits) - 1))).min(most)
    }
}

fn mixed(state: u64) -> u64 {
    let state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}
