//! Each message with its exact bytes, in both directions, then damaged in every way.

use bytes::BytesMut;

use super::*;
use crate::oid;

fn decode(frame: &[u8]) -> Result<Message<'_>, Error> {
    let (frame, rest) = Frame::split(frame, 1 << 20).expect("valid").expect("whole");
    assert_eq!(rest, b"");
    Message::decode(frame)
}

fn body(tag: u8, body: &[u8]) -> Result<Message<'_>, Error> {
    Message::decode(Frame { tag, body })
}

fn written(write: impl FnOnce(&mut BytesMut) -> Result<(), Error>) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut out).expect("it can be sent");
    out.to_vec()
}

const BIND: &[u8] = b"B\0\0\0\x1fp\0s\0\0\x01\0\x01\0\x02\0\0\0\x03abc\xff\xff\xff\xff\0\x02\0\0\0\x01";

#[test]
fn every_message_is_written_and_read_with_its_exact_bytes() {
    let parse = written(|out| parse(out, "s", "select $1", &[oid::INT4, oid::UNSPECIFIED]));
    assert_eq!(parse, b"P\0\0\0\x1as\0select $1\0\0\x02\0\0\0\x17\0\0\0\0");
    let Ok(Message::Parse { name, sql, parameter_types }) = decode(&parse) else { panic!("not a Parse") };
    assert_eq!((name, sql, parameter_types.len()), ("s", "select $1", 2));
    assert_eq!(parameter_types.iter().collect::<Vec<_>>(), [oid::INT4, oid::UNSPECIFIED]);

    let call = written(|out| function_call(out, Oid(7), (&[], &[Some(b"a")]), Format::Binary));
    assert_eq!(call, b"F\0\0\0\x13\0\0\0\x07\0\0\0\x01\0\0\0\x01a\0\x01");
    let Ok(Message::FunctionCall(call)) = decode(&call) else { panic!("not a FunctionCall") };
    assert_eq!((call.function, call.arguments.len(), call.result_format), (Oid(7), 1, Format::Binary));

    let simple: [(Vec<u8>, &[u8], Message<'_>); 13] = [
        (written(|o| query(o, "é")), b"Q\0\0\0\x07\xc3\xa9\0", Message::Query { sql: "é" }),
        (
            written(|o| describe(o, Target::Statement(""))),
            b"D\0\0\0\x06S\0",
            Message::Describe(Target::Statement("")),
        ),
        (
            written(|o| describe(o, Target::Portal("p"))),
            b"D\0\0\0\x07Pp\0",
            Message::Describe(Target::Portal("p")),
        ),
        (
            written(|o| close(o, Target::Statement("s"))),
            b"C\0\0\0\x07Ss\0",
            Message::Close(Target::Statement("s")),
        ),
        (
            written(|o| execute(o, "p", 256)),
            b"E\0\0\0\x0ap\0\0\0\x01\0",
            Message::Execute { portal: "p", rows_max: 256 },
        ),
        (written(|o| copy_data(o, b"1\t2\n")), b"d\0\0\0\x081\t2\n", Message::CopyData(b"1\t2\n")),
        (written(|o| copy_fail(o, "no")), b"f\0\0\0\x07no\0", Message::CopyFail { reason: "no" }),
        (written(|o| sasl::response(o, b"c=x")), b"p\0\0\0\x07c=x", Message::Authentication(b"c=x")),
        (
            written(|o| {
                copy_done(o);
                Ok(())
            }),
            b"c\0\0\0\x04",
            Message::CopyDone,
        ),
        (
            written(|o| {
                flush(o);
                Ok(())
            }),
            b"H\0\0\0\x04",
            Message::Flush,
        ),
        (
            written(|o| {
                sync(o);
                Ok(())
            }),
            b"S\0\0\0\x04",
            Message::Sync,
        ),
        (
            written(|o| {
                terminate(o);
                Ok(())
            }),
            b"X\0\0\0\x04",
            Message::Terminate,
        ),
        (written(|o| copy_data(o, b"")), b"d\0\0\0\x04", Message::CopyData(b"")),
    ];
    for (written, bytes, message) in simple {
        assert_eq!(written, bytes, "{message:?}");
        assert_eq!(decode(&written), Ok(message));
    }
}

#[test]
fn bind_carries_formats_values_and_nulls() {
    let formats = [Format::Text, Format::Binary];
    let bind = written(|out| bind(out, "p", "s", (&formats[1..], &[Some(b"abc"), None]), &formats));
    assert_eq!(bind, BIND);
    let Ok(Message::Bind(bind)) = decode(&bind) else { panic!("not a Bind") };
    assert_eq!((bind.portal, bind.statement), ("p", "s"));
    assert_eq!(bind.parameters.iter().collect::<Vec<_>>(), [Some(&b"abc"[..]), None]);
    assert_eq!(
        (bind.parameter_formats.of(0), bind.parameter_formats.of(1)),
        (Format::Binary, Format::Binary)
    );
    assert_eq!(bind.result_formats.iter().collect::<Vec<_>>(), formats);
    assert_eq!((bind.result_formats.of(0), bind.result_formats.of(1)), (Format::Text, Format::Binary));
    assert_eq!(bind.result_formats.check_columns(2), Ok(()));
    let refused = bind.result_formats.check_columns(3);
    assert_eq!(refused, Err(Error::ResultFormats { formats: 2, columns: 3 }));
    assert_eq!(Formats::default().of(9), Format::Text);
}

#[test]
fn passwords_and_sasl_messages_share_a_tag() {
    let initial = written(|out| sasl::initial_response(out, "SCRAM-SHA-256", Some(b"n,,")));
    assert_eq!(initial, b"p\0\0\0\x19SCRAM-SHA-256\0\0\0\0\x03n,,");
    let response = |mechanism, data| Ok(sasl::InitialResponse { mechanism, data });
    assert_eq!(sasl::InitialResponse::decode(&initial[5..]), response("SCRAM-SHA-256", Some(&b"n,,"[..])));
    let without = written(|out| sasl::initial_response(out, "X", None));
    assert_eq!(sasl::InitialResponse::decode(&without[5..]), response("X", None));
    let trailing = sasl::InitialResponse::decode(b"X\0\0\0\0\x01ab");
    assert_eq!(trailing, Err(Error::Trailing { message: "SASLInitialResponse", bytes: 1 }));
    assert_eq!(sasl::password(b"secret\0"), Ok("secret"));
    assert_eq!(sasl::password(b"secret"), Err(Error::Unterminated { message: "PasswordMessage" }));
    assert_eq!(sasl::password(b"a\0b\0"), Err(Error::Trailing { message: "PasswordMessage", bytes: 2 }));
}

#[test]
fn a_body_cut_or_extended_anywhere_is_refused() {
    let whole: [(u8, &[u8]); 9] = [
        (tag::QUERY, b"select 1\0"),
        (tag::PARSE, b"s\0select 1\0\0\x02\0\0\0\x17\0\0\0\0"),
        (tag::BIND, &BIND[5..]),
        (tag::DESCRIBE, b"Ss\0"),
        (tag::CLOSE, b"Pp\0"),
        (tag::EXECUTE, b"p\0\0\0\0\0"),
        (tag::COPY_FAIL, b"why\0"),
        (tag::FUNCTION_CALL, b"\0\0\0\x07\0\x01\0\x01\0\x01\0\0\0\x01a\0\x01"),
        (tag::SYNC, b""),
    ];
    for (tag, bytes) in whole {
        assert!(body(tag, bytes).is_ok());
        for cut in 0..bytes.len() {
            assert!(body(tag, &bytes[..cut]).is_err(), "{} cut to {cut}", char::from(tag));
        }
        let extended = [bytes, b"\0"].concat();
        assert!(matches!(body(tag, &extended), Err(Error::Trailing { bytes: 1, .. })), "{}", char::from(tag));
    }
}

#[test]
fn counts_and_lengths_that_the_body_does_not_have_are_refused() {
    let truncated = |message| Err(Error::Truncated { message });
    assert_eq!(body(tag::PARSE, b"\0\0\xff\xff"), truncated("Parse"));
    assert_eq!(body(tag::BIND, b"\0\0\xff\xff"), truncated("Bind"));
    assert_eq!(body(tag::BIND, b"\0\0\0\0\xff\xff"), truncated("Bind"));
    assert_eq!(body(tag::BIND, b"\0\0\0\0\0\x01\x7f\xff\xff\xff"), truncated("Bind"));
    let negative = body(tag::BIND, b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0");
    assert_eq!(negative, Err(Error::BadField { message: "Bind", field: "value length", value: -2 }));
    assert_eq!(body(tag::BIND, b"\0\0\0\x01\0\x02\0\0\0\0"), Err(Error::FormatCode { code: 2 }));
    assert_eq!(body(tag::BIND, b"\0\0\0\x01\x01\0\0\0\0\0"), Err(Error::FormatCode { code: 256 }));
    let formats = body(tag::BIND, b"\0\0\0\x02\0\0\0\0\0\x01\xff\xff\xff\xff\0\0");
    assert_eq!(formats, Err(Error::ParameterFormats { formats: 2, parameters: 1 }));
    // One format is for all parameters, even for none.
    assert!(body(tag::BIND, b"\0\0\0\x01\0\0\0\0\0\0").is_ok());
}

#[test]
fn strings_end_at_their_first_nul_and_are_utf8() {
    assert_eq!(body(tag::QUERY, b"a\0b\0"), Err(Error::Trailing { message: "Query", bytes: 2 }));
    assert_eq!(body(tag::QUERY, b"ab"), Err(Error::Unterminated { message: "Query" }));
    assert_eq!(body(tag::QUERY, b"\xc3\0"), Err(Error::NotUtf8 { message: "Query" }));
    assert_eq!(Error::NotUtf8 { message: "Query" }.sqlstate().as_str(), "22021");
}

#[test]
fn a_wrong_subtype_and_an_unknown_message_are_named() {
    let refused = body(tag::CLOSE, b"X\0");
    assert_eq!(refused, Err(Error::BadField { message: "Close", field: "subtype", value: 88 }));
    assert_eq!(body(b'?', b""), Err(Error::UnknownMessage { tag: b'?' }));
}

#[test]
fn a_row_limit_below_zero_is_no_limit() {
    let refused = body(tag::EXECUTE, b"\0\xff\xff\xff\xff");
    assert_eq!(refused, Ok(Message::Execute { portal: "", rows_max: 0 }));
    let most = written(|out| execute(out, "", u32::MAX));
    assert_eq!(decode(&most), Ok(Message::Execute { portal: "", rows_max: 0x7fff_ffff }));
}

#[test]
fn what_cannot_be_sent_leaves_the_output_alone() {
    let many = vec![None; 65_536];
    let mut out = BytesMut::from(&b"before"[..]);
    assert_eq!(query(&mut out, "a\0b"), Err(Error::Nul { what: "query" }));
    assert_eq!(parse(&mut out, "s\0", "", &[]), Err(Error::Nul { what: "statement name" }));
    assert_eq!(close(&mut out, Target::Portal("\0")), Err(Error::Nul { what: "name" }));
    assert_eq!(
        bind(&mut out, "", "", (&[], &many), &[]),
        Err(Error::TooMany { what: "parameters", count: 65_536, max: 65_535 })
    );
    assert_eq!(&out[..], b"before");
    assert_eq!(bind(&mut out, "", "", (&[], &many[1..]), &[]), Ok(()));
}
