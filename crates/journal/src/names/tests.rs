use super::*;

fn at(number: u64) -> Position {
    Position::new(number).expect("in range")
}

fn listed(names: &[&str]) -> Vec<Listed> {
    names.iter().map(|name| Listed { name: (*name).into(), size: 7 }).collect()
}

#[test]
fn names_parse_back_and_sort_as_positions_do() {
    for name in
        [Name::Record(at(255)), Name::Snapshot(at(1)), Name::Tombstone(at(2)), Name::Pin("copy-1".into())]
    {
        assert_eq!(Name::parse(&name.text()), Some(name));
    }
    assert_eq!(Name::Record(at(255)).text(), "log-00000000000000ff");
    assert!(Name::Record(at(9)).text() < Name::Record(at(10)).text());
}

#[test]
fn other_names_are_foreign() {
    for name in [
        "log-ff",
        "log-00000000000000FF",
        "log-ffffffffffffffff",
        "log-+0000000000000ff",
        "log-00000000000000ff0",
        "snap",
        "pin-",
        "pin-A/b",
        "notes.txt",
        "",
    ] {
        assert_eq!(Name::parse(name), None, "{name:?}");
    }
}

#[test]
fn a_database_has_one_folder() {
    let key = folder(FleetId(0xf1ee7), DatabaseId(0x1234));
    assert_eq!(key.as_str(), "000000000000000000000000000f1ee7/34/db-4hm");
}

#[test]
fn the_tail_is_the_last_record_after_the_newest_snapshot_without_a_gap() {
    let database = DatabaseId(1);
    let extent = |names: &[&str]| Listing::new(&listed(names)).extent(database).map(|e| (e.base(), e.tail));
    let (one, two, three) = ("log-0000000000000001", "log-0000000000000002", "log-0000000000000003");
    assert_eq!(extent(&[]).expect("empty"), (at(0), at(0)));
    assert_eq!(extent(&[two, one]).expect("two"), (at(0), at(2)));
    assert_eq!(extent(&["snap-0000000000000002", two, three]).expect("a snapshot"), (at(2), at(3)));
    assert_eq!(extent(&["snap-0000000000000002", one, two]).expect("garbage"), (at(2), at(2)));
    for (names, missing) in [
        (&[one, three][..], 2),
        (&[two, three], 1),
        (&["snap-0000000000000001", one, three], 2),
        (&["snap-0000000000000001", three], 2),
    ] {
        let damaged = extent(names).expect_err("a gap");
        assert_eq!((damaged.position, damaged.damage), (at(missing), Damage::Missing), "{names:?}");
    }
}
