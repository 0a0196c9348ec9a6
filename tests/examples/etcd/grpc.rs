//! As much of gRPC and of etcd's messages as the measurement needs: HTTP/2 without TLS, written by hand.
//!
//! Shapes and numbers of fields: etcd's `rpc.proto` and `kv.proto`.

use bytes::{BufMut, Bytes, BytesMut};
use h2::{RecvStream, SendStream, client::SendRequest};
use http::{Method, Request, Version};
use tokio::net::TcpStream;

/// A connection. Cheap to clone; requests of all clones travel side by side.
#[derive(Clone)]
pub struct Connection {
    requests: SendRequest<Bytes>,
    authority: String,
}

impl Connection {
    /// Opens one to `host:port`.
    pub async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("etcd listens");
        stream.set_nodelay(true).expect("a socket of ours");
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(1 << 20).initial_connection_window_size(16 << 20);
        let (requests, connection) = builder.handshake(stream).await.expect("etcd speaks HTTP/2");
        tokio::spawn(connection);
        Self { requests, authority: address.into() }
    }

    /// Sends one message and takes the one answer.
    pub async fn call(&self, method: &str, message: &[u8]) -> Bytes {
        let (_, mut answers) = self.stream(method, message, true).await;
        let answer = next(&mut answers, &mut BytesMut::new()).await.expect("an answer");
        let trailers = answers.trailers().await.expect("an end").expect("a status");
        assert_eq!(trailers.get("grpc-status").map(http::HeaderValue::as_bytes), Some(b"0".as_slice()));
        answer
    }

    /// Sends one message, of several if `last` is false, and gives the stream of answers.
    pub async fn stream(&self, method: &str, message: &[u8], last: bool) -> (SendStream<Bytes>, RecvStream) {
        let request = Request::builder()
            .method(Method::POST)
            .version(Version::HTTP_2)
            .uri(format!("http://{}/etcdserverpb.{method}", self.authority))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .expect("a request");
        let mut requests = self.requests.clone().ready().await.expect("a connection");
        let (response, mut sending) = requests.send_request(request, false).expect("a request");
        let mut frame = BytesMut::with_capacity(5 + message.len());
        frame.put_u8(0);
        frame.put_u32(u32::try_from(message.len()).expect("short"));
        frame.put_slice(message);
        sending.send_data(frame.freeze(), last).expect("a connection");
        (sending, response.await.expect("a response").into_body())
    }
}

/// The next message of a stream; `None` at its end, however it ends. `rest` keeps what came of the one after it.
pub async fn next(answers: &mut RecvStream, rest: &mut BytesMut) -> Option<Bytes> {
    loop {
        if let Some(head) = rest.first_chunk::<5>() {
            let len = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            if rest.len() >= 5 + len {
                return Some(rest.split_to(5 + len).freeze().slice(5..));
            }
        }
        let data = answers.data().await?.ok()?;
        answers.flow_control().release_capacity(data.len()).expect("as much as came");
        rest.extend_from_slice(&data);
    }
}

/// Appends a field of bytes.
pub fn put_bytes(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    message.push(field << 3 | 2);
    put_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

/// Appends a field with a number.
pub fn put_number(message: &mut Vec<u8>, field: u8, number: u64) {
    message.push(field << 3);
    put_varint(message, number);
}

fn put_varint(message: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        message.push(number as u8 | 0x80);
        number >>= 7;
    }
    message.push(number as u8);
}

/// A field of a message.
pub enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message, with their numbers.
pub fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, Field<'_>)> {
    std::iter::from_fn(move || {
        if message.is_empty() {
            return None;
        }
        let tag = varint(&mut message);
        let value = match tag & 7 {
            0 => Field::Number(varint(&mut message)),
            2 => {
                let len = varint(&mut message) as usize;
                let (bytes, rest) = message.split_at(len);
                message = rest;
                Field::Bytes(bytes)
            }
            other => panic!("etcd's messages have no fields of type {other}"),
        };
        Some((tag >> 3, value))
    })
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = message.split_first().expect("the rest of a number");
        *message = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    number
}
