//! The text of SCRAM messages: `a=value` attributes between commas.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::keys::Key;
use crate::Error;

pub(super) fn malformed(what: &'static str) -> Error {
    Error::Scram { what }
}

pub(super) fn text(message: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(message).map_err(|_| malformed("not UTF-8"))
}

/// Takes the attribute `name`, which must be next, off the front of `message`.
pub(super) fn attribute<'a>(
    message: &mut &'a str,
    name: &str,
    missing: &'static str,
) -> Result<&'a str, Error> {
    let rest = message.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
    let rest = rest.ok_or(malformed(missing))?;
    let (value, rest) = rest.split_once(',').unwrap_or((rest, ""));
    *message = rest;
    Ok(value)
}

pub(super) fn check_nonce(nonce: &str) -> Result<&str, Error> {
    let printable = nonce.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    if nonce.is_empty() || !printable { Err(malformed("invalid nonce")) } else { Ok(nonce) }
}

pub(super) fn base64(value: &str, what: &'static str) -> Result<Vec<u8>, Error> {
    BASE64_STANDARD.decode(value).map_err(|_| malformed(what))
}

pub(super) fn key(value: &str, what: &'static str) -> Result<Key, Error> {
    base64(value, what)?.try_into().map_err(|_| malformed(what))
}

/// What a client says about channel binding, and the rest of its first message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFirst<'a> {
    /// Everything before `bare`: repeated, encoded, in the client's last message.
    pub gs2_header: &'a str,
    pub flag: Flag<'a>,
    pub bare: &'a str,
    pub nonce: &'a str,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flag<'a> {
    /// The client has no channel binding.
    Unsupported,
    /// The client has it and believes that the server has not.
    NotOffered,
    /// The client binds, in the way named.
    Bound(&'a str),
}

impl<'a> ClientFirst<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, Error> {
        let message = text(message)?;
        let (flag, rest) = message.split_once(',').ok_or(malformed("no channel binding flag"))?;
        let flag = match flag {
            "n" => Flag::Unsupported,
            "y" => Flag::NotOffered,
            flag => Flag::Bound(flag.strip_prefix("p=").ok_or(malformed("invalid channel binding flag"))?),
        };
        let (identity, bare) = rest.split_once(',').ok_or(malformed("no authorization identity"))?;
        check_identity(identity)?;
        let gs2_header = &message[..message.len() - bare.len()];
        let mut rest = bare;
        if rest.starts_with("m=") {
            return Err(Error::ScramUnsupported { what: "a mandatory SCRAM extension" });
        }
        // PostgreSQL's clients leave the name empty: the start-up packet has it.
        attribute(&mut rest, "n", "no user name")?;
        let nonce = check_nonce(attribute(&mut rest, "r", "no nonce")?)?;
        Ok(ClientFirst { gs2_header, flag, bare, nonce })
    }
}

fn check_identity(identity: &str) -> Result<(), Error> {
    match identity {
        "" => Ok(()),
        identity if identity.starts_with("a=") => {
            Err(Error::ScramUnsupported { what: "an authorization identity" })
        }
        _ => Err(malformed("invalid authorization identity")),
    }
}

/// The client's last message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientLast<'a> {
    pub without_proof: &'a str,
    pub binding: &'a str,
    pub nonce: &'a str,
    pub proof: Key,
}

impl<'a> ClientLast<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, Error> {
        let message = text(message)?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(malformed("no proof"))?;
        let mut rest = without_proof;
        let binding = attribute(&mut rest, "c", "no channel binding")?;
        let nonce = attribute(&mut rest, "r", "no nonce")?;
        Ok(ClientLast { without_proof, binding, nonce, proof: key(proof, "invalid proof")? })
    }
}

/// The server's first message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerFirst<'a> {
    pub nonce: &'a str,
    pub salt: Vec<u8>,
    pub iterations: u32,
}

impl<'a> ServerFirst<'a> {
    pub(super) fn parse(message: &'a str) -> Result<Self, Error> {
        let mut rest = message;
        let nonce = check_nonce(attribute(&mut rest, "r", "no nonce")?)?;
        let salt = base64(attribute(&mut rest, "s", "no salt")?, "invalid salt")?;
        let iterations = attribute(&mut rest, "i", "no iteration count")?;
        let iterations = iterations.parse().map_err(|_| malformed("invalid iteration count"))?;
        if !(1..=super::ITERATIONS_MAX).contains(&iterations) {
            return Err(malformed("iteration count out of bounds"));
        }
        Ok(ServerFirst { nonce, salt, iterations })
    }
}
