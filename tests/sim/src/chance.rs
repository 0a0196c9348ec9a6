//! Chance: whoever asks the system for random bytes in this process gets them from the seed.
//!
//! The standard library (the order of hash maps, tokio's `select!`) and the crate `getrandom` since 0.3 (`rand`) call libc's
//! `getrandom`, which this takes the place of. Version 0.2 makes the system call itself; nobody here uses that.
//! The simulation's own choices come from [`stream`], so that a change in what the product draws leaves the plan as it was.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

use rand::{SeedableRng, rngs::StdRng};

/// SplitMix64 (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, 2014).
static STATE: AtomicU64 = AtomicU64::new(0);

/// Begins anew from a seed. Threads started later have seen nothing of what was before.
pub fn seed(seed: u64) {
    STATE.store(mixed(seed), Ordering::Relaxed);
}

/// Numbers of a seed for one purpose.
pub fn stream(seed: u64, purpose: u64) -> StdRng {
    StdRng::seed_from_u64(mixed(seed ^ mixed(purpose)))
}

/// A number that says nothing of the one it was made of, and is always the same.
pub fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// In place of libc's.
///
/// # Safety
/// As there: `len` bytes from `buffer` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buffer: *mut u8, len: usize, _flags: u32) -> isize {
    for at in 0..len {
        let state = STATE.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        // SAFETY: the caller gave so many bytes.
        unsafe { buffer.add(at).write(mixed(state) as u8) };
    }
    isize::try_from(len).unwrap_or(isize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a build without this file's symbol the second draw would differ.
    #[test]
    fn the_same_seed_gives_the_same_chance_to_everybody() {
        let drawn = || {
            seed(7);
            let hashed = std::thread::spawn(|| {
                use std::hash::BuildHasher;
                (std::collections::hash_map::RandomState::new().hash_one(1), rand::random::<u64>())
            });
            hashed.join().expect("no panic")
        };
        assert_eq!(drawn(), drawn());
    }
}
