//! Where clients are, and how far that is from the servers.
//!
//! Databases whose clients are spread alike form a class; there are few, so distances are kept for each class.

use crate::random::Random;

use super::fleet::DAY;

/// How many locations there are.
pub const LOCATIONS: usize = 4;

/// Round trips between locations, in milliseconds: the east of the US, the middle of Europe, its west, and Singapore.
pub const ROUND_TRIP_MS: [[f32; LOCATIONS]; LOCATIONS] = [
    [1.5, 92.0, 78.0, 215.0],
    [92.0, 1.5, 14.0, 158.0],
    [78.0, 14.0, 1.5, 168.0],
    [215.0, 158.0, 168.0, 1.5],
];

/// What their clocks show when it is noon in Greenwich, in minutes after it.
pub(crate) const CLOCK: [i32; LOCATIONS] = [-300, 60, 0, 480];

/// Which share of databases has its home there.
const HOMES: [f64; LOCATIONS] = [0.30, 0.20, 0.35, 0.15];

/// Of two homes, which part of the requests comes from the first.
const FIRST: [f32; 4] = [0.55, 0.6, 0.65, 0.7];

/// The class that is single-homed in a location has the location's number; then come those with two homes.
const TWO_HOMES: usize = LOCATIONS;

/// The class whose clients work where it is day.
const SUN: usize = TWO_HOMES + LOCATIONS * (LOCATIONS - 1) * FIRST.len();

/// How many classes there are.
pub const CLASSES: usize = SUN + 1;

/// After so many minutes a location's old clients count half.
const HALF_LIFE: f32 = 30.0;

/// Which part comes from where.
pub type Shares = [f32; LOCATIONS];

/// The clients of all databases.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The class of each database.
    pub class: Vec<u8>,
    /// Databases that change their home: when, which, and where to; the earliest last.
    leaving: Vec<(u32, u32, u8)>,
    /// Those that did lately: since when, which, and from where.
    left: Vec<(u32, u32, u8)>,
    /// Now, by class.
    shares: Vec<Shares>,
    /// As a decayed count of requests shows them.
    counted: Vec<Shares>,
}

impl Clients {
    /// 80 % of the databases have one home, 15 % two, 5 % follow the sun. One in a hundred changes its home a day.
    pub(crate) fn new(databases: usize, days: u32, random: &mut Random) -> Self {
        let class: Vec<u8> = (0..databases).map(|_| class(random) as u8).collect();
        let mut leaving: Vec<(u32, u32, u8)> = Vec::new();
        for (database, class) in class.iter().enumerate() {
            let class = usize::from(*class);
            if random.uniform() < 0.01 * f64::from(days) && class < LOCATIONS {
                let minute = random.below((days * DAY) as usize) as u32;
                let to = (class + 1 + random.below(LOCATIONS - 1)) % LOCATIONS;
                leaving.push((minute, database as u32, to as u8));
            }
        }
        leaving.sort_unstable_by(|a, b| b.cmp(a));
        let shares: Vec<Shares> = (0..CLASSES).map(|class| shares_of(class, 0)).collect();
        Self { class, leaving, left: Vec::new(), counted: shares.clone(), shares }
    }

    /// Goes on to this minute.
    pub(crate) fn step(&mut self, minute: u32) {
        self.shares[SUN] = shares_of(SUN, minute);
        let keep = 0.5_f32.powf(1.0 / HALF_LIFE);
        for (counted, now) in self.counted[SUN].iter_mut().zip(self.shares[SUN]) {
            *counted = *counted * keep + now * (1.0 - keep);
        }
        while let Some((_, database, to)) = self.leaving.pop_if(|(when, ..)| *when <= minute) {
            let class = &mut self.class[database as usize];
            self.left.push((minute, database, *class));
            *class = to;
        }
        // Then 0.1 % of what is counted comes from the old home.
        self.left.retain(|(when, ..)| minute - when < 10 * HALF_LIFE as u32);
    }

