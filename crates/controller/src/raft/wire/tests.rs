//! Every message reads back, keeps its bytes for ever, and no other bytes do harm.

use model::{Command, Entry, FleetId, TimestampMs};
use openraft::EntryPayload;

use super::*;
use crate::raft::Proposal;

fn append() -> AppendEntriesRequest<TypeConfig> {
    let command = Command::Found { fleet: FleetId(7) };
    let proposal = Proposal::new(Entry::new(TimestampMs(5), command));
    AppendEntriesRequest {
        vote: codec::vote(3, 2, true),
        prev_log_id: Some(codec::log_id(2, 1, 8)),
        leader_commit: None,
        entries: vec![LogEntry { log_id: codec::log_id(3, 2, 9), payload: EntryPayload::Normal(proposal) }],
    }
}

fn hex(blob: &Blob) -> String {
    blob.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn appends_read_back() {
    let request = append();
    let again: Append = decode(&encode(&Append::new(&request))).expect("its own bytes");
    let again = again.into_request().expect("readable entries");
    assert_eq!(again.entries, request.entries);
    assert_eq!((again.vote, again.prev_log_id), (request.vote, request.prev_log_id));
}

#[test]
fn votes_and_answers_read_back() {
    let mut asked = VoteRequest::<TypeConfig>::new(codec::vote(3, 2, false), Some(codec::log_id(2, 1, 8)));
    asked.leadership_transfer = true;
    let again: Ask = decode(&encode(&Ask::from(asked.clone()))).expect("its own bytes");
    assert_eq!(VoteRequest::from(again), asked);
    let given = VoteResponse::<TypeConfig>::new(codec::vote(3, 2, false), None, true);
    let again: Answer = decode(&encode(&Answer::from(given.clone()))).expect("its own bytes");
    assert_eq!(VoteResponse::from(again), given);
    let place = Some(codec::log_id(1, 2, 3));
    for response in [
        AppendEntriesResponse::Success,
        AppendEntriesResponse::PartialSuccess(place),
        AppendEntriesResponse::Conflict,
        AppendEntriesResponse::HigherVote(codec::vote(9, 9, true)),
    ] {
        let again: Appended = decode(&encode(&Appended::from(response.clone()))).expect("its own bytes");
        assert_eq!(AppendEntriesResponse::from(again), response);
    }
}

/// Golden bytes: controllers of this release and later ones understand each other.
#[test]
fn the_bytes_of_version_1_stay_as_they_are() {
    let heartbeat = AppendEntriesRequest { entries: Vec::new(), ..append() };
    assert_eq!(
        hex(&encode(&Append::new(&heartbeat))),
        "01\
         0300000000000000020000000000000001\
         01020000000000000001000000000000000800000000000000\
         00\
         0000000000000000"
    );
    assert_eq!(hex(&encode(&Appended::Conflict)), "0102000000");
    let asked = VoteRequest::<TypeConfig>::new(codec::vote(3, 2, false), None);
    assert_eq!(hex(&encode(&Ask::from(asked))), "0103000000000000000200000000000000000000");
}

#[test]
fn a_later_version_is_told_from_damage() {
    let mut blob = encode(&Appended::Success);
    blob.0[0] = 2;
    assert!(matches!(decode::<Appended>(&blob), Err(Error::Version { version: 2 })));
    assert!(matches!(decode::<Appended>(&Blob(Vec::new())), Err(Error::Empty)));
}

#[test]
fn a_long_append_is_cut_behind_a_whole_entry() {
    let one = append().entries.pop().expect("it has one");
    let size = codec::encode_entry(&one).len();
    for (count, bytes_max, left, cut) in [
        (0, 0, 0, None),
        (1, 0, 1, None),
        (3, 3 * size, 3, None),
        (3, 3 * size - 1, 2, Some(2)),
        (3, size, 1, Some(1)),
        (3, 0, 1, Some(1)),
    ] {
        let request = AppendEntriesRequest { entries: vec![one.clone(); count], ..append() };
        let mut append = Append::new(&request);
        assert_eq!((append.cut(bytes_max), append.entries.len()), (cut, left), "{count} with {bytes_max}");
    }
}

/// Neither a cut nor a wrong length makes it panic or ask for more memory than the message holds.
#[test]
fn damaged_messages_are_errors() {
    let good = encode(&Append::new(&append()));
    for len in 1..good.0.len() {
        assert!(decode::<Append>(&Blob(good.0[..len].to_vec())).is_err(), "{len} bytes");
    }
    for at in 1..good.0.len() {
        let mut bad = good.clone();
        bad.0[at] ^= 0xff;
        // Some flips give another valid message; none may do worse.
        drop(decode::<Append>(&bad).map(Append::into_request));
    }
}
