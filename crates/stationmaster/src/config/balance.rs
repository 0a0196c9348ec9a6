//! `[balance]`: whether and how the leading controller moves databases by itself.

use std::time::Duration;

use controller::{BalanceSettings, Mode};

use super::{
    document::Document,
    reader::{Reader, Resolved},
    setting::{Setting, text},
    value::Value,
};

impl Setting for Mode {
    fn read(value: &Value) -> Result<Self, String> {
        const MODES: [Mode; 3] = [Mode::Auto, Mode::Recommend, Mode::Off];
        let expected = "\"auto\", \"recommend\" or \"off\"";
        let text = text(value, expected)?;
        MODES.into_iter().find(|mode| mode.name() == text).ok_or_else(|| expected.into())
    }

    fn to_toml(&self) -> String {
        format!("{:?}", self.name())
    }
}

/// A day in milliseconds.
const DAY_MS: u64 = 24 * 3_600_000;

/// Reads the table, which may be absent.
pub fn read(document: &mut Document) -> (BalanceSettings, Vec<Resolved>) {
    let mut reader = Reader::new(document, "balance");
    let mut settings = BalanceSettings::default();
    settings.mode = reader.or("mode", settings.mode);
    settings.interval = reader.millis("interval_ms", settings.interval, 100..=600_000);
    let policy = &mut settings.policy;
    policy.band_high = percent(&mut reader, "band_high_percent", policy.band_high, 1..=100);
    policy.band_low = percent(&mut reader, "band_low_percent", policy.band_low, 0..=100);
    policy.adapt_band = reader.or("adapt_band", policy.adapt_band);
    policy.activity_floor = percent(&mut reader, "activity_floor_percent", policy.activity_floor, 0..=100);
    policy.soft_limit = percent(&mut reader, "soft_limit_percent", policy.soft_limit, 1..=100);
    policy.urgent_limit = percent(&mut reader, "urgent_limit_percent", policy.urgent_limit, 1..=100);
    policy.hard_limit = percent(&mut reader, "hard_limit_percent", policy.hard_limit, 1..=100);
    policy.float_limits = reader.or("float_limits", policy.float_limits);
    policy.sustain = reader.millis("sustain_ms", policy.sustain, 0..=DAY_MS);
    policy.cooldown = reader.millis("cooldown_ms", policy.cooldown, 0..=DAY_MS);
    policy.no_return = reader.millis("no_return_ms", policy.no_return, 0..=7 * DAY_MS);
    policy.moves_per_minute =
        reader.number("moves_per_minute", policy.moves_per_minute as u64, 0..=100_000) as f64;
    let urgent = policy.emergency_moves_per_minute as u64;
    policy.emergency_moves_per_minute =
        reader.number("emergency_moves_per_minute", urgent, 0..=100_000) as f64;
    policy.location_share = percent(&mut reader, "location_share_percent", policy.location_share, 0..=100);
    policy.location_threshold =
        percent(&mut reader, "location_threshold_percent", policy.location_threshold, 1..=100);
    policy.min_rtt_gain = reader.millis("min_rtt_gain_ms", policy.min_rtt_gain, 0..=10_000);
    policy.min_rtt_gain_ratio =
        percent(&mut reader, "min_rtt_gain_percent", policy.min_rtt_gain_ratio, 0..=100);
    policy.rtt_weight = millionths(&mut reader, "rtt_weight_millionths", policy.rtt_weight);
    policy.move_cost = millionths(&mut reader, "move_cost_millionths", policy.move_cost);
    let in_flight =
        reader.number("max_in_flight_per_server", policy.max_in_flight_per_server.into(), 1..=1_000);
    policy.max_in_flight_per_server = u32::try_from(in_flight).expect("BUG: bounded above");
    if policy.band_low >= policy.band_high {
        reader.complain("band_low_percent", "must be less than band_high_percent".into());
    }
    if policy.urgent_limit > policy.hard_limit {
        reader.complain("urgent_limit_percent", "must be at most hard_limit_percent".into());
    }
    if policy.sustain > Duration::ZERO && policy.sustain < settings.interval {
        reader.complain("sustain_ms", "must be 0 or at least interval_ms".into());
    }
    (settings, reader.finish())
}

fn percent(
    reader: &mut Reader<'_>,
    key: &'static str,
    default: f64,
    bounds: std::ops::RangeInclusive<u64>,
) -> f64 {
    reader.number(key, (default * 100.0).round() as u64, bounds) as f64 / 100.0
}

fn millionths(reader: &mut Reader<'_>, key: &'static str, default: f64) -> f64 {
    reader.number(key, (default * 1e6).round() as u64, 0..=1_000_000_000) as f64 / 1e6
}
