//! What the fuzz targets run. Inputs worth keeping, seeds and old failures, are in `seeds/`.
//!
//! Whatever the bytes, nothing panics, nothing wants more memory than a bound, and what is read is written back the same.

mod allocator;
mod calls;
mod handshake;

use controller::untrusted;

pub use calls::calls;
pub use handshake::handshake;

/// A frame's buffer is made as soon as its length is known, and serde reserves up to 1 MiB for a list before it has seen
/// its items.
const BYTES_MAX: usize = rpc::limits::MESSAGE_BYTES_MAX + (8 << 20);
/// Memory for each byte of an input: one that is an item of the largest kind.
const BYTES_PER_BYTE: usize = 1_024;

/// Runs a check; panics when that panics or wants too much memory.
pub fn bounded(input: &[u8], check: fn(&[u8])) {
    let wanted = allocator::peak(|| check(input));
    let most = BYTES_MAX + BYTES_PER_BYTE * input.len();
    assert!(wanted <= most, "{wanted} bytes of memory for an input of {}", input.len());
}

/// The first byte says whether it is frames or a shape inside one.
pub fn raft(input: &[u8]) {
    match input.split_first() {
        Some((0, frames)) => untrusted::peer(frames),
        Some((_, message)) => untrusted::message(message),
        None => {}
    }
    #[cfg(feature = "planted")]
    planted::raft(input);
}

/// The first byte says whether it is one entry or a history.
pub fn entries(input: &[u8]) {
    match input.split_first() {
        Some((0, history)) => untrusted::log(history),
        Some((_, entry)) => untrusted::entry(entry),
        None => {}
    }
    #[cfg(feature = "planted")]
    planted::entries(input);
}

/// The first byte says which checksums are to fit.
pub fn snapshots(input: &[u8]) {
    let Some((sums, bytes)) = input.split_first() else { return };
    match sums % 3 {
        0 => untrusted::snapshot(bytes),
        1 => untrusted::snapshot(&untrusted::sealed(bytes, true)),
        _ => untrusted::snapshot(&untrusted::sealed(&map(bytes), false)),
    }
    #[cfg(feature = "planted")]
    planted::snapshots(input);
}

/// A map with the right checksum behind it.
fn map(bytes: &[u8]) -> Vec<u8> {
    [bytes, &xxhash_rust::xxh3::xxh3_64(bytes).to_le_bytes()].concat()
}

#[cfg(feature = "planted")]
mod planted;
