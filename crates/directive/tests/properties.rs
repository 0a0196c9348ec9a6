//! Whatever the bytes: nothing panics, nothing grows, nothing holds a client for longer than its owner allows.
//!
//! The checks are shared with the fuzz targets, whose seeds and old failures run here, too.

#[path = "properties/checks.rs"]
mod checks;

use std::{fs, path::Path};

use proptest::prelude::*;

proptest! {
    #[test]
    fn r65_the_reader_stands_arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        checks::reader(&bytes);
        checks::answers(&bytes);
    }

    #[test]
    fn r65_the_reader_stands_whatever_looks_like_a_directive(text in directive()) {
        checks::reader(text.as_bytes());
    }

    #[test]
    fn s4_no_sequence_of_directives_holds_a_client_for_longer_than_its_owner_allows(
        lines in prop::collection::vec((any::<u8>(), directive()), 0..60)
    ) {
        let input: Vec<u8> = lines
            .into_iter()
            .flat_map(|(step, text)| [&[step.max(11)], text.as_bytes(), b"\n"].concat())
            .collect();
        checks::receiver(&input);
    }
}

/// Close to the form: right and wrong values for its fields.
fn directive() -> impl Strategy<Value = String> {
    let action = prop::sample::select(vec![
        r#""hold","with":{"spread_ms":0}"#,
        r#""hold","with":{"spread_ms":60000}"#,
        r#""hold""#,
        r#""resume""#,
        r#""resume","with":{"spread_ms":7}"#,
        r#""revoke","with":{"directive":"d-1"}"#,
        r#""rate","with":{"per_second":3}"#,
        r#""switch","with":{"to":"handler"}"#,
        r#""information","with":{"topic":"a","text":"b"}"#,
        r#""data_source","with":{"name":"a","version":2,"change":{"set":{"host":"h"}}}"#,
        r#""execute""#,
    ]);
    let number =
        prop::sample::select(vec!["0", "1", "5000", "600000", "9007199254740991", "-1", "1.5", "null"]);
    let scope = prop::sample::select(vec!["{}", r#"{"server":"s2"}"#, r#"{"database":"shop"}"#, "[]"]);
    (0..40_u8, number.clone(), 0..50_u8, number, scope, action).prop_map(
        |(id, epoch, sequence, lifetime, scope, action)| {
            format!(
                r#"{{"v":1,"id":"d-{id}","epoch":{epoch},"sequence":{sequence},"lifetime_ms":{lifetime},"scope":{scope},"action":{action}}}"#
            )
        },
    )
}

#[test]
fn inputs_worth_keeping_stay_right() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let each = |target: &str, check: fn(&[u8])| {
        let files: Vec<_> = fs::read_dir(seeds.join(target)).expect("seeds").collect();
        assert!(!files.is_empty(), "no seeds for {target}");
        for file in files {
            check(&fs::read(file.expect("readable").path()).expect("readable"));
        }
    };
    each("directives", checks::directives);
    each("answers", checks::answers);
    each("rules", checks::rules);
}
