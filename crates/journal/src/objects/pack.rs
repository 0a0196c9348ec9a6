//! A pack: one file with the records of a fixed range of a log's positions, each put if absent by one append.
//!
//! Which pack a position belongs to is a matter of counting, so rivals who never heard of each other use the same file.
//! Each appends its record by one `write` with `O_APPEND`, which the kernel does whole and in some order; the order
//! decides (see [`index`]). Then the writer reads what came before its own, syncs the file once, and knows.
//! Nobody ever waits for anybody: a writer that is stopped anywhere leaves nothing locked behind.
//!
//! A write that was cut short (no room, no power) leaves bytes that are no frame; they are passed over, never cut off.
//! That is why a writer that is told that a record is durable says so in the file: what is durable and unreadable
//! is damage, and is shown as such.

mod frame;
mod index;
#[cfg(test)]
pub(super) mod tests;

use std::{
    collections::HashMap,
    io,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;

use self::{
    frame::{FILE_HEADER, FRAME_HEADER, Frame, Kind, Magic, Place, encode_positions},
    index::{Index, Slot},
};
use super::{Appended, Created, Disk, Listed, clip};
use crate::{Position, names::Name};

/// Positions of one pack. In all files for ever; in this module's tests few, so that packs come and go.
pub(super) const POSITIONS: u64 = if cfg!(test) { 4 } else { 256 };
/// Packs whose content is known; past this many all are forgotten, and those in use are looked through again.
const KNOWN_MAX: usize = 4096;
/// How often a write that was done in part is repeated.
const APPEND_ATTEMPTS: u32 = 3;
/// Bytes read at once when a file is looked through.
const WINDOW: usize = 64 << 10;
/// Room of a deleted record that is worth giving back before its whole pack can go.
const PUNCH_MIN: u32 = 4 << 10;

/// What this process knows of packs. Their files are open only while something is done with them.
#[derive(Debug, Default)]
pub(super) struct Packs {
    known: Mutex<HashMap<String, Arc<Known>>>,
}

/// What is known of one file, told by its magic from any other that had its name.
#[derive(Debug)]
struct Known {
    magic: Magic,
    index: Mutex<Index>,
    /// Its name is known to survive a power cut.
    named_durably: AtomicBool,
}

/// One pack, open. See the module.
#[derive(Debug)]
pub(super) struct Pack {
    path: String,
    first: u64,
    file: Box<dyn Appended>,
    /// Nothing: the file's beginning is damaged, and with it all its records.
    known: Option<Arc<Known>>,
}

/// What came of a [`Pack::put`].
pub(super) struct Put {
    pub(super) created: Created,
    place: Place,
}

/// What came of a [`Pack::delete`].
pub(super) struct Deleted {
    /// What stood there, and does no more.
    pub(super) there: Vec<Position>,
    /// Nothing stands in the pack any more.
    pub(super) empty: bool,
}

/// The name of the file with a position.
pub(super) fn file_name(first: u64) -> String {
    format!("pack-{first:016x}")
}

/// The first position of the pack with this position.
pub(super) fn first_of(position: Position) -> u64 {
    position.get() / POSITIONS * POSITIONS
}

/// The first position of the pack with this name, if it is one.
pub(super) fn parse(file_name: &str) -> Option<u64> {
    let digits = file_name.strip_prefix("pack-").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok().filter(|first| first % POSITIONS == 0)
}

/// What a new pack's file begins with.
pub(super) fn beginning() -> Vec<u8> {
    Magic::random().file_header()
}

impl Packs {
    /// Opens a pack, if it is there.
    pub(super) fn open(&self, disk: &dyn Disk, folder: &str, first: u64) -> io::Result<Option<Pack>> {
        let path = format!("{folder}/{}", file_name(first));
        let file = match disk.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let magic = Magic::of_file(&file.read_at(0..FILE_HEADER as u64)?);
        let known = magic.map(|magic| self.know(&path, first, magic));
        Ok(Some(Pack { path, first, file, known }))
    }

    fn know(&self, path: &str, first: u64, magic: Magic) -> Arc<Known> {
        let mut all = self.known();
        if let Some(known) = all.get(path).filter(|known| known.magic == magic) {
            return Arc::clone(known);
        }
        if all.len() >= KNOWN_MAX {
            all.clear();
        }
        let index = Mutex::new(Index::new(first, FILE_HEADER as u64));
        let known = Arc::new(Known { magic, index, named_durably: AtomicBool::new(false) });
        all.insert(path.into(), Arc::clone(&known));
        known
    }

    /// Removes the file of a pack in which nothing stands any more.
    pub(super) fn remove(&self, disk: &dyn Disk, pack: &Pack) -> io::Result<()> {
        self.known().remove(&pack.path);
        disk.remove(&pack.path)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Arc<Known>>> {
        self.known.lock().expect("BUG: a holder panicked")
    }
}

impl Pack {
    /// Appends an object unless its position is taken. Not durable yet, either way: [`Pack::sync`] comes next.
    pub(super) fn put(&self, position: Position, parts: &[Bytes]) -> io::Result<Put> {
        let position = position.get();
        let taken = |place| Put { created: Created::Taken, place };
        let Some(known) = &self.known else { return Ok(taken(Place { offset: 0, len: 0 })) };
        let (magic, mut index) = (known.magic, known.index());
        self.look(known, &mut index)?;
        if let Some(Slot { place, .. }) = index.get(position) {
            return Ok(taken(place));
        }
        let token = rand::random();
        let frame = Frame::encode(Kind::Object, magic, position, token, parts);
        self.append(&frame)?;
        if self.file.size()? == index.seen + frame.len() as u64 {
            let header = Frame::decode(&frame, magic).expect("BUG: encoded above");
            let offset = index.seen;
            index.apply(offset, &header, &frame[FRAME_HEADER..]);
        } else {
            self.look(known, &mut index)?;
        }
        let Some(Slot { place, token: winner }) = index.get(position) else {
            return Err(io::Error::other("what was appended is not there, or was deleted at once"));
        };
        let created = if winner == Some(token) { Created::Made } else { Created::Taken };
        Ok(Put { created, place })
    }

    /// Notes that the object at a position is durable.
    pub(super) fn settle(&self, position: Position, put: &Put) -> io::Result<()> {
        let Some(known) = &self.known else { return Ok(()) };
        let body = put.place.encode();
        self.append(&Frame::encode(Kind::Settled, known.magic, position.get(), rand::random(), &[body]))
    }

    /// The object at a position, or the bytes of it in `range` that exist.
    pub(super) fn read(&self, position: Position, range: Option<Range<u64>>) -> io::Result<Option<Bytes>> {
        let Some(known) = &self.known else {
            // No record at all; whoever decodes it says so.
            return self.file.read_at(0..FILE_HEADER as u64).map(Some);
        };
        loop {
            let Some(slot) = self.slot(known, position)? else { return Ok(None) };
            let Place { offset, len } = slot.place;
            let part = clip(range.clone(), len.into());
            let bytes = self.file.read_at(offset + part.start..offset + part.end)?;
            // Deleted meanwhile, its room may have been given back.
            if self.slot(known, position)? == Some(slot) {
                return Ok(Some(bytes));
            }
        }
    }

    fn slot(&self, known: &Known, position: Position) -> io::Result<Option<Slot>> {
        let mut index = known.index();
        self.look(known, &mut index)?;
        Ok(index.get(position.get()))
    }

    /// Everything that stands in it, by position. [`Pack::sync`] makes it durable.
    pub(super) fn list(&self) -> io::Result<Vec<Listed>> {
        let listed = |(position, size): (u64, u64)| {
            Position::new(position).map(|at| Listed { name: Name::Record(at).text(), size })
        };
        let Some(known) = &self.known else {
            let size = self.file.size()?;
            let positions = self.first.max(1)..self.first + POSITIONS;
            return Ok(positions.filter_map(|position| listed((position, size))).collect());
        };
        let mut index = known.index();
        // From the beginning: the file may have been put back from a copy.
        *index = Index::new(self.first, FILE_HEADER as u64);
        self.look(known, &mut index)?;
        let objects = index.all().map(|(position, slot)| (position, u64::from(slot.place.len)));
        Ok(objects.filter_map(listed).collect())
    }

    /// Deletes what stands at these positions.
    pub(super) fn delete(&self, positions: &[Position]) -> io::Result<Deleted> {
        let Some(known) = &self.known else {
            let empty = positions.len() as u64 >= POSITIONS - 1;
            return Ok(Deleted { there: Vec::new(), empty });
        };
        let mut index = known.index();
        self.look(known, &mut index)?;
        let there = |at: &Position| index.get(at.get()).map(|slot| (*at, slot));
        let (there, slots): (Vec<_>, Vec<_>) = positions.iter().filter_map(there).unzip();
        if !there.is_empty() {
            let body = encode_positions(&there);
            self.append(&Frame::encode(Kind::Deleted, known.magic, 0, rand::random(), &[body]))?;
            self.look(known, &mut index)?;
        }
        let empty = index.all().next().is_none();
        if !empty && index.closed {
            self.give_back(&slots)?;
        }
        Ok(Deleted { there, empty })
    }

    /// Gives back the room of what was deleted from a pack that stays, perhaps for long.
    fn give_back(&self, slots: &[Slot]) -> io::Result<()> {
        let large: Vec<_> = slots.iter().filter(|slot| slot.place.len >= PUNCH_MIN).collect();
        if !large.is_empty() {
            // That it was deleted must not be forgotten while its bytes are.
            self.file.sync()?;
        }
        large.iter().try_for_each(|slot| {
            self.file.punch(slot.place.offset..slot.place.offset + u64::from(slot.place.len))
        })
    }

    /// Makes everything in the file durable, whoever wrote it.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    /// Whether the file is still found under its name.
    pub(super) fn is_named(&self) -> io::Result<bool> {
        self.file.is_named()
    }

    /// Whether its name is known to survive a power cut.
    pub(super) fn is_named_durably(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.named_durably.load(Ordering::Relaxed))
    }

    pub(super) fn mark_named_durably(&self) {
        self.known.iter().for_each(|known| known.named_durably.store(true, Ordering::Relaxed));
    }

    /// One write. What was written in part is no frame: all of it again, until the disk says what is the matter.
    fn append(&self, frame: &[u8]) -> io::Result<()> {
        for _ in 0..APPEND_ATTEMPTS {
            if self.file.append(frame)? == frame.len() {
                return Ok(());
            }
        }
        Err(io::Error::other("it is written in part, again and again"))
    }

    /// Takes in what was appended since the last look.
    fn look(&self, known: &Known, index: &mut Index) -> io::Result<()> {
        let (magic, len) = (known.magic, self.file.size()?);
        if len < index.seen {
            *index = Index::new(self.first, FILE_HEADER as u64);
        }
        let mut view = View { file: &*self.file, magic, len, start: 0, bytes: Bytes::new() };
        while index.seen < view.len {
            let mut at = index.seen;
            let found = loop {
                match view.frame(at)? {
                    Some(found) => break Some(found),
                    None => match view.find(at + 1)? {
                        Some(next) => at = next,
                        None => break None,
                    },
                }
            };
            let Some((frame, body)) = found else { break };
            index.apply(at, &frame, &body);
        }
        Ok(())
    }
}

impl Known {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().expect("BUG: a holder panicked")
    }
}

