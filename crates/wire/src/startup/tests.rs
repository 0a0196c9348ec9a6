//! Start-up packets with their exact bytes, whole, cut and damaged.

use bytes::BytesMut;

use super::*;

fn packet(code: u32, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + 8).expect("short");
    [&len.to_be_bytes()[..], &code.to_be_bytes(), body].concat()
}

fn split(input: &[u8]) -> Result<Startup<'_>, Error> {
    let (startup, rest) = Startup::split(input)?.expect("whole");
    assert_eq!(rest, b"");
    Ok(startup)
}

fn started(minor: u16, body: &[u8]) -> Result<Startup<'_>, Error> {
    Parameters::parse(body).map(|parameters| Startup::Start(Start { minor, parameters }))
}

fn start_of(packet: &[u8]) -> Start<'_> {
    match split(packet) {
        Ok(Startup::Start(start)) => start,
        other => panic!("not a start: {other:?}"),
    }
}

const START: &[u8] = b"\0\0\0\x20\0\x03\0\0user\0ada\0database\0shop\0\0";

#[test]
fn every_packet_is_written_and_read_with_its_exact_bytes() {
    let mut out = BytesMut::new();
    ssl(&mut out);
    assert_eq!(&out[..], b"\0\0\0\x08\x04\xd2\x16\x2f");
    assert_eq!(split(&out), Ok(Startup::Ssl));

    out.clear();
    gss_encryption(&mut out);
    assert_eq!(&out[..], b"\0\0\0\x08\x04\xd2\x16\x30");
    assert_eq!(split(&out), Ok(Startup::GssEncryption));

    out.clear();
    let key = CancelKey { process_id: 0x0102_0304, secret: b"\x05\x06\x07\x08" };
    cancel(&mut out, key).expect("four bytes");
    assert_eq!(&out[..], b"\0\0\0\x10\x04\xd2\x16\x2e\x01\x02\x03\x04\x05\x06\x07\x08");
    assert_eq!(split(&out), Ok(Startup::Cancel(key)));

    out.clear();
    start(&mut out, 0, [("user", "ada"), ("database", "shop")]).expect("short");
    assert_eq!(&out[..], START);
    assert_eq!(split(&out), started(0, b"user\0ada\0database\0shop\0\0"));
}

#[test]
fn half_a_packet_waits_for_more_and_what_follows_is_left() {
    for cut in 0..START.len() {
        assert_eq!(Startup::split(&START[..cut]), Ok(None), "{cut} bytes");
    }
    let input = [START, b"Q\0"].concat();
    let (_, rest) = Startup::split(&input).expect("valid").expect("whole");
    assert_eq!(rest, b"Q\0");
}

#[test]
fn a_length_out_of_bounds_is_refused_before_the_rest_arrives() {
    for len in [0, 4, 7, 10_001, 1 << 30, u32::MAX, u32::from_be_bytes(*b"GET ")] {
        assert_eq!(Startup::split(&len.to_be_bytes()), Err(Error::StartupLength { len }));
    }
    assert_eq!(Startup::split(&8u32.to_be_bytes()), Ok(None));
    assert_eq!(Startup::split(&10_000u32.to_be_bytes()), Ok(None));
}

#[test]
fn requests_for_encryption_carry_nothing_else() {
    for code in [SSL_CODE, GSS_CODE] {
        assert_eq!(split(&packet(code, b"x")), Err(Error::Trailing { message: "startup", bytes: 1 }));
    }
}

#[test]
fn cancel_keys_have_4_to_256_bytes() {
    for (len, good) in [(0, false), (3, false), (4, true), (32, true), (256, true), (257, false)] {
        let secret = vec![7; len];
        let key = CancelKey { process_id: 1, secret: &secret };
        let read = packet(CANCEL_CODE, &[&[0, 0, 0, 1], &secret[..]].concat());
        let mut written = BytesMut::new();
        let write = cancel(&mut written, key);
        if good {
            assert_eq!(split(&read), Ok(Startup::Cancel(key)));
            assert_eq!((write, &written[..]), (Ok(()), &read[..]));
        } else {
            assert_eq!(split(&read), Err(Error::CancelKeyLength { len }));
            assert_eq!((write, written.len()), (Err(Error::CancelKeyLength { len }), 0));
        }
    }
    assert_eq!(split(&packet(CANCEL_CODE, b"123")), Err(Error::Truncated { message: "CancelRequest" }));
}

