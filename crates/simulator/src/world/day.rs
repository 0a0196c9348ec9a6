//! How load goes through the day, as tables of 1,440 minutes whose mean is 1.

use super::fleet::DAY;

/// A shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// 60 % of the databases: office hours of their home.
    Office,
    /// 20 %: always alike.
    Flat,
    /// 10 %: from 1 to 5 o'clock of their home.
    Night,
    /// 10 %: ten minutes of every hour, which begin somewhen in its first twenty.
    Hourly,
}

impl Shape {
    const ALL: [Self; 4] = [Self::Office, Self::Flat, Self::Night, Self::Hourly];

    pub(crate) fn of(chance: f64) -> Self {
        match chance {
            chance if chance < 0.6 => Self::Office,
            chance if chance < 0.8 => Self::Flat,
            chance if chance < 0.9 => Self::Night,
            _ => Self::Hourly,
        }
    }

    /// How far two databases of this shape and home are apart at most, in minutes.
    pub(crate) fn spread(self) -> u32 {
        match self {
            Self::Office | Self::Night => 120,
            Self::Flat => 1,
            Self::Hourly => 20,
        }
    }

    fn at(self, minute: u32) -> f32 {
        match self {
            Self::Office => 0.1 + 0.9 * office(minute),
            Self::Flat => 1.0,
            Self::Night if (60..300).contains(&minute) => 5.0,
            Self::Night => 0.2,
            Self::Hourly if minute % 60 < 10 => 2.5,
            Self::Hourly => 0.7,
        }
    }
}

/// How busy an office is: 1 at three in the afternoon, half of that at eleven and at seven, hardly at all in the night.
pub(crate) fn office(minute: u32) -> f32 {
    let hour = minute as f32 / 60.0;
    let away = (hour - 15.0).abs().min(24.0 - (hour - 15.0).abs());
    (-(away / 3.2).powi(2) / 2.0).exp()
}

/// All shapes, one table after the other.
pub(crate) fn tables() -> Vec<f32> {
    let tables = Shape::ALL.into_iter().flat_map(|shape| {
        let table: Vec<f32> = (0..DAY).map(|minute| shape.at(minute)).collect();
        let mean = table.iter().sum::<f32>() / DAY as f32;
        table.into_iter().map(move |value| value / mean)
    });
    tables.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_comes_to_one_over_the_day() {
        let tables = tables();
        for table in tables.chunks(DAY as usize) {
            let mean = table.iter().sum::<f32>() / DAY as f32;
            assert!((mean - 1.0).abs() < 1e-3, "{mean}");
        }
        let office = &tables[..DAY as usize];
        assert!(office[15 * 60] > 2.0 && office[3 * 60] < 0.4, "busy in the afternoon, not in the night");
    }
}
