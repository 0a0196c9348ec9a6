//! Bugs as they happen, one behind each decoder. A target that does not find its own watches nothing.

use bincode::Options as _;
use model::{Command, codec};
use rpc::{controller::ControllerApiRequest, tarpc::ClientMessage};

/// A list from outside whose second item is taken for granted.
pub fn calls(input: &[u8]) {
    let Some((0, stream)) = input.split_first() else { return };
    for message in crate::calls::frames::<ClientMessage<ControllerApiRequest>>(stream) {
        let ClientMessage::Request(request) = message else { continue };
        if let ControllerApiRequest::Heartbeat { heartbeat } = request.message {
            let first = heartbeat.put_away.first();
            assert!(first.is_none() || heartbeat.put_away[1].0 > heartbeat.put_away[0].0, "planted");
        }
    }
}

/// A table by service and role that forgets a service.
pub fn handshake(input: &[u8]) {
    if let Some((&0, [b'S', b'T', b'M', b'R', 0, 1, service @ 1..=3, role @ 1..=4, nonce @ ..])) =
        input.split_first()
        && nonce.len() >= 32
    {
        let roles: [&[u8]; 2] = [&[1, 2, 3, 4], &[1, 1, 1, 1]];
        assert!(roles[usize::from(*service) - 1][usize::from(*role) - 1] > 0, "planted");
    }
}

/// A reader without a limit: a length is believed before its bytes are there.
pub fn raft(input: &[u8]) {
    let Some((1.., [_, version, body @ ..])) = input.split_first() else { return };
    if *version == 1 {
        let options = bincode::DefaultOptions::new().with_fixint_encoding().allow_trailing_bytes();
        drop(options.deserialize_from::<_, (u8, Vec<String>)>(body));
    }
}

/// A difference of two numbers from outside that are taken to be in order.
pub fn entries(input: &[u8]) {
    let Some((1.., entry)) = input.split_first() else { return };
    let Some(Ok(entry)) = entry.get(26..).map(codec::decode_entry) else { return };
    if let Command::UnassignDatabase { database, epoch_expected } = entry.command {
        assert!(database.0 - epoch_expected.0 > 0);
    }
}

/// A time from outside that is put into a smaller number.
pub fn snapshots(input: &[u8]) {
    let Some((2, bytes)) = input.split_first() else { return };
    let Ok(fleet) = codec::decode_snapshot(&crate::map(bytes)) else { return };
    assert!(fleet.servers().all(|(_, server)| u32::try_from(server.registered_at.0).is_ok()), "planted");
}
