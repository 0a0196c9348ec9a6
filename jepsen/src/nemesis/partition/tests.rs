use std::collections::BTreeSet;

use super::*;

const ALL: [&str; 8] = [
    "controller-1",
    "controller-2",
    "controller-3",
    "handler-1",
    "handler-2",
    "server-1",
    "server-2",
    "server-3",
];

fn cut(shape: &str, pick: u64) -> BTreeSet<(String, String)> {
    let all = ALL.map(str::to_owned);
    let sides = Sides { all: &all, controllers: 3, leader: "controller-2", owner: "server-3" };
    cuts(shape, pick, &sides).into_iter().collect()
}

fn is_cut(of: &BTreeSet<(String, String)>, from: &str, to: &str) -> bool {
    of.contains(&pair(from, to))
}

#[test]
fn nobody_is_cut_from_itself_and_every_shape_but_one_is_the_same_both_ways() {
    for shape in ["leader", "controller", "owner", "stale", "halves", "bridge", "one-way", "ring"] {
        for pick in 0..50 {
            let cut = cut(shape, pick);
            assert!(cut.iter().all(|(from, to)| from != to), "{shape}");
            let same = cut.iter().all(|(from, to)| is_cut(&cut, to, from));
            assert_eq!(same, shape != "one-way", "{shape}");
            // Halves of chance may leave one side empty.
            assert!(!cut.is_empty() || shape == "halves", "{shape}");
        }
    }
}

#[test]
fn each_shape_cuts_whom_it_says() {
    let leader = cut("leader", 0);
    assert!(is_cut(&leader, "controller-1", "controller-2") && !is_cut(&leader, "server-1", "controller-2"));
    let owner = cut("owner", 0);
    assert!(is_cut(&owner, "server-3", "controller-1") && !is_cut(&owner, "server-3", "handler-1"));
    let stale = cut("stale", 0);
    let handlers = ["handler-1", "handler-2"].map(|handler| is_cut(&stale, handler, "controller-1"));
    assert_eq!(handlers.iter().filter(|cut| **cut).count(), 1);
    assert!(is_cut(&stale, "server-3", "server-1"));
    let one_way = cut("one-way", 0);
    assert!(is_cut(&one_way, "server-1", "controller-2") && !is_cut(&one_way, "controller-2", "server-1"));
    let ring = cut("ring", 0);
    assert!(is_cut(&ring, "controller-1", "handler-1") && !is_cut(&ring, "controller-1", "server-3"));
    for pick in 0..20 {
        let bridge = cut("bridge", pick);
        let whole = ALL.iter().filter(|of| ALL.iter().all(|other| !is_cut(&bridge, of, other)));
        assert_eq!(whole.count(), 1, "{bridge:?}");
    }
}
