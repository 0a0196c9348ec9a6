//! A client that may say anything: bytes on a socket.

use std::{collections::BTreeMap, io, net::SocketAddr, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use wire::{
    frontend::sasl,
    scram::{Channel, Client, Mechanism, Nonce, Secret},
};

use crate::DEADLINE;

/// AuthenticationSASL's code.
const AUTHENTICATION_SASL: u32 = 10;
/// AuthenticationSASLContinue's code.
const AUTHENTICATION_SASL_CONTINUE: u32 = 11;

/// A connection without manners.
pub struct Raw {
    stream: TcpStream,
    /// What was reported by ParameterStatus at the login, as `NAME=VALUE`.
    pub reports: Vec<String>,
}

impl Raw {
    /// Connects and says nothing.
    ///
    /// # Errors
    /// Whatever the network says.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { stream: TcpStream::connect(address).await?, reports: Vec::new() })
    }

    /// Sends bytes; a connection that is closed already takes them too.
    pub async fn send(&mut self, bytes: &[u8]) {
        // The other end may close as soon as it has seen enough; what matters is what it says, which is read below.
        drop(self.stream.write_all(bytes).await);
    }

    /// Says that no more will come.
    pub async fn end(&mut self) {
        // It may be closed already.
        drop(self.stream.shutdown().await);
    }

    /// Everything that comes until the other end closes.
    ///
    /// # Panics
    /// When it does not close.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = timeout(DEADLINE, self.stream.read_to_end(&mut bytes)).await;
        // A reset is a way to close, when we had sent more than was read.
        drop(read.expect("the other end closes the connection"));
        bytes
    }

    /// One whole message: its tag and body; `None` when the other end closes.
    ///
    /// # Panics
    /// When nothing comes.
    pub async fn message(&mut self) -> Option<(u8, Vec<u8>)> {
        let read = async {
            let mut head = [0; 5];
            self.stream.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let mut body = vec![0; length.checked_sub(4)?];
            self.stream.read_exact(&mut body).await.ok()?;
            Some((head[0], body))
        };
        timeout(DEADLINE, read).await.expect("a message comes")
    }

    /// Logs in by SCRAM-SHA-256 after a start-up packet; gives the first ErrorResponse or ReadyForQuery.
    ///
    /// # Panics
    /// When the other end breaks off or asks for something else.
    pub async fn log_in(&mut self, password: &str) -> (u8, Vec<u8>) {
        let nonce = Nonce::random(&mut rand::rng());
        let mut client =
            Some(Client::new(Secret::password(password), nonce, Mechanism::Sha256, Channel::Unbound));
        loop {
            let (tag, body) = self.message().await.expect("the other end says how it ends");
            match (tag, body.first_chunk::<4>().map(|code| u32::from_be_bytes(*code))) {
                (b'E' | b'Z', _) => return (tag, body),
                (b'S', _) => {
                    let text = String::from_utf8_lossy(&body);
                    self.reports.push(text.trim_end_matches('\0').replace('\0', "="));
                }
                (b'R', Some(AUTHENTICATION_SASL)) => {
                    let client = client.as_ref().expect("it asks once");
                    let message = client.message();
                    let mut response = BytesMut::new();
                    sasl::initial_response(&mut response, "SCRAM-SHA-256", Some(message.as_bytes()))
                        .expect("it is short");
                    self.send(&response).await;
                }
                (b'R', Some(AUTHENTICATION_SASL_CONTINUE)) => {
                    let last =
                        client.take().expect("it asks once").answer(&body[4..]).expect("a good challenge");
                    let mut response = BytesMut::new();
                    sasl::response(&mut response, last.message().as_bytes()).expect("it is short");
                    self.send(&response).await;
                }
                _ => {}
            }
        }
    }

    /// Whether the other end has neither closed nor said anything after a moment.
    pub async fn is_quiet(&mut self, moment: Duration) -> bool {
        let mut byte = [0];
        timeout(moment, self.stream.peek(&mut byte)).await.is_err()
    }

    /// A start-up packet of protocol 3.0.
    pub fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
        let mut body = 196_608u32.to_be_bytes().to_vec();
        for (name, value) in parameters {
            for text in [name, value] {
                body.extend_from_slice(text.as_bytes());
                body.push(0);
            }
        }
        body.push(0);
        let length = u32::try_from(body.len() + 4).expect("a small packet");
        [&length.to_be_bytes()[..], &body].concat()
    }

    /// The fields of the first ErrorResponse in what came; `None` when there is none.
    pub fn error_in(bytes: &[u8]) -> Option<BTreeMap<char, String>> {
        let mut rest = bytes;
        while rest.len() >= 5 {
            let length = u32::from_be_bytes([rest[1], rest[2], rest[3], rest[4]]) as usize;
            let body = rest.get(5..1 + length)?;
            if rest[0] == b'E' {
                return Some(Self::fields(body));
            }
            rest = &rest[1 + length..];
        }
        None
    }

    /// The fields of an ErrorResponse's body, by their letters.
    pub fn fields(body: &[u8]) -> BTreeMap<char, String> {
        let fields = body.split(|byte| *byte == 0).filter(|field| !field.is_empty());
        let field = |field: &[u8]| (char::from(field[0]), String::from_utf8_lossy(&field[1..]).into_owned());
        fields.map(field).collect()
    }
}
