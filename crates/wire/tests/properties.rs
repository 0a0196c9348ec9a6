//! Properties of the wire over random bytes and random messages.
//!
//! The same checks are driven by coverage in `crates/wire/fuzz`. `PROPTEST_CASES` makes a longer run.

#[path = "properties/checks.rs"]
mod checks;
#[path = "properties/inputs.rs"]
mod inputs;

use std::fs;
use std::path::Path;

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use wire::backend::{self, Column, DataRow, Fields, Severity};
use wire::{Error, Format, Frame, Oid, SqlState, frontend, startup};

/// Bytes that decoders take an interest in, among arbitrary ones.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => Just(0u8), 1 => 0..5u8, 1 => Just(255u8), 2 => b' '..b'~', 2 => any::<u8>()];
    vec(byte, 0..200)
}

/// Frames with honest lengths and arbitrary tags and bodies, then some noise.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    (vec((tag(), bytes()), 0..5), bytes()).prop_map(|(frames, noise)| {
        let mut stream = Vec::new();
        for (tag, body) in frames {
            stream.push(tag);
            stream.extend_from_slice(&u32::try_from(body.len() + 4).expect("short").to_be_bytes());
            stream.extend_from_slice(&body);
        }
        [stream, noise].concat()
    })
}

fn tag() -> impl Strategy<Value = u8> {
    let known = b"BCDEFHPQSXcdfp123AGIKNRTVWZnstv".to_vec();
    prop_oneof![9 => proptest::sample::select(known), 1 => any::<u8>()]
}

fn text() -> impl Strategy<Value = String> {
    "[^\0]{0,12}"
}

fn format() -> impl Strategy<Value = Format> {
    prop_oneof![Just(Format::Text), Just(Format::Binary)]
}

fn values() -> impl Strategy<Value = Vec<Option<Vec<u8>>>> {
    vec(option::of(vec(any::<u8>(), 0..20)), 0..8)
}

fn borrowed(values: &[Option<Vec<u8>>]) -> Vec<Option<&[u8]>> {
    values.iter().map(Option::as_deref).collect()
}

/// The one frame in `out`, which must be refused when it is cut anywhere.
fn only_frame(out: &BytesMut) -> Frame<'_> {
    let (frame, rest) = Frame::split(out, 1 << 30).expect("valid").expect("whole");
    assert_eq!(rest, b"");
    frame
}

fn cuts<'a>(frame: Frame<'a>) -> impl Iterator<Item = Frame<'a>> {
    (0..frame.body.len()).map(move |cut| Frame { tag: frame.tag, body: &frame.body[..cut] })
}

