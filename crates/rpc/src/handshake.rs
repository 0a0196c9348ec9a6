//! The first bytes of every connection: both ends prove that they know the fleet's secret and name the service.
//!
//! ```text
//! client → server   "STMR" versions:[u8;2] service:u8 role:u8 nonce:[u8;32]
//! server → client   "STMR" versions:[u8;2] status:u8 0        nonce:[u8;32] mac:[u8;32]
//! client → server   mac:[u8;32]
//! ```
//! Each mac covers both nonces, the client's versions, service, role and the speaker's side, and from version 2 on the
//! server's versions, so none can be replayed or reflected, and nobody in between can talk them into an older version.
//! This keeps strangers out; it does not encrypt. It refuses nothing else: what a role may do is the service's business.
//!
//! Both ends say which versions of the protocol they speak, and take the newest that both do. Within a version all
//! messages keep their bytes for ever: `tests/golden` has them.

use std::{fmt, io};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{ByteStream, Error, Secret, limits::HANDSHAKE_TIMEOUT};

const MAGIC: &[u8; 4] = b"STMR";
const NONCE_BYTES: usize = 32;
const MAC_BYTES: usize = 32;

/// A version of the protocol, from 1: of everything that is said on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u8);

impl Version {
    /// The oldest that this release speaks.
    pub const OLDEST: Self = Self(1);
    /// The newest that this release speaks.
    pub const NEWEST: Self = Self(1);
}

/// The versions that one end speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Versions {
    oldest: Version,
    newest: Version,
}

impl Versions {
    const OURS: Self = Self { oldest: Version::OLDEST, newest: Version::NEWEST };

    /// The first byte counts from zero: whoever speaks version 1 alone has always begun with 0 and 1.
    fn bytes(self) -> [u8; 2] {
        [self.oldest.0 - 1, self.newest.0]
    }

    fn read(bytes: &[u8]) -> Self {
        Self { oldest: Version(bytes[0].saturating_add(1)), newest: Version(bytes[1]) }
    }

    /// The newest that both speak.
    fn common(self, other: Self) -> Option<Version> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest.max(other.oldest)).then_some(newest)
    }

    /// Why a connection to somebody with other ones cannot be, and what to do about it.
    fn refused(self, theirs: Self) -> Error {
        let whom = if theirs.oldest > self.newest { "this process" } else { "the other one" };
        refused(format!(
            "it speaks {theirs} of the protocol, and this process {self}; upgrade {whom} to a release that speaks the \
             same, controllers first"
        ))
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.oldest == self.newest {
            true => write!(f, "version {}", self.newest.0),
            false => write!(f, "versions {} to {}", self.oldest.0, self.newest.0),
        }
    }
}

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

/// Opens a connection as the client; tells which version is spoken on it.
///
/// # Errors
/// [`Error::Handshake`] when the other end is no process of this fleet or speaks no version that this one does;
/// [`Error::Io`] when it takes too long or goes away.
pub async fn open(
    stream: &mut dyn ByteStream,
    secret: &Secret,
    service: Service,
    role: Role,
) -> Result<Version, Error> {
    open_with(stream, secret, (service, role), Versions::OURS).await
}

async fn open_with(
    stream: &mut dyn ByteStream,
    secret: &Secret,
    (service, role): (Service, Role),
    ours: Versions,
) -> Result<Version, Error> {
    bounded(async {
        let mine: [u8; NONCE_BYTES] = rand::random();
        let hello = hello(ours, service, role, &mine);
        stream.write_all(&hello).await?;
        stream.flush().await?;
        let mut reply = [0; 8 + NONCE_BYTES + MAC_BYTES];
        stream.read_exact(&mut reply).await?;
        check_magic(&reply[..4])?;
        let versions = Versions::read(&reply[4..6]);
        let common = ours.common(versions);
        let version = match (Status::from_code(reply[6]), common) {
            (Some(Status::Welcome), Some(version)) => version,
            (Some(Status::Welcome | Status::VersionRefused), _) => return Err(ours.refused(versions)),
            (Some(Status::ServiceRefused), _) => {
                return Err(refused("it does not offer this service".into()));
            }
            (None, _) => return Err(refused("it answered nonsense".into())),
        };
        let (theirs, mac) = reply[8..].split_at(NONCE_BYTES);
        if !secret.verify(&[b"server", &hello, theirs, covered(version, &reply[4..6])], mac) {
            return Err(refused("it does not know this fleet's secret".into()));
        }
        let proof = secret.mac(&[b"client", &hello, theirs, covered(version, &reply[4..6])]);
        stream.write_all(&proof).await?;
        stream.flush().await?;
        Ok(version)
    })
    .await
}

