//! Pins: small objects that keep a position of a log loadable, for as long as they are there.

use bytes::Bytes;
use model::{Epoch, TimestampMs};

use crate::{
    Nonce, Position, RecordHash, State,
    damage::{Damage, Object},
    log::{Log, ReadError},
    names::{Listing, Name},
    open::header,
    record::{Body, Encoded, Kind, Record},
};

/// What a pin keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The position.
    pub position: Position,
    /// The hash of the record there.
    pub hash: RecordHash,
    /// When it was made.
    pub at: TimestampMs,
}

impl Log {
    /// The positions that the pins of a listing keep.
    pub(crate) async fn pinned(&self, listing: &Listing) -> Result<Vec<Position>, ReadError> {
        let mut pinned = Vec::new();
        for name in &listing.pins {
            pinned.extend(self.pin(name).await?.map(|pin| pin.position));
        }
        Ok(pinned)
    }

    /// Reads a pin; nothing if it is not there any more.
    async fn pin(&self, name: &str) -> Result<Option<Pin>, ReadError> {
        let key = self.key(&Name::Pin(name.into()));
        let found = self.patiently(|| self.store().objects().read(&key, None)).await?;
        let damaged = |damage: Damage| damage.of(Object::Pin, self.database(), Position::START);
        let pin = found.map(|bytes| self.decode_pin(&bytes)).transpose();
        pin.map_err(|damage| damaged(damage).into())
    }

    fn decode_pin(&self, bytes: &Bytes) -> Result<Pin, Damage> {
        let header = Record::decode_bare(bytes, self.place(), Kind::Pin)?;
        Ok(Pin { position: header.position, hash: header.previous, at: header.at })
    }

    /// The bytes of a pin, or of the tombstone of a dropped database.
    pub(crate) fn encode_bare(&self, kind: Kind, pin: Pin) -> Encoded {
        let state = State { hash: pin.hash, ..State::default() };
        let mut header = header(self, kind, Epoch(0), Nonce::NOBODY, &state);
        (header.position, header.at) = (pin.position, pin.at);
        Encoded::new(header, &Body::default())
    }
}
