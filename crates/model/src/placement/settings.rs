//! What an operator can set about placement, with defaults that were measured in the simulator.

use std::time::Duration;

/// The `[balance]` section's figures. Utilisations are shares of a server's capacity.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How far above its location's mean a server may be before it gives, as a share of the mean. Default 0.15.
    pub band_high: f64,
    /// How far above the mean a giving server stops. Default 0.05.
    pub band_low: f64,
    /// Whether bands narrow as the fleet's mean comes near its limits. Default true.
    pub adapt_band: bool,
    /// Below this utilisation nobody gives. Default 0.20.
    pub activity_floor: f64,
    /// Up to here load costs little; above it, steeply more. Default 0.68.
    pub soft_limit: f64,
    /// Above this a server gives at once, from the larger budget. Default 0.73.
    pub urgent_limit: f64,
    /// Above this the rules against moving back and forth are suspended. Default 0.79.
    pub hard_limit: f64,
    /// Whether the limits rise with the fleet's mean: where all are full, the fullest still give. Default true.
    pub float_limits: bool,
    /// How long a server must be above the band before it gives. A third of it where the mean is above 0.6. Default 3 min.
    pub sustain: Duration,
    /// What one move must lower the objective by at least. Default 1e-4.
    pub move_cost: f64,
    /// How long a database stays where it was moved to, doubled with each further move. Default 15 min.
    pub cooldown: Duration,
    /// How long a database is not given back to the server that it came from. Default 2 h.
    pub no_return: Duration,
    /// Moves a minute that only tidy up, for up to 100 servers; proportionally more for larger fleets. Default 20.
    pub moves_per_minute: f64,
    /// Moves a minute away from servers above the urgent limit, likewise. Default 200.
    pub emergency_moves_per_minute: f64,
    /// Which part of the tidying moves may be for clients' distance. Default 0.5.
    pub location_share: f64,
    /// What a millisecond of round trip counts, for each mean server's worth of requests. Default 0.006.
    pub rtt_weight: f64,
    /// Which part of a database's requests must come from closer to the other location (R24). Default 0.6.
    pub location_threshold: f64,
    /// How much of the mean round trip a move for distance must save. Default 5 ms.
    pub min_rtt_gain: Duration,
    /// And as a share of it. Default 0.2.
    pub min_rtt_gain_ratio: f64,
    /// How many moves to a server, and how many from it, may be under way. Default 4.
    pub max_in_flight_per_server: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            band_high: 0.15,
            band_low: 0.05,
            adapt_band: true,
            activity_floor: 0.20,
            soft_limit: 0.68,
            urgent_limit: 0.73,
            hard_limit: 0.79,
            float_limits: true,
            sustain: Duration::from_secs(180),
            move_cost: 1e-4,
            cooldown: Duration::from_secs(15 * 60),
            no_return: Duration::from_secs(2 * 3600),
            moves_per_minute: 20.0,
            emergency_moves_per_minute: 200.0,
            location_share: 0.5,
            rtt_weight: 0.006,
            location_threshold: 0.6,
            min_rtt_gain: Duration::from_millis(5),
            min_rtt_gain_ratio: 0.2,
            max_in_flight_per_server: 4,
        }
    }
}
