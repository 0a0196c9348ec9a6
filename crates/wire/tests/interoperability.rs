//! Our bytes against `postgres-protocol`, which was written by others and is in daily use as tokio-postgres.

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::IsNull;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use postgres_protocol::message::{backend as theirs, frontend as their_frontend};
use wire::backend::{self, Column, DataRow, Fields, Severity, TransactionStatus, authentication};
use wire::frontend::{Message, Target, sasl};
use wire::scram::{Channel, Mechanism, Nonce, Server, Verifier};
use wire::startup::{CancelKey, Startup};
use wire::{Error, Format, Frame, Oid, frontend, oid, sqlstate};

fn server(verifier: Verifier, channel: Channel) -> Server {
    Server::new(verifier, Nonce::new("nonce").expect("a nonce"), channel)
}

/// Their client against our server.
fn login(
    password: &str,
    verifier: Verifier,
    channels: (ChannelBinding, Channel),
    mechanism: Mechanism,
) -> Result<(), Error> {
    let mut client = ScramSha256::new(password.as_bytes(), channels.0);
    let challenge = server(verifier, channels.1).challenge(mechanism, client.message())?;
    client.update(challenge.message().as_bytes()).expect("they take our challenge");
    let accepted = challenge.finish(client.message())?;
    client.finish(accepted.message().as_bytes()).expect("they take our proof");
    Ok(())
}

#[test]
fn their_client_logs_in_to_our_server() {
    let verifier = || Verifier::new("pencil", b"0123456789abcdef", 4096).expect("in bounds");
    let hash = || vec![3; 32];
    let bound = || (ChannelBinding::tls_server_end_point(hash()), Channel::TlsServerEndPoint(hash()));
    let unbound = || (ChannelBinding::unsupported(), Channel::Unbound);
    assert_eq!(login("pencil", verifier(), unbound(), Mechanism::Sha256), Ok(()));
    assert_eq!(login("pencil", verifier(), bound(), Mechanism::Sha256Plus), Ok(()));
    assert_eq!(login("pencils", verifier(), unbound(), Mechanism::Sha256), Err(Error::AuthenticationFailed));
    let decoy = Verifier::decoy("nobody", &[1; 32]);
    assert_eq!(login("pencil", decoy, unbound(), Mechanism::Sha256), Err(Error::AuthenticationFailed));
}

#[test]
fn a_verifier_that_they_made_serves_a_login() {
    let verifier = postgres_protocol::password::scram_sha_256(b"pencil").parse().expect("a verifier");
    let unbound = (ChannelBinding::unsupported(), Channel::Unbound);
    assert_eq!(login("pencil", verifier, unbound, Mechanism::Sha256), Ok(()));
}

/// Everything that a server sends in a session, as they read it: name by name.
#[test]
fn they_read_what_we_send() {
    let mut out = BytesMut::new();
    authentication::sasl(&mut out, ["SCRAM-SHA-256"]).expect("short");
    authentication::sasl_continue(&mut out, b"r=").expect("short");
    authentication::sasl_final(&mut out, b"v=").expect("short");
    authentication::ok(&mut out);
    backend::parameter_status(&mut out, "client_encoding", "UTF8").expect("short");
    let key = CancelKey { process_id: 7, secret: &[0, 0, 0, 9] };
    backend::backend_key_data(&mut out, 0, key).expect("four bytes");
    backend::parse_complete(&mut out);
    backend::parameter_description(&mut out, &[oid::INT4]).expect("short");
    backend::row_description(&mut out, [Column::new("id", oid::INT8)]).expect("short");
    let mut row = DataRow::begin(&mut out);
    row.value(b"12").expect("short");
    row.null();
    row.finish().expect("short");
    backend::command_complete(&mut out, "SELECT 1");
    backend::copy_in_response(&mut out, Format::Binary, 2).expect("short");
    let fields = Fields { hint: Some("h"), ..Fields::new(Severity::Error, sqlstate::UNIQUE_VIOLATION, "m") };
    backend::error_response(&mut out, &fields);
    backend::ready_for_query(&mut out, TransactionStatus::Failed);

    let mut read = Vec::new();
    while let Some(message) = theirs::Message::parse(&mut out).expect("they can read it") {
        read.push(describe(message));
    }
    let expected = [
        "sasl SCRAM-SHA-256",
        "continue r=",
        "final v=",
        "ok",
        "client_encoding=UTF8",
        "key 7 9",
        "parsed",
        "parameters [23]",
        "column id 20",
        r#"row [Some("12"), None]"#,
        "SELECT 1",
        "copy 1 [1, 1]",
        "S=ERROR V=ERROR C=23505 M=m H=h",
        "ready E",
    ];
    assert_eq!(read, expected);
    assert!(out.is_empty());
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn describe(message: theirs::Message) -> String {
    use theirs::Message;
    match message {
        Message::AuthenticationSasl(body) => {
            format!("sasl {}", body.mechanisms().collect::<Vec<_>>().expect("names").join(" "))
        }
        Message::AuthenticationSaslContinue(body) => format!("continue {}", text(body.data())),
        Message::AuthenticationSaslFinal(body) => format!("final {}", text(body.data())),
        Message::AuthenticationOk => "ok".to_owned(),
        Message::ParameterStatus(body) => {
            format!("{}={}", body.name().expect("a name"), body.value().expect("a value"))
        }
        Message::BackendKeyData(body) => format!("key {} {}", body.process_id(), body.secret_key()),
        Message::ParseComplete => "parsed".to_owned(),
        Message::ParameterDescription(body) => {
            format!("parameters {:?}", body.parameters().collect::<Vec<_>>().expect("types"))
        }
        Message::RowDescription(body) => {
            let column = body.fields().next().expect("readable").expect("a column");
            format!("column {} {}", column.name(), column.type_oid())
        }
        Message::DataRow(body) => {
            let ranges = body.ranges().collect::<Vec<_>>().expect("values");
            let values = ranges.into_iter().map(|range| range.map(|range| text(&body.buffer()[range])));
            format!("row {:?}", values.collect::<Vec<_>>())
        }
        Message::CommandComplete(body) => body.tag().expect("a tag").to_owned(),
        Message::CopyInResponse(body) => {
            let columns = body.column_formats().collect::<Vec<_>>().expect("formats");
            format!("copy {} {columns:?}", body.format())
        }
        Message::ErrorResponse(body) => {
            let field = |field: theirs::ErrorField<'_>| {
                Ok(format!("{}={}", char::from(field.type_()), text(field.value_bytes())))
            };
            body.fields().map(field).collect::<Vec<_>>().expect("fields").join(" ")
        }
        Message::ReadyForQuery(body) => format!("ready {}", char::from(body.status())),
        _ => panic!("a message that we did not send"),
    }
}