/// Takes a connection as the server; tells what it is for, who opened it, and which version is spoken on it.
///
/// # Errors
/// [`Error::Handshake`] when the other end is no process of this fleet, speaks no version that this one does, or wants a
/// service that is not offered; [`Error::Io`] when it takes too long or goes away. It is told what it may know before
/// the connection closes.
pub async fn take(
    stream: &mut dyn ByteStream,
    secret: &Secret,
    offered: &[Service],
) -> Result<(Service, Role, Version), Error> {
    take_with(stream, secret, offered, Versions::OURS).await
}

async fn take_with(
    stream: &mut dyn ByteStream,
    secret: &Secret,
    offered: &[Service],
    ours: Versions,
) -> Result<(Service, Role, Version), Error> {
    bounded(async {
        let mut hello = [0; 8 + NONCE_BYTES];
        stream.read_exact(&mut hello).await?;
        check_magic(&hello[..4])?;
        let versions = Versions::read(&hello[4..6]);
        let mine: [u8; NONCE_BYTES] = rand::random();
        let Some(version) = ours.common(versions) else {
            answer(stream, ours, Status::VersionRefused, &mine, &[0; MAC_BYTES]).await?;
            return Err(ours.refused(versions));
        };
        let service = Service::from_code(hello[6]).filter(|service| offered.contains(service));
        let (Some(service), Some(role)) = (service, Role::from_code(hello[7])) else {
            answer(stream, ours, Status::ServiceRefused, &mine, &[0; MAC_BYTES]).await?;
            return Err(refused(format!("it asked for service {} as role {}", hello[6], hello[7])));
        };
        let said = ours.bytes();
        let proof = secret.mac(&[b"server", &hello, &mine, covered(version, &said)]);
        answer(stream, ours, Status::Welcome, &mine, &proof).await?;
        let mut proof = [0; MAC_BYTES];
        stream.read_exact(&mut proof).await?;
        if !secret.verify(&[b"client", &hello, &mine, covered(version, &said)], &proof) {
            return Err(refused("it does not know this fleet's secret".into()));
        }
        Ok((service, role, version))
    })
    .await
}

/// What the macs cover of the server's versions: nothing in version 1.
fn covered(version: Version, versions: &[u8]) -> &[u8] {
    if version > Version(1) { versions } else { &[] }
}

fn hello(
    versions: Versions,
    service: Service,
    role: Role,
    nonce: &[u8; NONCE_BYTES],
) -> [u8; 8 + NONCE_BYTES] {
    let mut hello = [0; 8 + NONCE_BYTES];
    hello[..4].copy_from_slice(MAGIC);
    hello[4..6].copy_from_slice(&versions.bytes());
    hello[6] = service.code();
    hello[7] = role.code();
    hello[8..].copy_from_slice(nonce);
    hello
}

