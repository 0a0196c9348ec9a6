//! How near to their clients databases could be at best: a transport problem, solved exactly.
//!
//! Load of each class of clients goes to locations of servers, in any parts, at the class's mean round trip, and no
//! location gets more than its servers carry at 75 % (or at the fleet's mean, where that is more). Databases of a class
//! differ in nothing but load, and parts are allowed: so no placement that keeps all locations below that is nearer, and
//! there is no error of rounding or sampling in it. By successive shortest paths: each class takes the cheapest way,
//! which may push others aside.

use crate::world::clients::LOCATIONS;

/// How full a location may be.
const FULL: f64 = 0.75;

/// The least mean round trip of all requests, in milliseconds.
///
/// `loads` and `round_trips` are by class, `capacity` is by location. Without load it is 0.
pub fn round_trip_ms(loads: &[f64], round_trips: &[[f64; LOCATIONS]], capacity: [f64; LOCATIONS]) -> f64 {
    let total: f64 = loads.iter().sum();
    let all: f64 = capacity.iter().sum();
    if total <= 0.0 || all <= 0.0 {
        return 0.0;
    }
    // A little more than the mean, so that rounding leaves nobody without a place.
    let full = FULL.max(total / all * (1.0 + 1e-9));
    let mut flows = Flows {
        cost: round_trips,
        parts: vec![[0.0; LOCATIONS]; loads.len()],
        room: capacity.map(|capacity| capacity * full),
        least: total * 1e-12,
    };
    for (class, load) in loads.iter().enumerate() {
        flows.send(class, *load);
    }
    let weighed = flows.parts.iter().zip(round_trips);
    weighed
        .map(|(parts, costs)| parts.iter().zip(costs).map(|(part, cost)| part * cost).sum::<f64>())
        .sum::<f64>()
        / total
}

struct Flows<'a> {
    cost: &'a [[f64; LOCATIONS]],
    /// What of each class goes where.
    parts: Vec<[f64; LOCATIONS]>,
    room: [f64; LOCATIONS],
    /// Less than this is nothing.
    least: f64,
}

/// Pushing some of a class from one location to another.
#[derive(Clone, Copy)]
struct Push {
    class: usize,
    cost: f64,
}

