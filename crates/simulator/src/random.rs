//! Chance from a seed: the same seed and stream give the same numbers.

use rand::{Rng, RngCore, SeedableRng, rngs::SmallRng};

/// A stream of chance.
pub struct Random {
    inner: SmallRng,
}

impl Random {
    /// Streams of one seed have nothing to do with each other.
    pub fn new(seed: u64, stream: u64) -> Self {
        Self { inner: SmallRng::seed_from_u64(mix(seed) ^ mix(stream.wrapping_add(1) << 32)) }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.inner.next_u64()
    }

    /// From 0 to less than 1.
    pub fn uniform(&mut self) -> f64 {
        self.inner.random()
    }

    /// From one to less than the other.
    pub fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.uniform()
    }

    /// A whole number below this one, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.inner.random_range(0..end)
    }

    /// The standard normal distribution, by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// The exponential distribution of this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.uniform()).ln()
    }

    /// Puts things in a random order.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for at in (1..things.len()).rev() {
            things.swap(at, self.below(at + 1));
        }
    }
}

/// Scatters a number over all 64 bits; the last step of SplitMix64.
pub fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Normal numbers from a table, for noise that is wanted by the hundred million.
pub struct Noise {
    table: Vec<f32>,
    random: Random,
}

/// How many bits choose one.
const BITS: u32 = 12;

impl Noise {
    /// Of mean 0 and this deviation.
    pub fn new(seed: u64, stream: u64, deviation: f64) -> Self {
        let mut random = Random::new(seed, stream);
        let mut table: Vec<f64> = (0..1 << BITS).map(|_| random.normal()).collect();
        let count = table.len() as f64;
        let mean = table.iter().sum::<f64>() / count;
        let spread = (table.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
        table.iter_mut().for_each(|x| *x = (*x - mean) / spread * deviation);
        Self { table: table.into_iter().map(|x| x as f32).collect(), random }
    }

    /// Calls `change` with each value and a fresh number.
    pub fn each<T>(&mut self, values: &mut [T], mut change: impl FnMut(usize, &mut T, f32)) {
        const AT_ONCE: usize = 64 / BITS as usize;
        for (chunk, part) in values.chunks_mut(AT_ONCE).enumerate() {
            let mut bits = self.random.bits();
            for (at, value) in part.iter_mut().enumerate() {
                change(chunk * AT_ONCE + at, value, self.table[(bits & ((1 << BITS) - 1)) as usize]);
                bits >>= BITS;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_again_and_a_stream_others() {
        let numbers = |seed, stream| {
            let mut random = Random::new(seed, stream);
            (0..8).map(|_| random.bits()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(1, 2), numbers(1, 2));
        assert_ne!(numbers(1, 2), numbers(1, 3));
        assert_ne!(numbers(1, 2), numbers(2, 2));
    }

    #[test]
    fn noise_has_the_deviation_asked_for() {
        let mut values = vec![0.0_f32; 100_000];
        Noise::new(1, 1, 0.05).each(&mut values, |_, value, noise| *value = noise);
        let mean = values.iter().sum::<f32>() / 1e5;
        let deviation = (values.iter().map(|x| x * x).sum::<f32>() / 1e5).sqrt();
        assert!(mean.abs() < 1e-3 && (deviation - 0.05).abs() < 1e-3, "{mean} {deviation}");
    }
}
