//! How clocks are off: a page of memory that is shared with whoever sets it.
//!
//! Words of eight bytes: which of two settings holds (0 or 1), how often a clock was asked, and both settings of four words:
//! since when (nanoseconds of the true monotonic clock), how far monotonic clocks were ahead then, their rate in millionths
//! of the true one, how far the wall clock is off beyond that. Before its time has come the other setting holds; so a
//! setting that begins a little later than it is written leaves no gap.

use std::{
    os::fd::AsRawFd,
    sync::atomic::{
        AtomicPtr, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

/// Of a page, in words.
const WORDS: usize = 10;

static PAGE: AtomicPtr<AtomicU64> = AtomicPtr::new(std::ptr::null_mut());

/// How clocks are off at a moment.
#[derive(Clone, Copy)]
pub struct Skew {
    /// How far monotonic clocks are ahead, in nanoseconds.
    pub ahead: i128,
    /// How far the wall clock is off beyond that, in nanoseconds.
    pub wall: i128,
    /// How fast clocks run, in millionths.
    pub rate_ppm: u64,
}

impl Skew {
    /// They are right.
    pub const NONE: Self = Self { ahead: 0, wall: 0, rate_ppm: 1_000_000 };
}

/// How clocks are off at this moment of the true monotonic one; nothing where nobody sets it.
pub fn skew(now: i128) -> Option<Skew> {
    let page = PAGE.load(Acquire);
    if page.is_null() {
        return None;
    }
    // SAFETY: it was mapped for good, with so many words.
    let words = unsafe { std::slice::from_raw_parts(page, WORDS) };
    words[1].fetch_add(1, Relaxed);
    let setting = |number: u64| {
        let of = |at: usize| words[2 + 4 * (number & 1) as usize + at].load(Relaxed);
        let (since, rate_ppm) = (i128::from(of(0)), of(2).max(1));
        let ahead = i128::from(of(1) as i64) + (now - since) * (i128::from(rate_ppm) - 1_000_000) / 1_000_000;
        (since, Skew { ahead, wall: i128::from(of(3) as i64), rate_ppm })
    };
    let holds = words[0].load(Acquire);
    match setting(holds) {
        (since, skew) if since <= now => Some(skew),
        _ => Some(setting(holds ^ 1).1),
    }
}

/// When the library is loaded, before the program begins.
#[used]
#[unsafe(link_section = ".init_array")]
static BEGIN: extern "C" fn() = begin;

extern "C" fn begin() {
    let Some(path) = std::env::var_os("CLOCK_PAGE") else { return };
    let opened = std::fs::OpenOptions::new().read(true).write(true).open(path);
    // A program whose clocks cannot be set must not seem to be one whose can.
    let Ok(file) = opened else { std::process::abort() };
    if file.metadata().map_or(0, |file| file.len()) < (8 * WORDS) as u64 {
        std::process::abort();
    }
    let (read_write, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
    // SAFETY: the kernel chooses where, and the file is as long as that.
    let page =
        unsafe { libc::mmap(std::ptr::null_mut(), 8 * WORDS, read_write, shared, file.as_raw_fd(), 0) };
    if page == libc::MAP_FAILED {
        std::process::abort();
    }
    PAGE.store(page.cast(), Release);
}
