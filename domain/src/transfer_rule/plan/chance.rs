//! Chance that can be repeated: the plan of a seed must be the same in a year and in every version of this program.
//!
//! ChaCha8 is a fixed function of its 32 bytes. What `rand` builds on such a generator (seeding from a number,
//! ranges, shuffles) may change between its versions, so that is written out here; a test holds the first numbers.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Chance that begins with a seed.
pub(super) struct Chance(ChaCha8Rng);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(ChaCha8Rng::from_seed(bytes))
    }

    /// A number below `n`, each as likely as the others; 0 when `n` is 0.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        // Numbers above the last whole multiple of `n` would make the small remainders likelier: draw again.
        let whole = u64::MAX - u64::MAX % n;
        loop {
            let drawn = self.0.next_u64();
            if drawn < whole {
                return drawn % n;
            }
        }
    }

    /// Fisher–Yates: every order is as likely as any other.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1);
            items.swap(last, usize::try_from(other).unwrap_or(last));
        }
    }
}
