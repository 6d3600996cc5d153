//! Reproducible randomness: a seed, printed when a test begins, and SplitMix64.

use std::time::{SystemTime, UNIX_EPOCH};

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// From `WATCHKEEPER_SEED`, or another one every time. Says on stderr how to have the same again.
    pub fn announced(test: &str) -> Chance {
        let given = std::env::var("WATCHKEEPER_SEED").ok().map(|text| text.parse().expect("WATCHKEEPER_SEED is a number"));
        let seed = given.unwrap_or_else(|| u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos()));
        eprintln!("{test}: WATCHKEEPER_SEED={seed}");
        Chance(seed)
    }

    /// A stream of its own for the `index`th part.
    pub fn part(&self, index: u64) -> Chance {
        let mut part = Chance(self.0 ^ index.wrapping_mul(0xd134_2543_de82_ef95));
        part.next();
        part
    }

    /// The next number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True so many times in a hundred.
    pub fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