#[test]
fn another_major_version_is_refused_and_a_newer_minor_one_is_not() {
    let unsupported = |major, minor| Err(Error::UnsupportedProtocol { major, minor });
    assert_eq!(split(&packet(0x2_0000, b"user\0a\0\0")), unsupported(2, 0));
    assert_eq!(split(&packet(0x4_0001, b"\0")), unsupported(4, 1));
    assert_eq!(split(&packet(0, b"\0")), unsupported(0, 0));
    assert_eq!(
        Error::UnsupportedProtocol { major: 2, minor: 0 }.to_string(),
        "unsupported frontend protocol 2.0: server supports 3.0 to 3.2"
    );
    for (minor, agreed) in [(0, 0), (2, 2), (3, 2), (9999, 2)] {
        let packet = packet(0x3_0000 | u32::from(minor), b"user\0a\0\0");
        let start = start_of(&packet);
        assert_eq!((start.minor, start.minor_agreed()), (minor, agreed));
        assert_eq!(start.must_negotiate(), minor > 2);
    }
}

#[test]
fn unknown_protocol_options_are_to_be_negotiated() {
    let packet = packet(0x3_0000, b"user\0a\0_pq_.one\0x\0_pq_.two\0\0\0");
    let start = start_of(&packet);
    assert!(start.must_negotiate());
    assert_eq!(start.protocol_options().collect::<Vec<_>>(), ["_pq_.one", "_pq_.two"]);
    assert!(!start_of(START).must_negotiate());
}

#[test]
fn parameters_end_with_the_packet_and_nowhere_else() {
    let layout = Err(Error::StartupLayout);
    for body in [
        &b""[..],
        b"user\0a\0",
        b"user\0a",
        b"user\0\0",
        b"user\0a\0\0\0",
        b"user\0a\0\0x\0y\0\0",
        b"\0value\0\0",
        b"a",
    ] {
        assert_eq!(split(&packet(0x3_0000, body)), layout, "{}", body.escape_ascii());
    }
    let broken = split(&packet(0x3_0000, b"user\0\xff\0\0")).err();
    assert_eq!(broken, Some(Error::NotUtf8 { message: "startup" }));
}

#[test]
fn user_and_database_have_postgres_defaults_and_the_last_value_counts() {
    type Name<'a> = Result<&'a str, Error>;
    let cases: [(&[u8], Name<'_>, Name<'_>); 6] = [
        (b"\0", Err(Error::NoUser), Err(Error::NoUser)),
        (b"user\0\0\0", Err(Error::NoUser), Err(Error::NoUser)),
        (b"database\0d\0\0", Err(Error::NoUser), Ok("d")),
        (b"user\0a\0\0", Ok("a"), Ok("a")),
        (b"user\0a\0database\0\0\0", Ok("a"), Ok("a")),
        (b"user\0a\0user\0b\0database\0d\0\0", Ok("b"), Ok("d")),
    ];
    for (body, user, database) in cases {
        let packet = packet(0x3_0000, body);
        let start = start_of(&packet);
        assert_eq!((start.user(), start.database()), (user, database), "{}", body.escape_ascii());
    }
}

#[test]
fn a_packet_that_cannot_be_written_leaves_the_output_alone() {
    let long = "x".repeat(10_000);
    for (name, value) in [("", "a"), ("a\0b", "c"), ("a", "b\0c"), ("a", long.as_str())] {
        let mut out = BytesMut::from(&b"before"[..]);
        assert!(start(&mut out, 0, [("user", "ada"), (name, value)]).is_err());
        assert_eq!(&out[..], b"before");
    }
}

#[test]
fn a_tls_handshake_is_told_from_a_startup_packet_by_its_first_byte() {
    assert!(is_tls_handshake(0x16));
    assert!(!is_tls_handshake(START[0]));
}
