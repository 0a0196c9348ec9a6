//! What the tests share: a store in memory, and pages whose content says what they are.

use std::sync::Arc;

use bytes::Bytes;
use journal::{Group, Memory, Objects, Outcome, Patience, Recovery, Response, Store, Threads, Writer};
use model::{DatabaseId, Epoch, FleetId, Incarnation, SessionId, TimestampMs};

pub const FLEET: FleetId = FleetId(0xf1ee7);
pub const SHOP: DatabaseId = DatabaseId(0x1234);
pub const PAGE: usize = 512;
pub const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

/// The store as one process sees it.
pub fn process(objects: &Arc<impl Objects>, number: u64) -> Store {
    let objects: Arc<dyn Objects> = objects.clone();
    Store::with(objects, FLEET, Incarnation(number), Patience::default(), Threads::Inline)
}

pub fn memory() -> (Arc<Memory>, Store) {
    let objects = Arc::new(Memory::default());
    let store = process(&objects, 1);
    (objects, store)
}

pub async fn open(store: &Store, epoch: u64) -> (Writer, Recovery) {
    store.open(SHOP, Epoch(epoch), NOW).await.expect("the log opens")
}

/// A page full of `fill`.
pub fn page(fill: u8) -> Bytes {
    vec![fill; PAGE].into()
}

/// One transaction that writes these pages of an image of `image_pages`.
pub fn group(image_pages: u32, pages: &[(u32, u8)]) -> Group {
    Group {
        page_size: PAGE as u32,
        image_pages,
        pages: pages.iter().map(|(number, fill)| (*number, page(*fill))).collect(),
        transactions: 1,
        outcomes: Vec::new(),
        at: NOW,
    }
}

pub fn outcome(session: u128, number: u64, response: &'static [u8]) -> Outcome {
    Outcome { session: SessionId(session), number, response: Response::new(Bytes::from_static(response)) }
}

/// The first byte of each page of an image.
pub fn fills(image: &[u8]) -> Vec<u8> {
    image.chunks(PAGE).map(|page| page[0]).collect()
}