impl Flows<'_> {
    fn send(&mut self, class: usize, load: f64) {
        let mut left = load;
        while left > self.least {
            let pushes = self.pushes();
            let (cost, before) = self.paths(class, &pushes);
            let open = (0..LOCATIONS).filter(|location| self.room[*location] > self.least);
            let Some(end) = open.min_by(|a, b| cost[*a].total_cmp(&cost[*b])) else { return };
            left -= self.augment(class, left, end, &before, &pushes);
        }
    }

    /// The cheapest push between any two locations.
    fn pushes(&self) -> [[Option<Push>; LOCATIONS]; LOCATIONS] {
        let mut pushes = [[None::<Push>; LOCATIONS]; LOCATIONS];
        for (class, parts) in self.parts.iter().enumerate() {
            for from in (0..LOCATIONS).filter(|from| parts[*from] > self.least) {
                for to in (0..LOCATIONS).filter(|to| *to != from) {
                    let cost = self.cost[class][to] - self.cost[class][from];
                    let cheapest = &mut pushes[from][to];
                    if cheapest.is_none_or(|push| cost < push.cost) {
                        *cheapest = Some(Push { class, cost });
                    }
                }
            }
        }
        pushes
    }

    /// The cheapest way of a class to each location, by Bellman and Ford; and which location comes before it.
    fn paths(
        &self,
        class: usize,
        pushes: &[[Option<Push>; LOCATIONS]; LOCATIONS],
    ) -> ([f64; LOCATIONS], [Option<usize>; LOCATIONS]) {
        let (mut cost, mut before) = (self.cost[class], [None; LOCATIONS]);
        for _ in 1..LOCATIONS {
            for from in 0..LOCATIONS {
                for to in 0..LOCATIONS {
                    let Some(push) = pushes[from][to] else { continue };
                    if cost[from] + push.cost < cost[to] - 1e-9 {
                        (cost[to], before[to]) = (cost[from] + push.cost, Some(from));
                    }
                }
            }
        }
        (cost, before)
    }

    fn augment(
        &mut self,
        class: usize,
        left: f64,
        end: usize,
        before: &[Option<usize>; LOCATIONS],
        pushes: &[[Option<Push>; LOCATIONS]; LOCATIONS],
    ) -> f64 {
        let mut steps = Vec::new();
        let mut to = end;
        while let Some(from) = before[to] {
            let push = pushes[from][to].expect("BUG: a path goes along pushes");
            steps.push((push.class, from, to));
            to = from;
        }
        let limits = steps.iter().map(|(class, from, _)| self.parts[*class][*from]);
        let amount = limits.fold(left.min(self.room[end]), f64::min);
        for (class, from, to) in steps {
            self.parts[class][from] -= amount;
            self.parts[class][to] += amount;
        }
        self.parts[class][to] += amount;
        self.room[end] -= amount;
        amount
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const NEAR: [[f64; LOCATIONS]; 4] =
        [[1.0, 9.0, 8.0, 20.0], [9.0, 1.0, 2.0, 15.0], [8.0, 2.0, 1.0, 16.0], [20.0, 15.0, 16.0, 1.0]];

    #[test]
    fn with_room_everybody_is_at_home() {
        assert!((round_trip_ms(&[1.0; 4], &NEAR, [10.0; 4]) - 1.0).abs() < 1e-9);
        assert_eq!(round_trip_ms(&[0.0; 4], &NEAR, [10.0; 4]), 0.0);
    }

    #[test]
    fn what_does_not_fit_goes_where_it_costs_least_pushing_others_aside() {
        // 3 in location 0, where 1.5 fit. The rest goes to 2 for 8, and what is there to 1 for 2, as 1 has room alone.
        let ms = round_trip_ms(&[3.0, 0.5, 1.5, 1.0], &NEAR, [2.0, 20.0, 2.0, 2.0]);
        let best = (1.5 + 1.5 * 9.0 + 0.5 + 1.5 + 1.0) / 6.0;
        assert!((ms - best).abs() < 1e-9, "{ms} and not {best}");
    }

    #[test]
    fn no_random_placement_within_the_room_is_nearer() {
        let mut random = Random::new(1, 1);
        for _ in 0..200 {
            let loads: Vec<f64> = (0..6).map(|_| random.uniform()).collect();
            let costs: Vec<[f64; LOCATIONS]> =
                (0..6).map(|_| std::array::from_fn(|_| random.between(1.0, 100.0))).collect();
            let capacity = std::array::from_fn(|_| random.between(1.0, 2.0));
            let bound = round_trip_ms(&loads, &costs, capacity);
            assert!(bound > 0.0);
            for _ in 0..100 {
                if let Some(ms) = some_placement(&loads, &costs, capacity, &mut random) {
                    assert!(ms >= bound - 1e-9, "{ms} is nearer than {bound}");
                }
            }
        }
    }

    /// The mean round trip of classes that go, in random order, to random locations with room.
    fn some_placement(
        loads: &[f64],
        costs: &[[f64; LOCATIONS]],
        capacity: [f64; LOCATIONS],
        random: &mut Random,
    ) -> Option<f64> {
        let total: f64 = loads.iter().sum();
        let full = FULL.max(total / capacity.iter().sum::<f64>() * (1.0 + 1e-9));
        let mut room = capacity.map(|capacity| capacity * full);
        let mut sum = 0.0;
        for (load, cost) in loads.iter().zip(costs) {
            let location = random.below(LOCATIONS);
            room[location] -= load;
            sum += load * cost[location];
        }
        room.iter().all(|room| *room >= 0.0).then_some(sum / total)
    }
}
