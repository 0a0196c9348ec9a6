//! What processes say to each other by tarpc, message by message, so that single ones can be lost and doubled.
//!
//! TCP does neither: it delivers all of it or breaks the connection, which `Fault::Breaking`, kills and cuts show. So this is harsher
//! than a network is, and stands for what is around it: a process that takes a request off its socket and forgets it, a
//! queue or a proxy that drops an answer. Nobody may wait for ever then, and whoever repeats a request whose answer was
//! lost makes a double of it, under another number.
//!
//! A double under the same number is passed over by tarpc for as long as the first one is worked on. So it comes late,
//! up to [`LATE_MS`]: most are worked on once more then, after what the caller has asked for since. That is what a repeated
//! request over another connection looks like when the first one was stuck before a paused process.
//! Clients' statements (PostgreSQL's wire) are left alone: in a session no message can be lost without breaking it.

use std::{collections::BTreeMap, fmt};

use bincode::Options as _;
use bytes::{Bytes, BytesMut};

/// What either end says before the first message: see `rpc::handshake`.
const HANDSHAKE_BYTES: usize = 72;
/// What stands before a message: its length.
const LENGTH_BYTES: usize = 4;
/// How late a double is at most, in milliseconds.
pub const LATE_MS: u64 = 2_000;

/// How often messages get lost and doubled, in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Those that never arrive.
    pub lost: u32,
    /// Those that arrive, and once more later.
    pub twice: u32,
}

/// What happened to messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that never arrived.
    pub requests_lost: u64,
    /// Answers that never arrived: what was asked for is done.
    pub answers_lost: u64,
    /// Requests that arrived twice.
    pub requests_doubled: u64,
    /// Those of them that were answered twice, so were worked on twice.
    pub worked_twice: u64,
}

/// A message, by its number on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Somebody asks for something.
    Request(u64),
    /// Whoever asked does not want it any more.
    Cancel,
    /// What came of it.
    Answer(u64),
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(number) => write!(f, "request {number}"),
            Self::Cancel => f.write_str("a cancellation"),
            Self::Answer(number) => write!(f, "answer {number}"),
        }
    }
}

/// One direction of a connection on which tarpc is spoken, as far as it was written.
#[derive(Debug)]
pub struct Reader {
    /// Whether it is the one from whom connected.
    asks: bool,
    /// Bytes of the handshake that are still to come.
    handshake: usize,
    /// The beginning of a message that is still being written.
    begun: BytesMut,
    /// Doubled requests, and how often they were answered.
    pub doubled: BTreeMap<u64, u32>,
}

impl Reader {
    pub fn new(asks: bool) -> Self {
        Self { asks, handshake: HANDSHAKE_BYTES, begun: BytesMut::new(), doubled: BTreeMap::new() }
    }

    /// What of the handshake is in these bytes, and the messages that are whole now.
    pub fn take(&mut self, bytes: &[u8]) -> (Bytes, Vec<(Message, Bytes)>) {
        let (shake, rest) = bytes.split_at(bytes.len().min(self.handshake));
        self.handshake -= shake.len();
        self.begun.extend_from_slice(rest);
        let mut whole = Vec::new();
        while let Some(length) = self.begun.first_chunk::<LENGTH_BYTES>() {
            let len = LENGTH_BYTES + u32::from_be_bytes(*length) as usize;
            if self.begun.len() < len {
                break;
            }
            let message = self.begun.split_to(len).freeze();
            whole.push((self.read(&message[LENGTH_BYTES..]), message));
        }
        (Bytes::copy_from_slice(shake), whole)
    }

    fn read(&self, message: &[u8]) -> Message {
        /// `tarpc::ClientMessage` up to the request's number: which one, deadline, trace, number.
        type Request = (u32, u64, u32, [u8; 16], u64, u32, u64);
        if !self.asks {
            return Message::Answer(beginning(message));
        }
        match beginning(message) {
            0u32 => {
                let (.., number): Request = beginning(message);
                Message::Request(number)
            }
            _ => Message::Cancel,
        }
    }
}

fn beginning<T: serde::de::DeserializeOwned>(message: &[u8]) -> T {
    let options = bincode::DefaultOptions::new().allow_trailing_bytes();
    options.deserialize(message).expect("BUG: messages are what `rpc::frame` writes")
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, SinkExt};
    use rpc::{ByteStream, tarpc};
    use tokio::io::AsyncReadExt;

    use super::*;

    /// What `rpc` writes for these requests, one after the other.
    fn written(numbers: &[u64]) -> Vec<u8> {
        let (near, mut far) = tokio::io::duplex(1 << 16);
        let mut frames = rpc::frame::<tarpc::Response<()>, tarpc::ClientMessage<String>>(
            Box::new(near) as Box<dyn ByteStream>
        );
        let mut bytes = Vec::new();
        let all = async {
            for id in numbers {
                let request = tarpc::Request { context: rpc::context(), id: *id, message: "hello".into() };
                frames.send(tarpc::ClientMessage::Request(request)).await.expect("in memory");
            }
            let trace_context = rpc::context().trace_context;
            frames
                .send(tarpc::ClientMessage::Cancel { trace_context, request_id: 9 })
                .await
                .expect("in memory");
            drop(frames);
            far.read_to_end(&mut bytes).await.expect("in memory");
        };
        all.now_or_never().expect("nothing to wait for");
        bytes
    }

    #[test]
    fn messages_are_found_however_they_are_written() {
        let requests = written(&[3, 70_000]);
        let all = [&[0; HANDSHAKE_BYTES][..], &requests].concat();
        for at_once in [1, 7, HANDSHAKE_BYTES, all.len()] {
            let (mut reader, mut found, mut same) = (Reader::new(true), Vec::new(), Vec::new());
            for bytes in all.chunks(at_once) {
                let (shake, messages) = reader.take(bytes);
                same.extend_from_slice(&shake);
                for (message, bytes) in messages {
                    found.push(message);
                    same.extend_from_slice(&bytes);
                }
            }
            assert_eq!(found, [Message::Request(3), Message::Request(70_000), Message::Cancel]);
            assert_eq!(same, all);
        }
    }
}
