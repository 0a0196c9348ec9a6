//! `valid.json` and `invalid.json`.

use directive::{Kind, decode, encode};
use serde_json::json;

use crate::file::{File, bytes};

#[test]
fn r89_what_is_valid_is_read_with_its_defaults_and_written_in_one_way() {
    File::open("valid.json").check("", |case| {
        let directive = decode(&bytes(case)).unwrap_or_else(|error| panic!("{}: {error}", case["name"]));
        let canonical = encode(&directive).expect("what was read can be written");
        assert_eq!(decode(canonical.as_bytes()).as_ref(), Ok(&directive));
        case["canonical"] = canonical.into();
        case["slot"] = directive.slot().map(|slot| slot.to_string()).into();
    });
}

#[test]
fn r65_what_is_invalid_is_refused_for_the_same_reason_everywhere() {
    File::open("invalid.json").check("", |case| {
        let unreadable = match decode(&bytes(case)) {
            Err(unreadable) => unreadable,
            Ok(directive) => panic!("{} was read as {directive:?}", case["name"]),
        };
        case["why"] = unreadable.refusal.why.code().into();
        case["id"] = json!(unreadable.id);
    });
}

#[test]
fn every_kind_has_a_valid_vector_and_an_invalid_one() {
    for file in ["valid.json", "invalid.json"] {
        let text = std::fs::read_to_string(format!("{}/vectors/{file}", env!("CARGO_MANIFEST_DIR")));
        let text = text.expect("the vectors are there");
        for kind in Kind::ALL {
            assert!(text.contains(&format!("\"action\": \"{kind}\"")), "{file} has no {kind}");
        }
    }
}
