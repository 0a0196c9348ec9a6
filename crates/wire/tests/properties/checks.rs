//! What must hold for any bytes a peer can send. Each check panics when it does not.
//!
//! The property tests and the fuzz targets both run these. The strongest of them: what a decoder accepts, an
//! encoder writes back byte for byte, so that a relay, a server and a client cannot read it differently.

use bytes::BytesMut;
use wire::backend::authentication::{self, Authentication};
use wire::frame::Scanner;
use wire::limits::{COLUMNS_MAX, COMMAND_TAG_LEN_MAX, SHORT_FRAME_LEN_MAX};
use wire::list::Formats;
use wire::scram::{Channel, Client, Keys, Mechanism, Nonce, Secret, Server, Verifier};
use wire::startup::Startup;
use wire::{Error, Format, Frame, backend, frontend, startup};

/// Longest frame in a check, in bytes: short enough that a fuzzer meets it.
const LEN_MAX: usize = 64 * 1024;

/// Splitting a stream whole, and following it in chunks cut after `step` bytes each, finds the same frames
/// and the same error.
pub fn frames(input: &[u8], step: usize) {
    let (mut whole, mut rest) = (Vec::new(), input);
    let refused = loop {
        match Frame::split(rest, LEN_MAX) {
            Ok(Some((frame, after))) => {
                assert_eq!(frame.len() + after.len(), rest.len());
                whole.push((frame.tag, frame.len()));
                rest = after;
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let (scanned, scan_refused) = scan(input, step.max(1));
    assert_eq!(scan_refused, refused, "at step {step}");
    // A frame whose body is not all there is announced by its header, and is not counted by either.
    assert_eq!(scanned, whole, "at step {step}");
}

fn scan(input: &[u8], step: usize) -> (Vec<(u8, usize)>, Option<Error>) {
    let mut scanner = Scanner::default();
    let (mut frames, mut bytes) = (Vec::new(), 0);
    for mut chunk in input.chunks(step) {
        loop {
            match scanner.next(chunk, LEN_MAX) {
                Ok(None) => break,
                Ok(Some(piece)) => {
                    bytes += piece.len;
                    if piece.ends {
                        frames
                            .push((piece.tag.expect("a whole frame has a tag"), std::mem::take(&mut bytes)));
                    }
                    chunk = &chunk[piece.len..];
                }
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

/// A start-up packet that is accepted is written back as it was, and is not accepted before it is whole.
pub fn startup(input: &[u8]) {
    let Ok(Some((packet, rest))) = Startup::split(input) else { return };
    let consumed = &input[..input.len() - rest.len()];
    let mut out = BytesMut::new();
    match packet {
        Startup::Ssl => startup::ssl(&mut out),
        Startup::GssEncryption => startup::gss_encryption(&mut out),
        Startup::Cancel(key) => startup::cancel(&mut out, key).expect("a key that was read"),
        Startup::Start(start) => {
            startup::start(&mut out, start.minor, start.parameters.iter())
                .expect("parameters that were read");
            assert_eq!(start.must_negotiate(), start.minor > 2 || start.protocol_options().count() > 0);
            for (name, value) in start.parameters.iter() {
                assert!(start.parameters.get(name).is_some());
                check_settings(value);
            }
            assert!(start.user().is_ok() || start.parameters.get("user").unwrap_or_default().is_empty());
        }
    }
    assert_eq!(&out[..], consumed);
    for cut in 0..consumed.len() {
        assert_eq!(Startup::split(&consumed[..cut]), Ok(None));
    }
}

fn check_settings(options: &str) {
    for setting in startup::settings(options).unwrap_or_default() {
        assert!(!setting.name.is_empty() && !setting.name.contains('='), "{setting:?}");
    }
}

/// Decodes every frame of what a client sends.
pub fn frontend(input: &[u8]) {
    let mut rest = input;
    while let Ok(Some((frame, after))) = Frame::split(rest, LEN_MAX) {
        frontend_frame(frame);
        rest = after;
    }
}

/// A client's message that is accepted is written back byte for byte.
pub fn frontend_frame(frame: Frame<'_>) {
    let Ok(message) = frontend::Message::decode(frame) else { return };
    let mut out = BytesMut::new();
    write_frontend(&mut out, message).expect("a message that was read");
    let (written, rest) = Frame::split(&out, usize::MAX).expect("valid").expect("whole");
    assert_eq!((written.tag, rest), (frame.tag, &b""[..]));
    // Row limits below zero are one and the same.
    if matches!(message, frontend::Message::Execute { rows_max: 0, .. }) {
        assert_eq!(frontend::Message::decode(written), Ok(message));
    } else {
        assert_eq!(written.body, frame.body, "{message:?}");
    }
}

fn write_frontend(out: &mut BytesMut, message: frontend::Message<'_>) -> Result<(), Error> {
    use frontend::Message;
    match message {
        Message::Query { sql } => frontend::query(out, sql),
        Message::Parse { name, sql, parameter_types } => {
            frontend::parse(out, name, sql, &parameter_types.iter().collect::<Vec<_>>())
        }
        Message::Bind(bind) => {
            let (formats, values) =
                (list(bind.parameter_formats), bind.parameters.iter().collect::<Vec<_>>());
            let result_formats = list(bind.result_formats);
            frontend::bind(out, bind.portal, bind.statement, (&formats, &values), &result_formats)
        }
        Message::Describe(target) => frontend::describe(out, target),
        Message::Execute { portal, rows_max } => frontend::execute(out, portal, rows_max),
        Message::Close(target) => frontend::close(out, target),
        Message::Flush => written(out, frontend::flush),
        Message::Sync => written(out, frontend::sync),
        Message::CopyData(data) => frontend::copy_data(out, data),
        Message::CopyDone => written(out, frontend::copy_done),
        Message::CopyFail { reason } => frontend::copy_fail(out, reason),
        Message::FunctionCall(call) => {
            let (formats, values) = (list(call.argument_formats), call.arguments.iter().collect::<Vec<_>>());
            frontend::function_call(out, call.function, (&formats, &values), call.result_format)
        }
        Message::Authentication(body) => write_sasl(out, body),
        Message::Terminate => written(out, frontend::terminate),
    }
}

fn write_sasl(out: &mut BytesMut, body: &[u8]) -> Result<(), Error> {
    if let Ok(initial) = frontend::sasl::InitialResponse::decode(body) {
        return frontend::sasl::initial_response(out, initial.mechanism, initial.data);
    }
    if let Ok(password) = frontend::sasl::password(body) {
        assert_eq!(password.len() + 1, body.len());
    }
    frontend::sasl::response(out, body)
}

/// Every way of reading formats agrees.
fn list(formats: Formats<'_>) -> Vec<Format> {
    let list: Vec<_> = formats.iter().collect();
    assert_eq!((list.len(), list.is_empty()), (formats.len(), formats.is_empty()));
    for index in 0..list.len() {
        assert_eq!(formats.of(index), list[if list.len() == 1 { 0 } else { index }]);
    }
    list
}

fn written(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) -> Result<(), Error> {
    write(out);
    Ok(())
}

/// Decodes every frame of what a server sends.
pub fn backend(input: &[u8]) {
    let mut rest = input;
    while let Ok(Some((frame, after))) = Frame::split(rest, LEN_MAX) {
        backend_frame(frame);
        rest = after;
    }
}

/// A server's message that is accepted is written back: byte for byte, or where there are several ways to
/// say the same, so that it is read as the same.
pub fn backend_frame(frame: Frame<'_>) {
    let Ok(message) = backend::Message::decode(frame) else { return };
    let mut out = BytesMut::new();
    match write_backend(&mut out, message) {
        Ok(Written::Exactly) => {
            let (written, _) = Frame::split(&out, usize::MAX).expect("valid").expect("whole");
            assert_eq!(written, frame, "{message:?}");
        }
        Ok(Written::Alike) => {
            let (written, _) = Frame::split(&out, usize::MAX).expect("valid").expect("whole");
            assert_eq!(backend::Message::decode(written), Ok(message));
        }
        Ok(Written::No) => {}
        Err(Error::TooLong { .. }) => assert!(frame.len() > SHORT_FRAME_LEN_MAX, "{message:?}"),
        Err(error) => {
            assert!(matches!(error, Error::TooMany { count, .. } if count > COLUMNS_MAX), "{error}")
        }
    }
}

enum Written {
    Exactly,
    Alike,
    /// We never send such a message.
    No,
}

fn write_backend(out: &mut BytesMut, message: backend::Message<'_>) -> Result<Written, Error> {
    use backend::Message;
    match message {
        Message::Authentication(message) => return write_authentication(out, message),
        Message::BackendKeyData(key) => backend::backend_key_data(out, 2, key)?,
        Message::BindComplete => backend::bind_complete(out),
        Message::CloseComplete => backend::close_complete(out),
        Message::CommandComplete { command } if command.len() > COMMAND_TAG_LEN_MAX => {
            return Ok(Written::No);
        }
        Message::CommandComplete { command } => backend::command_complete(out, command),
        Message::CopyData(data) => backend::copy_data(out, data)?,
        Message::CopyDone => backend::copy_done(out),
        Message::CopyInResponse(copy) => return write_copy(out, copy, backend::copy_in_response),
        Message::CopyOutResponse(copy) => return write_copy(out, copy, backend::copy_out_response),
        Message::CopyBothResponse(copy) => return write_copy(out, copy, backend::copy_both_response),
        Message::DataRow(values) => {
            let mut row = backend::DataRow::begin(out);
            for value in values {
                match value {
                    None => row.null(),
                    Some(value) => row.value(value)?,
                }
            }
            row.finish()?;
        }
        Message::EmptyQueryResponse => backend::empty_query_response(out),
        Message::ErrorResponse(fields) => {
            backend::error_response(out, &fields);
            return Ok(Written::Alike);
        }
        Message::NoticeResponse(fields) => {
            backend::notice_response(out, &fields);
            return Ok(Written::Alike);
        }
        Message::FunctionCallResponse(_) => return Ok(Written::No),
        Message::NegotiateProtocolVersion(negotiation) => {
            backend::negotiate_protocol_version(out, negotiation.minor, negotiation.refused())?;
            return Ok(if negotiation.minor <= 2 { Written::Alike } else { Written::No });
        }
        Message::NoData => backend::no_data(out),
        Message::NotificationResponse { process_id, channel, payload } => {
            backend::notification_response(out, process_id, channel, payload)?;
        }
        Message::ParameterDescription(types) => {
            backend::parameter_description(out, &types.iter().collect::<Vec<_>>())?;
        }
        Message::ParameterStatus { name, value } => backend::parameter_status(out, name, value)?,
        Message::ParseComplete => backend::parse_complete(out),
        Message::PortalSuspended => backend::portal_suspended(out),
        Message::ReadyForQuery(status) => backend::ready_for_query(out, status),
        Message::RowDescription(columns) => backend::row_description(out, columns.iter())?,
    }
    Ok(Written::Exactly)
}

fn write_authentication(out: &mut BytesMut, message: Authentication<'_>) -> Result<Written, Error> {
    match message {
        Authentication::Ok => authentication::ok(out),
        Authentication::CleartextPassword => authentication::cleartext_password(out),
        Authentication::Md5Password { salt } => authentication::md5_password(out, salt),
        Authentication::Sasl(mechanisms) => authentication::sasl(out, mechanisms.iter())?,
        Authentication::SaslContinue(data) => authentication::sasl_continue(out, data)?,
        Authentication::SaslFinal(data) => authentication::sasl_final(out, data)?,
        Authentication::Other(_) => return Ok(Written::No),
    }
    Ok(Written::Exactly)
}

fn write_copy(
    out: &mut BytesMut,
    copy: backend::Copy<'_>,
    write: impl FnOnce(&mut BytesMut, Format, usize) -> Result<(), Error>,
) -> Result<Written, Error> {
    write(out, copy.format, copy.columns.len())?;
    let uniform = list(copy.columns).into_iter().all(|format| format == copy.format);
    Ok(if uniform { Written::Exactly } else { Written::No })
}

/// Nobody logs in by sending arbitrary messages, at any step and on either side; a verifier that is read is
/// written back so that it reads the same.
pub fn scram(first: &[u8], second: &[u8]) {
    // In the form of a real login the proof would have to be found by chance.
    let verifier = Verifier::decoy("user", &[7; 32]);
    let nonce = |text| Nonce::new(text).expect("a nonce");
    for channel in [Channel::Unbound, Channel::TlsServerEndPoint(vec![1; 32])] {
        for mechanism in [Mechanism::Sha256, Mechanism::Sha256Plus] {
            let server = Server::new(verifier.clone(), nonce("s"), channel.clone());
            if let Ok(challenge) = server.challenge(mechanism, first) {
                assert!(challenge.message().starts_with("r="));
                assert!(challenge.finish(second).is_err());
            }
            let secret = Secret::Keys(Keys::from_parts([1; 32], [2; 32]));
            let client = Client::new(secret, nonce("c"), mechanism, channel.clone());
            if let Ok(last) = client.answer(first) {
                assert!(last.verify(second).is_err());
            }
        }
    }
    if let Some(verifier) = std::str::from_utf8(first).ok().and_then(|text| text.parse::<Verifier>().ok()) {
        assert_eq!(verifier.to_string().parse(), Ok(verifier));
    }
}

/// A password proves itself, and no other does.
pub fn scram_login(password: &str, other: &str, salt: &[u8]) {
    let Ok(verifier) = Verifier::new(password, salt, 1) else { return };
    let same = Keys::derive(password, salt, 1) == Keys::derive(other, salt, 1);
    for (typed, accepted) in [(password, true), (other, same)] {
        let [ours, theirs] = ["c", "s"].map(|text| Nonce::new(text).expect("a nonce"));
        let client = Client::new(Secret::password(typed), ours, Mechanism::Sha256, Channel::Unbound);
        let server = Server::new(verifier.clone(), theirs, Channel::Unbound);
        let challenge = server.challenge(Mechanism::Sha256, client.message().as_bytes()).expect("honest");
        let last = client.answer(challenge.message().as_bytes()).expect("honest");
        match challenge.finish(last.message().as_bytes()) {
            Ok(proof) => {
                assert!(accepted);
                last.verify(proof.message().as_bytes()).expect("the server knows the verifier");
            }
            Err(error) => assert_eq!((error, accepted), (Error::AuthenticationFailed, false)),
        }
    }
}
