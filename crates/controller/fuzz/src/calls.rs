//! Calls and answers, from either end.

use std::io::Cursor;

use futures::{FutureExt as _, StreamExt as _};
use rpc::{
    controller::{ControllerApiRequest, ControllerApiResponse},
    server::{ServerApiRequest, ServerApiResponse},
    tarpc::{ClientMessage, Response},
};
use serde::{Serialize, de::DeserializeOwned};

/// The first byte says whose frames they are.
pub fn calls(input: &[u8]) {
    let Some((whose, stream)) = input.split_first() else { return };
    match whose % 4 {
        0 => requests::<ControllerApiRequest>(stream),
        1 => answers::<ControllerApiResponse>(stream),
        2 => requests::<ServerApiRequest>(stream),
        _ => answers::<ServerApiResponse>(stream),
    }
    #[cfg(feature = "planted")]
    crate::planted::calls(input);
}

/// What a caller sends.
fn requests<T: Serialize + DeserializeOwned>(stream: &[u8]) {
    for message in frames::<ClientMessage<T>>(stream) {
        if let ClientMessage::Request(request) = message {
            same(&request.message);
        }
    }
}

/// What is sent back.
fn answers<T: Serialize + DeserializeOwned>(stream: &[u8]) {
    for answer in frames::<Response<T>>(stream) {
        if let Ok(message) = answer.message {
            same(&message);
        }
    }
}

/// Every message of a stream, until one is damaged.
pub fn frames<T: rpc::Incoming>(stream: &[u8]) -> Vec<T> {
    let mut frames = rpc::frame::<T, ()>(Box::new(Cursor::new(stream.to_vec())));
    std::iter::from_fn(|| frames.next().now_or_never()??.ok()).collect()
}

/// What was read is written as bytes that read as the same.
fn same<T: Serialize + DeserializeOwned>(message: &T) {
    use bincode::Options as _;
    let options = bincode::DefaultOptions::new();
    let bytes = options.serialize(message).expect("it was read");
    let again: T = options.deserialize(&bytes).expect("its own bytes");
    assert_eq!(options.serialize(&again).expect("it was read"), bytes);
}
