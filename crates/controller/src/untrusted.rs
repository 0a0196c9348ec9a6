//! What a controller reads that others wrote: on its disk, and from the other controllers. For tests and fuzzing only.
//!
//! Each check takes any bytes and panics when reading them does, or when what was read is not what is written again:
//! then two controllers could read the same bytes differently.

use std::{fmt::Debug, io::Cursor};

use futures::{FutureExt as _, StreamExt as _};
use model::{Command, Fleet, Name, Revision, TimestampMs};
use openraft::raft::{AppendEntriesRequest, VoteRequest};
use rpc::tarpc::{ClientMessage, Response};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    machine::{Tally, image},
    raft::{
        TypeConfig,
        arrivals::{Arrivals, Part},
        service::{RaftApiRequest, RaftApiResponse},
        wire,
    },
    store::codec,
};

/// A log entry, as it stands on disk and in an append.
pub fn entry(bytes: &[u8]) {
    let Ok(entry) = codec::decode_entry(bytes) else { return };
    let again = codec::decode_entry(&codec::encode_entry(&entry)).expect("its own bytes");
    assert_eq!(again, entry);
}

/// Entries, oldest first, each behind its length, decoded and applied to one map: the map says yes or no.
pub fn log(mut bytes: &[u8]) {
    let (mut fleet, mut tally) = (Fleet::default(), Tally::default());
    while let Some((length, rest)) = bytes.split_first() {
        let (one, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        bytes = rest;
        if let Ok(entry) = model::codec::decode_entry(one) {
            let revision = Revision(fleet.revision().0 + 1);
            // A rejection is an answer.
            drop(tally.apply(&mut fleet, revision, &entry));
        }
    }
    serves(&fleet);
}

/// The shapes inside the frames of Raft. The first byte says which.
pub fn message(bytes: &[u8]) {
    let Some((shape, body)) = bytes.split_first() else { return };
    let blob = wire::Blob(body.to_vec());
    match shape % 6 {
        0 => {
            let Ok(append) = wire::decode::<wire::Append>(&blob) else { return };
            let Ok(request) = append.into_request() else { return };
            let again: wire::Append =
                wire::decode(&wire::encode(&wire::Append::new(&request))).expect("its own bytes");
            let again: AppendEntriesRequest<TypeConfig> = again.into_request().expect("its own entries");
            assert_eq!(again.entries, request.entries);
        }
        1 => same::<wire::Appended>(&blob),
        2 => {
            same::<wire::Ask>(&blob);
            drop(wire::decode::<wire::Ask>(&blob).map(VoteRequest::<TypeConfig>::from));
        }
        3 => same::<wire::Answer>(&blob),
        4 => same::<wire::HandOver>(&blob),
        _ => same::<wire::Ballot>(&blob),
    }
}

/// What it says is what it would say.
fn same<T: Serialize + DeserializeOwned>(blob: &wire::Blob) {
    if let Ok(message) = wire::decode::<T>(blob) {
        assert_eq!(wire::encode(&message), *blob);
    }
}

/// The frames of one connection between controllers, from either end. The first byte says which.
pub fn peer(bytes: &[u8]) {
    let Some((end, stream)) = bytes.split_first() else { return };
    if end % 2 == 0 {
        let mut arrivals = Arrivals::default();
        frames::<ClientMessage<RaftApiRequest>>(stream, |message| {
            let ClientMessage::Request(request) = message else { return };
            if let RaftApiRequest::Snapshot { piece, .. } = request.message {
                let part =
                    Part { leader: piece.offset, transfer: 1, offset: piece.offset, total: piece.total };
                drop(arrivals.take(part, &piece.bytes.0));
            }
        });
    } else {
        frames::<Response<RaftApiResponse>>(stream, drop);
    }
}

/// Every message of a stream, until one is damaged.
fn frames<T: rpc::Incoming + Debug>(stream: &[u8], mut take: impl FnMut(T)) {
    let mut frames = rpc::frame::<T, ()>(Box::new(Cursor::new(stream.to_vec())));
    while let Some(Some(Ok(message))) = frames.next().now_or_never() {
        take(message);
    }
}

/// A snapshot, as it stands on disk and as it is sent.
pub fn snapshot(bytes: &[u8]) {
    let Ok((meta, fleet)) = image::decode(bytes) else { return };
    let (again, map) = image::decode(&image::encode(&meta, &fleet)).expect("its own bytes");
    assert_eq!((again, map.digest()), (meta, fleet.digest()));
    serves(&fleet);
}

/// A snapshot with a right checksum around these bytes, or around an empty description and then these.
pub fn sealed(bytes: &[u8], described: bool) -> Vec<u8> {
    let empty = image::encode(&crate::raft::SnapshotMeta::default(), &Fleet::default());
    let map = model::codec::encode_snapshot(&Fleet::default());
    let head = if described { image::HEAD_BYTES } else { empty.len() - map.len() };
    let mut sealed = [&empty[..head], bytes].concat();
    image::seal(&mut sealed);
    sealed
}

/// Whatever was read can go on: each database can be dropped, and another one made.
fn serves(fleet: &Fleet) {
    let mut fleet = fleet.clone();
    let mut tally = Tally::of(&fleet);
    let ids: Vec<_> = fleet.databases_after(None).map(|(id, _)| id).collect();
    assert_eq!(ids.len(), fleet.databases_len());
    let drops = ids.into_iter().map(|database| Command::DropDatabase { database });
    let name = Name::new("another").expect("a good name");
    let create = Command::CreateDatabase { name, owner: None, key: None };
    for command in drops.chain([create]) {
        let revision = Revision(fleet.revision().0 + 1);
        drop(tally.apply(&mut fleet, revision, &model::Entry::new(TimestampMs(0), command)));
    }
}

#[cfg(test)]
mod tests;
