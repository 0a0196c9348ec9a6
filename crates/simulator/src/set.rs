//! Settings of the policy by name, to try others than the usual ones.

use std::time::Duration;

use model::placement::Settings;

/// What every setting is called; durations are in seconds.
const NAMES: &str = "band_high, band_low, adapt_band, activity_floor, soft_limit, urgent_limit, hard_limit, float_limits, \
sustain, move_cost, cooldown, no_return, moves_per_minute, emergency_moves_per_minute, location_share, rtt_weight, \
location_threshold, min_rtt_gain, min_rtt_gain_ratio, max_in_flight_per_server";

/// Changes one, given as `KEY=VALUE`: a number, or true or false; of durations the seconds.
///
/// # Errors
/// What is wrong with it, for the one who typed it.
pub fn set(settings: &mut Settings, text: &str) -> Result<(), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not KEY=VALUE"))?;
    let flag = || value.parse::<bool>().map_err(|_| format!("{key} is true or false, not {value:?}"));
    let number = || {
        let number = value.parse::<f64>().ok().filter(|number| (0.0..=1e9).contains(number));
        number.ok_or_else(|| format!("{key} is a number from 0 to 1e9, not {value:?}"))
    };
    let time = || number().map(Duration::from_secs_f64);
    match key {
        "band_high" => settings.band_high = number()?,
        "band_low" => settings.band_low = number()?,
        "adapt_band" => settings.adapt_band = flag()?,
        "activity_floor" => settings.activity_floor = number()?,
        "soft_limit" => settings.soft_limit = number()?,
        "urgent_limit" => settings.urgent_limit = number()?,
        "hard_limit" => settings.hard_limit = number()?,
        "float_limits" => settings.float_limits = flag()?,
        "sustain" => settings.sustain = time()?,
        "move_cost" => settings.move_cost = number()?,
        "cooldown" => settings.cooldown = time()?,
        "no_return" => settings.no_return = time()?,
        "moves_per_minute" => settings.moves_per_minute = number()?,
        "emergency_moves_per_minute" => settings.emergency_moves_per_minute = number()?,
        "location_share" => settings.location_share = number()?,
        "rtt_weight" => settings.rtt_weight = number()?,
        "location_threshold" => settings.location_threshold = number()?,
        "min_rtt_gain" => settings.min_rtt_gain = time()?,
        "min_rtt_gain_ratio" => settings.min_rtt_gain_ratio = number()?,
        "max_in_flight_per_server" => settings.max_in_flight_per_server = number()? as u32,
        _ => return Err(format!("there is no setting {key}; there are {NAMES}")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_changed_by_name_and_nonsense_is_told() {
        let mut settings = Settings::default();
        set(&mut settings, "no_return=60").expect("seconds");
        set(&mut settings, "float_limits=false").expect("a flag");
        assert_eq!((settings.no_return, settings.float_limits), (Duration::from_secs(60), false));
        let told = |text: &str| set(&mut Settings::default(), text).expect_err("nonsense");
        assert_eq!(told("no_return"), "\"no_return\" is not KEY=VALUE");
        assert_eq!(told("sustain=-1"), "sustain is a number from 0 to 1e9, not \"-1\"");
        assert_eq!(told("band_low=NaN"), "band_low is a number from 0 to 1e9, not \"NaN\"");
        assert!(told("speed=1").starts_with("there is no setting speed; there are band_high"));
    }

    #[test]
    fn every_setting_that_is_named_can_be_set() {
        for name in NAMES.split(", ") {
            let set = |value| set(&mut Settings::default(), &format!("{name}={value}"));
            assert!(set("1").is_ok() || set("true").is_ok(), "{name}");
        }
    }
}