#[test]
fn every_fuzzing_seed_and_every_old_failure_passes() {
    type Target = fn(&[u8]);
    let targets: [(&str, Target); 5] = [
        ("frames", inputs::frames),
        ("startup", inputs::startup),
        ("frontend", inputs::frontend),
        ("backend", inputs::backend),
        ("scram", inputs::scram),
    ];
    for (target, run) in targets {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
        let seeds: Vec<_> = fs::read_dir(&folder).expect("a folder of seeds").collect();
        assert!(!seeds.is_empty(), "{} is empty", folder.display());
        for seed in seeds {
            run(&fs::read(seed.expect("a seed").path()).expect("a readable seed"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn streams_have_the_same_frames_in_any_chunks(input in stream(), step in 1..40usize) {
        checks::frames(&input, step);
    }

    #[test]
    fn no_client_bytes_panic_and_what_is_accepted_is_canonical(input in stream()) {
        checks::frontend(&input);
    }

    #[test]
    fn no_server_bytes_panic_and_what_is_accepted_is_canonical(input in stream()) {
        checks::backend(&input);
    }

    #[test]
    fn no_startup_bytes_panic_and_what_is_accepted_is_canonical(mut input in bytes(), code in 0..5usize) {
        checks::startup(&input);
        let code = [0x3_0000, 0x3_0002, 80_877_102, 80_877_103, 80_877_104u32][code];
        let len = u32::try_from(input.len() + 8).expect("short").to_be_bytes();
        input.splice(0..0, len.into_iter().chain(code.to_be_bytes()));
        checks::startup(&input);
    }

    #[test]
    fn no_scram_bytes_log_anybody_in(first in bytes(), second in bytes()) {
        checks::scram(&first, &second);
    }

    #[test]
    fn a_password_proves_itself_and_no_other_does(
        password in any::<String>(), other in any::<String>(), salt in vec(any::<u8>(), 1..64),
    ) {
        checks::scram_login(&password, &other, &salt);
    }

    #[test]
    fn bind_comes_back_as_it_was_sent_and_is_refused_when_cut(
        names in (text(), text()), sent in values(), each in any::<bool>(), formats in vec(format(), 0..4), one in format(),
    ) {
        let parameter_formats = vec![one; if each { sent.len() } else { 1 }];
        let mut out = BytesMut::new();
        let values = (&parameter_formats[..], &borrowed(&sent)[..]);
        frontend::bind(&mut out, &names.0, &names.1, values, &formats).expect("it can be sent");
        let frame = only_frame(&out);
        let Ok(frontend::Message::Bind(bind)) = frontend::Message::decode(frame) else { panic!("not a Bind") };
        prop_assert_eq!((bind.portal, bind.statement), (&names.0[..], &names.1[..]));
        prop_assert_eq!(bind.parameters.iter().collect::<Vec<_>>(), borrowed(&sent));
        prop_assert_eq!(bind.result_formats.iter().collect::<Vec<_>>(), formats);
        for cut in cuts(frame) {
            prop_assert!(frontend::Message::decode(cut).is_err());
        }
    }

    #[test]
    fn parse_comes_back_as_it_was_sent_and_is_refused_when_cut(
        sent in (text(), text()), types in vec(any::<u32>().prop_map(Oid), 0..6),
    ) {
        let mut out = BytesMut::new();
        frontend::parse(&mut out, &sent.0, &sent.1, &types).expect("it can be sent");
        let frame = only_frame(&out);
        let Ok(frontend::Message::Parse { name, sql, parameter_types }) = frontend::Message::decode(frame) else {
            panic!("not a Parse")
        };
        prop_assert_eq!((name, sql), (&sent.0[..], &sent.1[..]));
        prop_assert_eq!(parameter_types.iter().collect::<Vec<_>>(), types);
        for cut in cuts(frame) {
            prop_assert!(frontend::Message::decode(cut).is_err());
        }
    }

    #[test]
    fn rows_come_back_as_they_were_sent_and_are_refused_when_cut(sent in values()) {
        let mut out = BytesMut::new();
        let mut row = DataRow::begin(&mut out);
        for value in &sent {
            match value {
                None => row.null(),
                Some(value) if value.len() % 2 == 0 => row.value(value).expect("short"),
                Some(value) => row.value_with::<Error>(|out| { out.extend_from_slice(value); Ok(()) }).expect("short"),
            }
        }
        row.finish().expect("short");
        let frame = only_frame(&out);
        let Ok(backend::Message::DataRow(values)) = backend::Message::decode(frame) else { panic!("not a row") };
        prop_assert_eq!(values.iter().collect::<Vec<_>>(), borrowed(&sent));
        for cut in cuts(frame) {
            prop_assert!(backend::Message::decode(cut).is_err());
        }
    }

    #[test]
    fn columns_come_back_as_they_were_sent(
        sent in vec((text(), any::<(u32, i16, u32, i16, i32)>(), format()), 0..5),
    ) {
        let columns: Vec<_> = sent.iter().map(|(name, (table, attribute, type_oid, type_len, type_modifier), format)| {
            let (table, type_oid) = (Oid(*table), Oid(*type_oid));
            Column { name, table, attribute: *attribute, type_oid, type_len: *type_len, type_modifier: *type_modifier, format: *format }
        }).collect();
        let mut out = BytesMut::new();
        backend::row_description(&mut out, columns.iter().copied()).expect("it can be sent");
        let Ok(backend::Message::RowDescription(read)) = backend::Message::decode(only_frame(&out)) else {
            panic!("not a RowDescription")
        };
        prop_assert_eq!(read.iter().collect::<Vec<_>>(), columns);
    }

    #[test]
    fn errors_come_back_as_they_were_sent_and_are_refused_when_cut(
        code in "[0-9A-Z]{5}", texts in (text(), option::of(text()), option::of(text())), position in option::of(any::<u32>()),
    ) {
        let code = SqlState::new(&code).expect("a SQLSTATE");
        let fields = Fields {
            detail: texts.1.as_deref(), constraint: texts.2.as_deref(), position, ..Fields::new(Severity::Fatal, code, &texts.0)
        };
        let mut out = BytesMut::new();
        backend::error_response(&mut out, &fields);
        let frame = only_frame(&out);
        prop_assert_eq!(backend::Message::decode(frame), Ok(backend::Message::ErrorResponse(fields)));
        for cut in cuts(frame) {
            prop_assert!(backend::Message::decode(cut).is_err());
        }
    }

    #[test]
    fn a_session_start_comes_back_as_it_was_sent(
        minor in any::<u16>(), sent in vec(("[^\0]{1,9}", text()), 0..6),
    ) {
        let pairs: Vec<_> = sent.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        let mut out = BytesMut::new();
        startup::start(&mut out, minor, pairs.iter().copied()).expect("short");
        checks::startup(&out);
        let Ok(Some((startup::Startup::Start(start), _))) = startup::Startup::split(&out) else { panic!("no start") };
        prop_assert_eq!(start.minor, minor);
        prop_assert_eq!(start.parameters.iter().collect::<Vec<_>>(), pairs);
    }
}
