//! Moments of a client's own: spread evenly over clients, the same each time for one of them.

/// A number below `width_ms`, or 0, out of the client's seed and what it is for.
///
/// FNV-1a (64 bits) of the seed's eight bytes, lowest first, and the bytes of `what`; stirred by the last steps of
/// SplitMix64, because FNV's high bits hardly move; its upper 32 bits times the width, divided by 2^32.
pub(crate) fn jitter_ms(seed: u64, what: &str, width_ms: u64) -> u64 {
    let bytes = seed.to_le_bytes();
    let fnv = bytes.iter().chain(what.as_bytes()).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let stirred = (fnv ^ fnv >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let stirred = (stirred ^ stirred >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    let high = (stirred ^ stirred >> 31) >> 32;
    // Widths are at most minutes, so this cannot overflow.
    (high * width_ms.min(u64::from(u32::MAX))) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s6_a_thousand_clients_come_back_evenly() {
        let mut tenths = [0; 10];
        for seed in 0..1_000 {
            let at = jitter_ms(seed, "s2-41", 1_000);
            tenths[usize::try_from(at / 100).expect("below ten")] += 1;
        }
        assert!(tenths.iter().all(|count| (60..=140).contains(count)), "{tenths:?}");
        assert_eq!(jitter_ms(7, "x", 0), 0);
        assert_ne!(jitter_ms(7, "x", 60_000), jitter_ms(7, "y", 60_000));
    }
}