async fn answer(
    stream: &mut dyn ByteStream,
    versions: Versions,
    status: Status,
    nonce: &[u8; NONCE_BYTES],
    mac: &[u8; MAC_BYTES],
) -> io::Result<()> {
    let mut reply = [0; 8 + NONCE_BYTES + MAC_BYTES];
    reply[..4].copy_from_slice(MAGIC);
    reply[4..6].copy_from_slice(&versions.bytes());
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
    ) -> (Result<Version, Error>, Result<(Service, Role, Version), Error>) {
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
        let known = server.expect("the client proved itself");
        assert_eq!(known, (Service::Raft, Role::Handler, Version::NEWEST));
    }

    fn versions(oldest: u8, newest: u8) -> Versions {
        Versions { oldest: Version(oldest), newest: Version(newest) }
    }

    /// What both ends take, when each speaks these.
    async fn agree(client: Versions, server: Versions) -> Result<Version, (String, String)> {
        let (mut near, mut far) = tokio::io::duplex(1024);
        let (secret, offered) = (Secret::new([7; 32]), [Service::Raft]);
        let (opened, taken) = tokio::join!(
            open_with(&mut near, &secret, (Service::Raft, Role::Controller), client),
            take_with(&mut far, &secret, &offered, server)
        );
        match (opened, taken) {
            (Ok(mine), Ok((.., theirs))) if mine == theirs => Ok(mine),
            (Err(mine), Err(theirs)) => Err((mine.to_string(), theirs.to_string())),
            other => panic!("they do not agree: {other:?}"),
        }
    }

    #[tokio::test]
    async fn an_older_and_a_newer_peer_take_the_newest_version_that_both_speak_c7() {
        for (client, server, common) in [
            (versions(1, 1), versions(1, 2), 1),
            (versions(1, 3), versions(1, 2), 2),
            (versions(2, 3), versions(1, 3), 3),
        ] {
            assert_eq!(agree(client, server).await, Ok(Version(common)));
        }
    }

    #[tokio::test]
    async fn peers_without_a_common_version_are_told_which_of_them_to_upgrade_c7() {
        for (client, server) in [(versions(1, 1), versions(2, 3)), (versions(2, 3), versions(1, 1))] {
            let (client_said, server_said) = agree(client, server).await.expect_err("nothing in common");
            let (old, new) = if client.newest == Version(1) {
                (client_said, server_said)
            } else {
                (server_said, client_said)
            };
            assert!(
                old.contains("it speaks versions 2 to 3") && old.contains("upgrade this process"),
                "{old}"
            );
            assert!(new.contains("it speaks version 1 of") && new.contains("upgrade the other one"), "{new}");
        }
    }

    /// Somebody in between makes the server look older.
    #[tokio::test]
    async fn nobody_in_between_brings_about_an_older_version() {
        let (mut near, mut between) = tokio::io::duplex(1024);
        let (mut beyond, mut far) = tokio::io::duplex(1024);
        let (secret, offered) = (Secret::new([7; 32]), [Service::Raft]);
        let change = async {
            let mut hello = [0; 8 + NONCE_BYTES];
            between.read_exact(&mut hello).await.expect("a hello");
            beyond.write_all(&hello).await.expect("room");
            let mut reply = [0; 8 + NONCE_BYTES + MAC_BYTES];
            beyond.read_exact(&mut reply).await.expect("a reply");
            reply[4..6].copy_from_slice(&versions(1, 1).bytes());
            between.write_all(&reply).await.expect("room");
            drop((between, beyond));
        };
        let (opened, taken, ()) = tokio::join!(
            open_with(&mut near, &secret, (Service::Raft, Role::Controller), versions(1, 2)),
            take_with(&mut far, &secret, &offered, versions(1, 2)),
            change
        );
        assert!(opened.is_err() && taken.is_err());
    }

    /// Golden bytes: how every release that speaks version 1 alone begins.
    #[test]
    fn the_first_bytes_are_those_of_the_first_release_c7() {
        let first = hello(versions(1, 1), Service::Raft, Role::Controller, &[9; NONCE_BYTES]);
        assert_eq!(first[..9], *b"STMR\x00\x01\x02\x01\x09");
        assert_eq!(Versions::read(&first[4..6]), versions(1, 1));
        assert_eq!(hello(versions(2, 3), Service::Raft, Role::Controller, &[9; NONCE_BYTES])[4..6], [1, 3]);
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