#[test]
fn we_read_what_they_send_and_write_the_same_bytes() {
    let (mut them, mut us) = (BytesMut::new(), BytesMut::new());
    their_frontend::query("select 1", &mut them).expect("short");
    frontend::query(&mut us, "select 1").expect("short");
    their_frontend::parse("s", "select $1", [23], &mut them).expect("short");
    frontend::parse(&mut us, "s", "select $1", &[Oid(23)]).expect("short");
    let serialize = |value: Option<&[u8]>, out: &mut BytesMut| {
        Ok(match value {
            Some(value) => {
                out.extend_from_slice(value);
                IsNull::No
            }
            None => IsNull::Yes,
        })
    };
    let values = [Some(&b"ab"[..]), None];
    assert!(their_frontend::bind("p", "s", [1], values, serialize, [0, 1], &mut them).is_ok());
    let results = [Format::Text, Format::Binary];
    frontend::bind(&mut us, "p", "s", (&[Format::Binary], &values), &results).expect("short");
    their_frontend::describe(b'P', "p", &mut them).expect("short");
    frontend::describe(&mut us, Target::Portal("p")).expect("short");
    their_frontend::execute("p", 5, &mut them).expect("short");
    frontend::execute(&mut us, "p", 5).expect("short");
    their_frontend::close(b'S', "s", &mut them).expect("short");
    frontend::close(&mut us, Target::Statement("s")).expect("short");
    their_frontend::copy_fail("why", &mut them).expect("short");
    frontend::copy_fail(&mut us, "why").expect("short");
    their_frontend::sasl_initial_response("SCRAM-SHA-256", b"n,,", &mut them).expect("short");
    sasl::initial_response(&mut us, "SCRAM-SHA-256", Some(b"n,,")).expect("short");
    their_frontend::sync(&mut them);
    frontend::sync(&mut us);
    assert_eq!(them, us);

    let (mut rest, mut count) = (&them[..], 0);
    while let Some((frame, after)) = Frame::split(rest, 1 << 20).expect("valid") {
        Message::decode(frame).expect("valid");
        (rest, count) = (after, count + 1);
    }
    assert_eq!((rest, count), (&b""[..], 9));
}

#[test]
fn we_read_the_packets_with_which_they_begin() {
    let mut out = BytesMut::new();
    their_frontend::ssl_request(&mut out);
    their_frontend::cancel_request(7, 9, &mut out);
    their_frontend::startup_message([("user", "ada"), ("database", "shop")], &mut out).expect("short");
    let (ssl, rest) = Startup::split(&out).expect("valid").expect("whole");
    assert_eq!(ssl, Startup::Ssl);
    let (cancel, rest) = Startup::split(rest).expect("valid").expect("whole");
    assert_eq!(cancel, Startup::Cancel(CancelKey { process_id: 7, secret: &[0, 0, 0, 9] }));
    let Ok(Some((Startup::Start(start), rest))) = Startup::split(rest) else { panic!("not a start") };
    assert_eq!((start.user(), start.database(), rest), (Ok("ada"), Ok("shop"), &b""[..]));
}
