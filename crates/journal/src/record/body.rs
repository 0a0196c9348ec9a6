//! The body of a record: page numbers, outcomes, pages; of a base record, where its parent's log was left.

use bytes::{Buf, BufMut, Bytes};

use model::DatabaseId;

use super::{Header, Kind};
use crate::{Outcome, Position, RecordHash, damage::Damage, limits::OUTCOMES_PER_RECORD};

/// The parent of a copy: the copy's image begins as the parent's at this position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// The parent.
    pub database: DatabaseId,
    /// Where its log was left.
    pub position: Position,
    /// Hash of the parent's record there.
    pub hash: RecordHash,
}

/// What goes into a record's body.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Body<'a> {
    pub(crate) outcomes: &'a [Outcome],
    pub(crate) pages: &'a [(u32, Bytes)],
    /// Only of a base record, which has nothing else.
    pub(crate) base: Option<Base>,
}

impl Body<'_> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let content: usize = self.pages.iter().map(|(_, page)| page.len()).sum();
        let mut raw = Vec::with_capacity(content + self.pages.len() * 4 + self.outcomes.len() * 64);
        for (number, _) in self.pages {
            raw.put_u32_le(*number);
        }
        for outcome in self.outcomes {
            outcome.encode(&mut raw);
        }
        for (_, page) in self.pages {
            raw.put_slice(page);
        }
        if let Some(base) = self.base {
            raw.put_u64_le(base.database.0);
            raw.put_u64_le(base.position.get());
            raw.put_u128_le(base.hash.0);
        }
        raw
    }
}

/// What [`decode`] finds.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) pages: Vec<(u32, Bytes)>,
    pub(super) base: Option<Base>,
}

/// Takes the body of a record of `header` apart, strictly.
pub(super) fn decode(header: &Header, raw: Bytes) -> Result<Found, Damage> {
    match header.kind {
        Kind::Data => data(header, raw),
        Kind::Base => Ok(Found { base: Some(base(raw)?), ..Found::default() }),
        Kind::Fence | Kind::Seal | Kind::Drop if raw.is_empty() => Ok(Found::default()),
        Kind::Fence | Kind::Seal | Kind::Drop => {
            Err(Damage::Nonsense("it has a body, and its kind has none"))
        }
        Kind::Snapshot | Kind::Tombstone | Kind::Pin => Err(Damage::Nonsense("it is not a record of a log")),
    }
}

fn data(header: &Header, mut raw: Bytes) -> Result<Found, Damage> {
    let numbers = page_numbers(header, &mut raw)?;
    let outcomes = outcomes(header, &mut raw)?;
    if raw.len() as u64 != numbers.len() as u64 * u64::from(header.page_size) {
        return Err(Damage::Nonsense("its body has not the pages that its header says"));
    }
    let pages = numbers.into_iter().map(|n| (n, raw.split_to(header.page_size as usize))).collect();
    Ok(Found { outcomes, pages, base: None })
}

fn base(mut raw: Bytes) -> Result<Base, Damage> {
    if raw.len() != 32 {
        return Err(Damage::Nonsense("its parent is malformed"));
    }
    let database = DatabaseId(raw.get_u64_le());
    let position =
        Position::new(raw.get_u64_le()).ok_or(Damage::Nonsense("its parent's position is past any log"))?;
    Ok(Base { database, position, hash: RecordHash(raw.get_u128_le()) })
}

fn page_numbers(header: &Header, raw: &mut Bytes) -> Result<Vec<u32>, Damage> {
    if header.page_count as usize > raw.len() / 4 {
        return Err(Damage::Nonsense("its body is shorter than its page numbers"));
    }
    let mut numbers = raw.split_to(header.page_count as usize * 4);
    let numbers: Vec<u32> = (0..header.page_count).map(|_| numbers.get_u32_le()).collect();
    let rising = numbers.is_sorted_by(|a, b| a < b);
    let inside = numbers.first() != Some(&0) && numbers.last().is_none_or(|last| *last <= header.image_pages);
    if rising && inside {
        Ok(numbers)
    } else {
        Err(Damage::Nonsense("its page numbers do not rise within the image"))
    }
}

fn outcomes(header: &Header, raw: &mut Bytes) -> Result<Vec<Outcome>, Damage> {
    if header.outcome_count as usize > OUTCOMES_PER_RECORD {
        return Err(Damage::Nonsense("it has more outcomes than any record"));
    }
    (0..header.outcome_count)
        .map(|_| Outcome::decode(raw))
        .collect::<Result<_, _>>()
        .map_err(|_| Damage::Nonsense("its outcomes are malformed"))
}
