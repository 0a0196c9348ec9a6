//! No peer makes us allocate: decoders borrow, whatever the counts and lengths in a message say.

#![allow(unsafe_code)] // A global allocator, to count with.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use wire::startup::Startup;
use wire::{Frame, backend, frontend};

struct Counting;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; the counter needs no allocation itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.set(ALLOCATED.get() + layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block came from `alloc` above, which is the system's.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocated(work: impl FnOnce()) -> usize {
    let before = ALLOCATED.get();
    work();
    ALLOCATED.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocated(|| drop(std::hint::black_box(Vec::<u8>::with_capacity(1000)))), 1000);
}

#[test]
fn decoding_allocates_nothing_for_any_tag_and_any_counts() {
    let bodies: [&[u8]; 8] = [
        b"",
        b"\0\0\xff\xff\xff\xff\xff\xff",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\0\0\0\0\xff\xff\x7f\xff\xff\xff",
        b"\0\x03\0\0\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff\x7f\xff\xff\xff",
        b"SERROR\0VERROR\0CXX000\0Mm\0P99999999999\0\0",
        b"\0\0\0\x01\0\x01\0\x02\0\0\0\x01a\xff\xff\xff\xff\0\0",
    ];
    for tag in 0..=255 {
        for body in bodies {
            let bytes = allocated(|| {
                let frame = Frame { tag, body };
                std::hint::black_box((
                    frontend::Message::decode(frame).is_ok(),
                    backend::Message::decode(frame).is_ok(),
                ));
            });
            assert_eq!(bytes, 0, "tag {tag}, body {}", body.escape_ascii());
        }
    }
}

#[test]
fn splitting_and_start_up_allocate_nothing() {
    let inputs: [&[u8]; 5] = [
        b"Q\x3f\xff\xff\xff",
        b"Q\xff\xff\xff\xff",
        b"\0\0\x27\x10\0\x03\0\0",
        b"\0\0\0\x10\0\x03\0\0user\0a\0\0",
        b"\0\0\0\x10\x04\xd2\x16\x2e\x01\x02\x03\x04\x05\x06\x07\x08",
    ];
    for input in inputs {
        let bytes = allocated(|| {
            std::hint::black_box((Frame::split(input, usize::MAX).is_ok(), Startup::split(input).is_ok()));
        });
        assert_eq!(bytes, 0, "{}", input.escape_ascii());
    }
}