/// A file being looked through: as long as it was when the look began.
struct View<'a> {
    file: &'a dyn Appended,
    magic: Magic,
    len: u64,
    start: u64,
    bytes: Bytes,
}

impl View<'_> {
    /// The whole frame at an offset, if one is there.
    fn frame(&mut self, at: u64) -> io::Result<Option<(Frame, Bytes)>> {
        let header = self.read(at, FRAME_HEADER as u64)?;
        let Some(frame) = Frame::decode(&header, self.magic) else { return Ok(None) };
        if at + frame.len() > self.len {
            return Ok(None);
        }
        let body = self.read(at + FRAME_HEADER as u64, frame.body_len.into())?;
        Ok(frame.has(&body).then_some((frame, body)))
    }

    /// Where from an offset on the magic next stands.
    fn find(&mut self, mut from: u64) -> io::Result<Option<u64>> {
        while from + FRAME_HEADER as u64 <= self.len {
            let bytes = self.read(from, (WINDOW as u64).min(self.len - from))?;
            if let Some(at) = self.magic.find(&bytes) {
                return Ok(Some(from + at as u64));
            }
            from += (bytes.len().saturating_sub(FRAME_HEADER)).max(1) as u64;
        }
        Ok(None)
    }

    /// The bytes there, as far as the file goes.
    fn read(&mut self, offset: u64, len: u64) -> io::Result<Bytes> {
        let end = (offset + len).min(self.len);
        let have = self.start..self.start + self.bytes.len() as u64;
        if !(have.contains(&offset) && end <= have.end) {
            self.start = offset;
            self.bytes = self.file.read_at(offset..end.max((offset + WINDOW as u64).min(self.len)))?;
        }
        let from = (offset - self.start) as usize;
        let to = ((end - self.start) as usize).min(self.bytes.len());
        Ok(self.bytes.slice(from.min(to)..to))
    }
}
