//! The four workloads: how load is spread over databases, and how full the fleet is.

use crate::random::Random;

/// A workload. All have the same fleet, clients, day and events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Workload {
    /// Log-normal of deviation 2.5 (the top 1 % have half of the load); mean utilisation 45 %.
    W1,
    /// The same at 60 %.
    W2,
    /// Zipf of 1.23, the median of Twitter's published cache clusters; 45 %.
    W3,
    /// Log-normal of deviation 4.08, as fits the invocations of Azure Functions; 45 %.
    W4,
}

/// A database's mean load at most: a quarter of a small server.
const DATABASE_MAX: f64 = 0.25;

impl Workload {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::W1, Self::W2, Self::W3, Self::W4];

    /// What it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::W1 => "w1",
            Self::W2 => "w2",
            Self::W3 => "w3",
            Self::W4 => "w4",
        }
    }

    /// In a few words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::W1 => "log-normal 2.5, mean utilisation 45 %",
            Self::W2 => "log-normal 2.5, mean utilisation 60 %",
            Self::W3 => "Zipf 1.23, mean utilisation 45 %",
            Self::W4 => "log-normal 4.08 (Azure Functions), mean utilisation 45 %",
        }
    }

    /// The fleet's mean utilisation over a day.
    pub fn utilization(self) -> f64 {
        match self {
            Self::W1 | Self::W3 | Self::W4 => 0.45,
            Self::W2 => 0.60,
        }
    }

    /// Every database's mean load, in small servers; together `total`.
    pub(crate) fn means(self, databases: usize, total: f64, random: &mut Random) -> Vec<f32> {
        let mut weights: Vec<f64> = match self {
            Self::W1 | Self::W2 => (0..databases).map(|_| (2.5 * random.normal()).exp()).collect(),
            Self::W3 => (1..=databases).map(|rank| (rank as f64).powf(-1.23)).collect(),
            Self::W4 => (0..databases).map(|_| (4.08 * random.normal()).exp()).collect(),
        };
        random.shuffle(&mut weights);
        let scale = scale_for(&weights, total);
        weights.into_iter().map(|weight| (weight * scale).min(DATABASE_MAX) as f32).collect()
    }
}

impl std::str::FromStr for Workload {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|workload| workload.name() == text);
        found.ok_or_else(|| format!("no workload {text}: there are w1, w2, w3 and w4"))
    }
}

/// By what to multiply weights so that they come to the total, none above [`DATABASE_MAX`].
pub(crate) fn scale_for(weights: &[f64], total: f64) -> f64 {
    let sum = |scale: f64| weights.iter().map(|weight| (weight * scale).min(DATABASE_MAX)).sum::<f64>();
    let (mut low, mut high) = (0.0, total / weights.iter().sum::<f64>());
    // Where so few databases cannot carry so much, the total is missed.
    for _ in 0..60 {
        if sum(high) >= total {
            break;
        }
        high *= 2.0;
    }
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if sum(middle) < total { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_come_to_the_total_with_a_heavy_tail_and_no_database_above_the_most() {
        for workload in Workload::ALL {
            let mut means = workload.means(100_000, 61.2, &mut Random::new(1, 1));
            let total: f64 = means.iter().map(|mean| f64::from(*mean)).sum();
            assert!((total - 61.2).abs() < 0.01, "{workload:?}: {total}");
            means.sort_by(|a, b| b.total_cmp(a));
            assert!(f64::from(means[0]) <= DATABASE_MAX);
            let top: f64 = means[..1_000].iter().map(|mean| f64::from(*mean)).sum();
            assert!(top > 0.4 * total, "{workload:?}: the top 1 % have {top}");
        }
    }
}
