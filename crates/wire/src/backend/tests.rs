//! Each message with its exact bytes, in both directions, then damaged.

use bytes::BytesMut;

use super::authentication::Authentication;
use super::*;
use crate::limits::{COLUMNS_MAX, FIELD_LEN_MAX, SHORT_FRAME_LEN_MAX};
use crate::{Format, Frame, oid, sqlstate};

fn decode(frame: &[u8]) -> Result<Message<'_>, Error> {
    let (frame, rest) = Frame::split(frame, 1 << 30).expect("valid").expect("whole");
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

fn always(write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut out);
    out.to_vec()
}

#[test]
fn messages_without_lists_are_written_and_read_with_their_exact_bytes() {
    let key = CancelKey { process_id: 1, secret: b"\x02\x03\x04\x05" };
    let status = Message::ParameterStatus { name: "a", value: "b" };
    let notification = Message::NotificationResponse { process_id: 9, channel: "c", payload: "p" };
    let cases: [(Vec<u8>, &[u8], Message<'_>); 15] = [
        (written(|o| parameter_status(o, "a", "b")), b"S\0\0\0\x08a\0b\0", status),
        (
            written(|o| backend_key_data(o, 0, key)),
            b"K\0\0\0\x0c\0\0\0\x01\x02\x03\x04\x05",
            Message::BackendKeyData(key),
        ),
        (
            always(|o| ready_for_query(o, TransactionStatus::Idle)),
            b"Z\0\0\0\x05I",
            Message::ReadyForQuery(TransactionStatus::Idle),
        ),
        (
            always(|o| ready_for_query(o, TransactionStatus::InTransaction)),
            b"Z\0\0\0\x05T",
            Message::ReadyForQuery(TransactionStatus::InTransaction),
        ),
        (
            always(|o| ready_for_query(o, TransactionStatus::Failed)),
            b"Z\0\0\0\x05E",
            Message::ReadyForQuery(TransactionStatus::Failed),
        ),
        (
            always(|o| command_complete(o, format_args!("SELECT {}", 5))),
            b"C\0\0\0\x0dSELECT 5\0",
            Message::CommandComplete { command: "SELECT 5" },
        ),
        (written(|o| notification_response(o, 9, "c", "p")), b"A\0\0\0\x0c\0\0\0\x09c\0p\0", notification),
        (always(empty_query_response), b"I\0\0\0\x04", Message::EmptyQueryResponse),
        (always(parse_complete), b"1\0\0\0\x04", Message::ParseComplete),
        (always(bind_complete), b"2\0\0\0\x04", Message::BindComplete),
        (always(close_complete), b"3\0\0\0\x04", Message::CloseComplete),
        (always(no_data), b"n\0\0\0\x04", Message::NoData),
        (always(portal_suspended), b"s\0\0\0\x04", Message::PortalSuspended),
        (written(|o| copy_data(o, b"row")), b"d\0\0\0\x07row", Message::CopyData(b"row")),
        (always(copy_done), b"c\0\0\0\x04", Message::CopyDone),
    ];
    for (written, bytes, message) in cases {
        assert_eq!(written, bytes, "{message:?}");
        assert_eq!(decode(&written), Ok(message));
    }
    assert_eq!(body(b'V', b"\0\0\0\x01a"), Ok(Message::FunctionCallResponse(Some(b"a"))));
    assert_eq!(body(b'V', b"\xff\xff\xff\xff"), Ok(Message::FunctionCallResponse(None)));
}

#[test]
fn authentication_is_written_and_read_with_its_exact_bytes() {
    let cases: [(Vec<u8>, &[u8], Authentication<'_>); 5] = [
        (always(authentication::ok), b"R\0\0\0\x08\0\0\0\0", Authentication::Ok),
        (
            always(authentication::cleartext_password),
            b"R\0\0\0\x08\0\0\0\x03",
            Authentication::CleartextPassword,
        ),
        (
            always(|o| authentication::md5_password(o, *b"salt")),
            b"R\0\0\0\x0c\0\0\0\x05salt",
            Authentication::Md5Password { salt: *b"salt" },
        ),
        (
            written(|o| authentication::sasl_continue(o, b"r=")),
            b"R\0\0\0\x0a\0\0\0\x0br=",
            Authentication::SaslContinue(b"r="),
        ),
        (
            written(|o| authentication::sasl_final(o, b"v=")),
            b"R\0\0\0\x0a\0\0\0\x0cv=",
            Authentication::SaslFinal(b"v="),
        ),
    ];
    for (written, bytes, message) in cases {
        assert_eq!(written, bytes, "{message:?}");
        assert_eq!(decode(&written), Ok(Message::Authentication(message)));
    }
    let sasl = written(|o| authentication::sasl(o, ["A", "BC"]));
    assert_eq!(sasl, b"R\0\0\0\x0e\0\0\0\x0aA\0BC\0\0");
    let Ok(Message::Authentication(Authentication::Sasl(names))) = decode(&sasl) else { panic!("not SASL") };
    assert_eq!(names.iter().collect::<Vec<_>>(), ["A", "BC"]);
    assert_eq!(body(b'R', b"\0\0\0\x07x"), Ok(Message::Authentication(Authentication::Other(7))));
    for bad in [&b"\0\0\0\x0aA\0"[..], b"\0\0\0\x0aA\0\0x", b"\0\0\0\0x", b"\0\0\0\x05sal", b"\0\0"] {
        assert!(body(b'R', bad).is_err(), "{bad:?}");
    }
    let mut out = BytesMut::new();
    assert!(authentication::sasl(&mut out, [""]).is_err() && out.is_empty());
}

#[test]
fn columns_are_described_with_their_exact_bytes() {
    let id = Column { table: Oid(16_384), attribute: 1, ..Column::new("id", oid::INT8) };
    let name = Column { type_modifier: 14, format: Format::Binary, ..Column::new("name", oid::VARCHAR) };
    let description = written(|out| row_description(out, [id, name]));
    assert_eq!(
        description,
        b"T\0\0\0\x32\0\x02id\0\0\0\x40\0\0\x01\0\0\0\x14\0\x08\xff\xff\xff\xff\0\0\
          name\0\0\0\0\0\0\0\0\0\x04\x13\xff\xff\0\0\0\x0e\0\x01"
    );
    let Ok(Message::RowDescription(columns)) = decode(&description) else { panic!("not a RowDescription") };
    assert_eq!(columns.iter().collect::<Vec<_>>(), [id, name]);

    let types = written(|out| parameter_description(out, &[oid::INT4, oid::TEXT]));
    assert_eq!(types, b"t\0\0\0\x0e\0\x02\0\0\0\x17\0\0\0\x19");
    let Ok(Message::ParameterDescription(types)) = decode(&types) else { panic!("no ParameterDescription") };
    assert_eq!(types.iter().collect::<Vec<_>>(), [oid::INT4, oid::TEXT]);
}

#[test]
fn a_row_is_written_cell_by_cell_with_its_exact_bytes() {
    let mut out = BytesMut::from(&b"before"[..]);
    let mut row = DataRow::begin(&mut out);
    row.value(b"ab").expect("short");
    row.null();
    row.value_with::<Error>(|out| {
        out.put_slice(b"12");
        out.put_slice(b"3");
        Ok(())
    })
    .expect("short");
    row.value(b"").expect("short");
    row.finish().expect("short");
    let expected = b"D\0\0\0\x1b\0\x04\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\x03123\0\0\0\0";
    assert_eq!(&out[6..], expected);
    let Ok(Message::DataRow(values)) = decode(&out[6..]) else { panic!("not a DataRow") };
    let values: Vec<_> = values.iter().collect();
    assert_eq!(values, [Some(&b"ab"[..]), None, Some(b"123"), Some(b"")]);
}

#[test]
fn a_row_that_is_not_finished_takes_itself_back() {
    let mut out = BytesMut::from(&b"before"[..]);
    let mut row = DataRow::begin(&mut out);
    row.value(b"ab").expect("short");
    let failed = row.value_with(|out| {
        out.put_slice(b"half");
        Err(Error::StartupLayout)
    });
    assert_eq!(failed, Err(Error::StartupLayout));
    drop(row);
    assert_eq!(&out[..], b"before");

    let mut row = DataRow::begin(&mut out);
    (0..=COLUMNS_MAX).for_each(|_| row.null());
    assert_eq!(row.finish(), Err(Error::TooMany { what: "columns", count: 32_768, max: 32_767 }));
    assert_eq!(&out[..], b"before");
}

#[test]
fn the_start_of_a_copy_is_written_and_read_with_its_exact_bytes() {
    let start = written(|out| copy_in_response(out, Format::Text, 2));
    assert_eq!(start, b"G\0\0\0\x0b\0\0\x02\0\0\0\0");
    let Ok(Message::CopyInResponse(copy)) = decode(&start) else { panic!("not a CopyInResponse") };
    assert_eq!((copy.format, copy.columns.len()), (Format::Text, 2));
    let start = written(|out| copy_out_response(out, Format::Binary, 1));
    assert_eq!(start, b"H\0\0\0\x09\x01\0\x01\0\x01");
    let Ok(Message::CopyOutResponse(copy)) = decode(&start) else { panic!("not a CopyOutResponse") };
    assert_eq!((copy.format, copy.columns.of(0)), (Format::Binary, Format::Binary));
    let start = written(|out| copy_both_response(out, Format::Text, 0));
    assert!(matches!(decode(&start), Ok(Message::CopyBothResponse(_))));
}

#[test]
fn an_error_has_all_its_fields() {
    let least = Fields::new(Severity::Fatal, sqlstate::INVALID_PASSWORD, "no");
    let bytes = always(|out| error_response(out, &least));
    assert_eq!(bytes, b"E\0\0\0\x1eSFATAL\0VFATAL\0C28P01\0Mno\0\0");
    assert_eq!(decode(&bytes), Ok(Message::ErrorResponse(least)));

    let most = Fields {
        detail: Some("detail"),
        hint: Some("hint"),
        position: Some(7),
        internal_position: Some(8),
        internal_query: Some("query"),
        context: Some("context"),
        schema: Some("public"),
        table: Some("t"),
        column: Some("c"),
        data_type: Some("int4"),
        constraint: Some("t_pkey"),
        file: Some("a.rs"),
        line: Some(9),
        routine: Some("f"),
        ..Fields::new(Severity::Error, sqlstate::UNIQUE_VIOLATION, "duplicate")
    };
    let bytes = always(|out| error_response(out, &most));
    let expected = "SERROR\0VERROR\0C23505\0Mduplicate\0Ddetail\0Hhint\0qquery\0Wcontext\0spublic\0tt\0cc\0\
        dint4\0nt_pkey\0Fa.rs\0Rf\0P7\0p8\0L9\0\0";
    assert_eq!(&bytes[5..], expected.as_bytes());
    assert_eq!(decode(&bytes), Ok(Message::ErrorResponse(most)));
    let notice = always(|out| notice_response(out, &most));
    assert_eq!(decode(&notice), Ok(Message::NoticeResponse(most)));
}

#[test]
fn errors_of_other_servers_are_read_as_far_as_they_go() {
    let read = |bytes| match body(b'E', bytes) {
        Ok(Message::ErrorResponse(fields)) => Ok((fields.severity, fields.code.to_string(), fields.message)),
        Ok(other) => panic!("not an error: {other:?}"),
        Err(error) => Err(error),
    };
    let error = |severity| Ok((severity, "XX000".to_owned(), "m"));
    assert_eq!(read(b"SFEHLER\0CXX000\0Mm\0\0"), error(Severity::Error));
    assert_eq!(read(b"SFATAL\0CXX000\0Mm\0\0"), error(Severity::Fatal));
    assert_eq!(read(b"SFEHLER\0VPANIC\0CXX000\0Mm\0?new\0\0"), error(Severity::Panic));
    let missing = |field| Err(Error::MissingField { message: "ErrorResponse", field });
    assert_eq!(read(b"SERROR\0Mm\0\0"), missing("SQLSTATE"));
    assert_eq!(read(b"SERROR\0Cxx000\0Mm\0\0"), missing("SQLSTATE"));
    assert_eq!(read(b"SERROR\0CXX000\0\0"), missing("text"));
    assert_eq!(read(b"SERROR\0CXX000\0Mm\0"), Err(Error::Truncated { message: "ErrorResponse" }));
    assert_eq!(read(b"CXX000\0Mm"), Err(Error::Unterminated { message: "ErrorResponse" }));
    assert_eq!(
        read(b"SERROR\0CXX000\0Mm\0\0\0"),
        Err(Error::Trailing { message: "ErrorResponse", bytes: 1 })
    );
}

#[test]
fn an_error_of_the_wire_is_sent_as_fatal_when_it_ends_the_session() {
    let sent = |problem: &Error| match decode(&always(|out| error(out, problem))) {
        Ok(Message::ErrorResponse(fields)) => fields.to_string(),
        other => panic!("not an error: {other:?}"),
    };
    assert_eq!(
        sent(&Error::UnknownMessage { tag: b'y' }),
        "FATAL: invalid message type 'y' (SQLSTATE 08P01)"
    );
    assert_eq!(
        sent(&Error::Truncated { message: "Bind" }),
        "ERROR: insufficient data left in Bind message (SQLSTATE 08P01)"
    );
}

#[test]
fn text_for_people_is_cut_at_a_character_and_loses_its_nuls() {
    let long = "é".repeat(FIELD_LEN_MAX);
    let bytes = always(|out| {
        let fields =
            Fields { detail: Some("a\0b\0"), ..Fields::new(Severity::Error, sqlstate::DISK_FULL, &long) };
        error_response(out, &fields);
    });
    let Ok(Message::ErrorResponse(fields)) = decode(&bytes) else { panic!("not an error") };
    assert_eq!((fields.message.len(), fields.detail), (FIELD_LEN_MAX, Some("ab")));

    let tag = |command: &str| {
        let bytes = always(|out| command_complete(out, command));
        match decode(&bytes) {
            Ok(Message::CommandComplete { command }) => command.to_owned(),
            other => panic!("not a CommandComplete: {other:?}"),
        }
    };
    assert_eq!(tag(&"x".repeat(63)), "x".repeat(63));
    assert_eq!(tag(&"é".repeat(63)), "é".repeat(31));
    assert_eq!(tag("a\0b"), "ab");
}

#[test]
fn versions_are_negotiated_as_postgres_and_libpq_do() {
    let bytes = written(|out| negotiate_protocol_version(out, 9, ["_pq_.a", "_pq_.b"]));
    assert_eq!(bytes, b"v\0\0\0\x1a\0\x03\0\x02\0\0\0\x02_pq_.a\0_pq_.b\0");
    let Ok(Message::NegotiateProtocolVersion(negotiation)) = decode(&bytes) else {
        panic!("not a negotiation")
    };
    assert_eq!(negotiation.minor, 2);
    assert_eq!(negotiation.refused().collect::<Vec<_>>(), ["_pq_.a", "_pq_.b"]);
    assert!(body(b'v', b"\0\0\0\x01\0\0\0\0").is_ok(), "the minor version alone, as documented");
    assert!(body(b'v', b"\0\x02\0\0\0\0\0\0").is_err());
    let many = body(b'v', b"\0\x03\0\0\xff\xff\xff\xff");
    assert_eq!(many, Err(Error::Unterminated { message: "NegotiateProtocolVersion" }));
}

#[test]
fn cancel_secrets_are_longer_than_4_bytes_only_from_protocol_3_2_on() {
    let mut out = BytesMut::new();
    for (minor, len, good) in [(0, 4, true), (0, 5, false), (0, 3, false), (2, 32, true), (2, 257, false)] {
        let secret = vec![0; len];
        let result = backend_key_data(&mut out, minor, CancelKey { process_id: 1, secret: &secret });
        assert_eq!(result.is_ok(), good, "3.{minor} with {len} bytes");
    }
    assert_eq!(body(b'K', b"\0\0\0\x01abc"), Err(Error::CancelKeyLength { len: 3 }));
}

#[test]
fn what_cannot_be_sent_leaves_the_output_alone() {
    let mut out = BytesMut::from(&b"before"[..]);
    let long = "x".repeat(SHORT_FRAME_LEN_MAX - 7);
    assert_eq!(
        parameter_status(&mut out, "a", &long),
        Err(Error::TooLong { what: "parameter", len: 30_000, max: 29_999 })
    );
    assert_eq!(parameter_status(&mut out, "a", "b\0"), Err(Error::Nul { what: "parameter" }));
    let columns = vec![Column::new("a", oid::TEXT); COLUMNS_MAX + 1];
    assert!(row_description(&mut out, columns).is_err());
    assert!(row_description(&mut out, [Column::new("a\0", oid::TEXT)]).is_err());
    assert!(parameter_description(&mut out, &vec![oid::TEXT; 65_536]).is_err());
    assert!(copy_in_response(&mut out, Format::Text, COLUMNS_MAX + 1).is_err());
    assert_eq!(&out[..], b"before");
}

#[test]
fn damaged_messages_are_refused() {
    let damaged: [(u8, &[u8]); 12] = [
        (b'Z', b""),
        (b'Z', b"X"),
        (b'Z', b"II"),
        (b'T', b"\0\x01a\0"),
        (b'T', b"\xff\xff"),
        (b'D', b"\0\x01\0\0\0\x05abc"),
        (b'D', b"\0\0\0"),
        (b't', b"\0\x02\0\0\0\0"),
        (b'S', b"a\0b"),
        (b'G', b"\x02\0\0"),
        (b'n', b"\0"),
        (b'?', b""),
    ];
    for (tag, bytes) in damaged {
        assert!(body(tag, bytes).is_err(), "{} {bytes:?}", char::from(tag));
    }
}