    /// The home whose day a database's load follows; `None` for one that follows the sun.
    pub(crate) fn home(&self, database: usize) -> Option<usize> {
        let class = usize::from(self.class[database]);
        (class < SUN).then(|| {
            (0..LOCATIONS).max_by(|a, b| shares_of(class, 0)[*a].total_cmp(&shares_of(class, 0)[*b]))
        })?
    }

    /// The mean round trip to servers of each location, in milliseconds, by class.
    pub fn round_trips(&self) -> Vec<[f64; LOCATIONS]> {
        self.shares.iter().map(round_trips).collect()
    }

    /// What is counted of the clients of each class.
    pub fn counted(&self) -> &[Shares] {
        &self.counted
    }

    /// Databases that are counted otherwise than their class, as they changed it lately.
    pub fn in_between(&self, minute: u32) -> impl Iterator<Item = (u32, Shares)> + '_ {
        self.left.iter().map(move |(when, database, from)| {
            let old = 0.5_f32.powf((minute - when) as f32 / HALF_LIFE);
            let mut shares = self.counted[usize::from(self.class[*database as usize])];
            shares.iter_mut().for_each(|share| *share *= 1.0 - old);
            shares[usize::from(*from)] += old;
            (*database, shares)
        })
    }
}

/// The mean round trip from these clients to each location.
pub fn round_trips(shares: &Shares) -> [f64; LOCATIONS] {
    std::array::from_fn(|server| {
        (0..LOCATIONS).map(|client| f64::from(shares[client] * ROUND_TRIP_MS[client][server])).sum()
    })
}

fn class(random: &mut Random) -> usize {
    let kind = random.uniform();
    let home = home(random);
    if kind < 0.80 {
        return home;
    }
    if kind >= 0.95 {
        return SUN;
    }
    let other = random.below(LOCATIONS - 1);
    TWO_HOMES + (home * (LOCATIONS - 1) + other) * FIRST.len() + random.below(FIRST.len())
}

fn home(random: &mut Random) -> usize {
    let mut left = random.uniform();
    HOMES
        .iter()
        .position(|share| {
            left -= share;
            left < 0.0
        })
        .unwrap_or(LOCATIONS - 1)
}

fn shares_of(class: usize, minute: u32) -> Shares {
    let mut shares = [0.0; LOCATIONS];
    if class < TWO_HOMES {
        shares[class] = 1.0;
    } else if class < SUN {
        let (pair, first) = ((class - TWO_HOMES) / FIRST.len(), FIRST[(class - TWO_HOMES) % FIRST.len()]);
        let (home, other) = (pair / (LOCATIONS - 1), pair % (LOCATIONS - 1));
        shares[home] = first;
        shares[(home + 1 + other) % LOCATIONS] = 1.0 - first;
    } else {
        shares = std::array::from_fn(|location| {
            let local = (minute as i32 + CLOCK[location]).rem_euclid(DAY as i32) as u32;
            0.05 + super::day::office(local)
        });
        let sum: f32 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= sum);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_every_class_add_up_to_one_at_any_time() {
        for class in 0..CLASSES {
            for minute in [0, 300, 900, 1_439] {
                let sum: f32 = shares_of(class, minute).iter().sum();
                assert!((sum - 1.0).abs() < 1e-5, "{class} at {minute}: {sum}");
            }
        }
    }

    #[test]
    fn who_follows_the_sun_is_elsewhere_twelve_hours_later() {
        let most = |minute| {
            let shares = shares_of(SUN, minute);
            (0..LOCATIONS).max_by(|a, b| shares[*a].total_cmp(&shares[*b])).expect("some")
        };
        assert_eq!((most(4 * 60), most(20 * 60)), (3, 0), "Singapore, then the US");
    }

    #[test]
    fn a_new_home_is_counted_little_by_little() {
        let mut clients = Clients::new(1, 1, &mut Random::new(1, 1));
        clients.class[0] = 0;
        clients.leaving = vec![(10, 0, 2)];
        clients.step(9);
        assert_eq!((clients.class[0], clients.in_between(9).count()), (0, 0));
        clients.step(10);
        assert_eq!(clients.class[0], 2);
        let (database, shares) = clients.in_between(40).next().expect("one");
        assert_eq!((database, shares[0], shares[2]), (0, 0.5, 0.5));
    }
}
