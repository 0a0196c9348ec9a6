//! The first bytes of every connection: both ends prove that they know the fleet's secret and name the service.
//!
//! ```text
//! client → server   "STMR" version:u16 service:u8 role:u8 nonce:[u8;32]
//! server → client   "STMR" version:u16 status:u8 0        nonce:[u8;32] mac:[u8;32]
//! client → server   mac:[u8;32]
//! ```
//! Each mac covers both nonces, version, service, role and the speaker's side, so none can be replayed or reflected.
//! This keeps strangers out; it does not encrypt. It refuses nothing else: what a role may do is the service's business.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{ByteStream, Error, Secret, limits::HANDSHAKE_TIMEOUT};

const MAGIC: &[u8; 4] = b"STMR";
const VERSION: u16 = 1;
const NONCE_BYTES: usize = 32;
const MAC_BYTES: usize = 32;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// [`ControllerApi`](crate::controller::ControllerApi).
    Controller,
    /// Raft, between controllers.
    Raft,
    /// [`ServerApi`](crate::server::ServerApi).
    Server,
    /// [`EnvironmentApi`](crate::environment::EnvironmentApi).
    Environment,
}

/// Who opened the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A controller.
    Controller,
    /// A handler.
    Handler,
    /// A server.
    Server,
    /// The command line.
    Operator,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Welcome,
    VersionRefused,
    ServiceRefused,
}

impl Service {
    fn code(self) -> u8 {
        match self {
            Self::Controller => 1,
            Self::Raft => 2,
            Self::Server => 3,
            Self::Environment => 4,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::Controller, Self::Raft, Self::Server, Self::Environment]
            .into_iter()
            .find(|service| service.code() == code)
    }
}

impl Role {
    fn code(self) -> u8 {
        match self {
            Self::Controller => 1,
            Self::Handler => 2,
            Self::Server => 3,
            Self::Operator => 4,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::Controller, Self::Handler, Self::Server, Self::Operator]
            .into_iter()
            .find(|role| role.code() == code)
    }
}

impl Status {
    fn code(self) -> u8 {
        match self {
            Self::Welcome => 0,
            Self::VersionRefused => 1,
            Self::ServiceRefused => 2,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::Welcome, Self::VersionRefused, Self::ServiceRefused]
            .into_iter()
            .find(|status| status.code() == code)
    }
}

/// Opens a connection as the client.
///
/// # Errors
/// [`Error::Handshake`] when the other end is no process of this fleet or speaks another version; [`Error::Io`] when it
/// takes too long or goes away.
pub async fn open(
    stream: &mut dyn ByteStream,
    secret: &Secret,
    service: Service,
    role: Role,
) -> Result<(), Error> {
    bounded(async {
        let mine: [u8; NONCE_BYTES] = rand::random();
        let hello = hello(service, role, &mine);
        stream.write_all(&hello).await?;
        stream.flush().await?;
        let mut reply = [0; 8 + NONCE_BYTES + MAC_BYTES];
        stream.read_exact(&mut reply).await?;
        check_magic(&reply[..4])?;
        let version = u16::from_be_bytes([reply[4], reply[5]]);
        match Status::from_code(reply[6]) {
            Some(Status::Welcome) => {}
            Some(Status::VersionRefused) => {
                return Err(refused(format!("it speaks version {version}, not {VERSION}")));
            }
            Some(Status::ServiceRefused) => return Err(refused("it does not offer this service".into())),
            None => return Err(refused("it answered nonsense".into())),
        }
        let (theirs, mac) = reply[8..].split_at(NONCE_BYTES);
        if !secret.verify(&[b"server", &hello, theirs], mac) {
            return Err(refused("it does not know this fleet's secret".into()));
        }
        stream.write_all(&secret.mac(&[b"client", &hello, theirs])).await?;
        stream.flush().await?;
        Ok(())
    })
    .await
}

/// Takes a connection as the server; tells what it is for and who opened it.
///
/// # Errors
/// [`Error::Handshake`] when the other end is no process of this fleet or wants a service that is not offered;
/// [`Error::Io`] when it takes too long or goes away. It is told what it may know before the connection closes.
pub async fn take(
    stream: &mut dyn ByteStream,
    secret: &Secret,
    offered: &[Service],
) -> Result<(Service, Role), Error> {
    bounded(async {
        let mut hello = [0; 8 + NONCE_BYTES];
        stream.read_exact(&mut hello).await?;
        check_magic(&hello[..4])?;
        let version = u16::from_be_bytes([hello[4], hello[5]]);
        let mine: [u8; NONCE_BYTES] = rand::random();
        if version != VERSION {
            answer(stream, Status::VersionRefused, &mine, &[0; MAC_BYTES]).await?;
            return Err(refused(format!("it speaks version {version}, not {VERSION}")));
        }
        let service = Service::from_code(hello[6]).filter(|service| offered.contains(service));
        let (Some(service), Some(role)) = (service, Role::from_code(hello[7])) else {
            answer(stream, Status::ServiceRefused, &mine, &[0; MAC_BYTES]).await?;
            return Err(refused(format!("it asked for service {} as role {}", hello[6], hello[7])));
        };
        answer(stream, Status::Welcome, &mine, &secret.mac(&[b"server", &hello, &mine])).await?;
        let mut proof = [0; MAC_BYTES];
        stream.read_exact(&mut proof).await?;
        if !secret.verify(&[b"client", &hello, &mine], &proof) {
            return Err(refused("it does not know this fleet's secret".into()));
        }
        Ok((service, role))
    })
    .await
}

fn hello(service: Service, role: Role, nonce: &[u8; NONCE_BYTES]) -> [u8; 8 + NONCE_BYTES] {
    let mut hello = [0; 8 + NONCE_BYTES];
    hello[..4].copy_from_slice(MAGIC);
    hello[4..6].copy_from_slice(&VERSION.to_be_bytes());
    hello[6] = service.code();
    hello[7] = role.code();
    hello[8..].copy_from_slice(nonce);
    hello
}

async fn answer(
    stream: &mut dyn ByteStream,
    status: Status,
    nonce: &[u8; NONCE_BYTES],
    mac: &[u8; MAC_BYTES],
) -> io::Result<()> {
    let mut reply = [0; 8 + NONCE_BYTES + MAC_BYTES];
    reply[..4].copy_from_slice(MAGIC);
    reply[4..6].copy_from_slice(&VERSION.to_be_bytes());
    reply[6] = status.code();
    reply[8..8 + NONCE_BYTES].copy_from_slice(nonce);
    reply[8 + NONCE_BYTES..].copy_from_slice(mac);
    stream.write_all(&reply).await?;
    stream.flush().await
}

fn check_magic(bytes: &[u8]) -> Result<(), Error> {
    if bytes == MAGIC { Ok(()) } else { Err(refused("it is not a process of Stationmaster".into())) }
}

fn refused(reason: String) -> Error {
    Error::Handshake { reason }
}

async fn bounded<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, work).await {
        Ok(result) => result,
        // Not a refusal: a peer that is paused or cut off may answer later, and another one may answer now.
        Err(_) => {
            let reason = format!("it said nothing for {HANDSHAKE_TIMEOUT:?}");
            Err(io::Error::new(io::ErrorKind::TimedOut, reason).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn meet(
        client: Secret,
        server: Secret,
        service: Service,
    ) -> (Result<(), Error>, Result<(Service, Role), Error>) {
        let (mut near, mut far) = tokio::io::duplex(1024);
        tokio::join!(async move { open(&mut near, &client, service, Role::Handler).await }, async move {
            take(&mut far, &server, &[Service::Controller, Service::Raft]).await
        })
    }

    #[tokio::test]
    async fn both_ends_meet_when_they_share_the_secret() {
        let secret = Secret::new([7; 32]);
        let (client, server) = meet(secret.clone(), secret, Service::Raft).await;
        client.expect("the client is welcome");
        assert_eq!(server.expect("the client proved itself"), (Service::Raft, Role::Handler));
    }

    #[tokio::test]
    async fn another_secret_is_refused_by_both_ends() {
        let (client, server) = meet(Secret::new([7; 32]), Secret::new([8; 32]), Service::Controller).await;
        assert!(client.expect_err("wrong secret").to_string().contains("secret"));
        assert!(server.is_err());
    }

    #[tokio::test]
    async fn a_service_that_is_not_offered_is_refused_in_words() {
        let secret = Secret::new([7; 32]);
        let (client, server) = meet(secret.clone(), secret, Service::Server).await;
        assert!(client.expect_err("not offered").to_string().contains("does not offer"));
        assert!(server.is_err());
    }

    #[tokio::test]
    async fn another_protocol_is_refused() {
        let (mut near, mut far) = tokio::io::duplex(1024);
        near.write_all(&[b'x'; 40]).await.expect("room in the pipe");
        let error = take(&mut far, &Secret::new([7; 32]), &[Service::Raft]).await.expect_err("garbage");
        assert!(error.to_string().contains("not a process"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_dropped() {
        let (_near, mut far) = tokio::io::duplex(1024);
        let error = take(&mut far, &Secret::new([7; 32]), &[Service::Raft]).await.expect_err("silence");
        assert!(matches!(error, Error::Io(source) if source.to_string().contains("said nothing")));
    }
}
