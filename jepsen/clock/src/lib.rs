//! A process's clocks, answered for by somebody else: `LD_PRELOAD=libclock.so CLOCK_PAGE=FILE PROGRAM`.
//!
//! Takes the place of the C library's functions that tell the time or wait for it. How far clocks are off stands in the
//! file, which is shared memory: whoever writes it (`nemesis/clock.rs`, beside this) changes them while the program runs.
//! Without the file all is as it is without this library. Monotonic clocks never go back, whatever is set, and the time of
//! processors is never touched.
//!
//! Not seen: calls that go round the C library, and `pthread_cond_timedwait`, which nothing in Rust uses on Linux.

#![allow(unsafe_code, reason = "it takes the place of functions of the C library")]
#![allow(clippy::missing_safety_doc, reason = "each has the rules of the function whose place it takes")]

mod page;
mod real;

use std::ffi::{c_char, c_int, c_long, c_void};

use libc::{clockid_t, epoll_event, nfds_t, pollfd, sigset_t, time_t, timespec, timeval};

use page::{Skew, skew};

const NANOS: i128 = 1_000_000_000;

/// What a clock shows now; an error is left to the caller, as the C library left it.
fn now(clock: clockid_t) -> Result<i128, c_int> {
    let mut at = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of our own.
    match unsafe { real::clock_gettime()(clock, &mut at) } {
        0 => Ok(i128::from(at.tv_sec) * NANOS + i128::from(at.tv_nsec)),
        code => Err(code),
    }
}

fn parts(at: i128) -> timespec {
    timespec { tv_sec: at.div_euclid(NANOS) as time_t, tv_nsec: at.rem_euclid(NANOS) as c_long }
}

/// What the program is to see on a clock.
fn seen(clock: clockid_t) -> Result<i128, c_int> {
    let real = now(clock)?;
    let Some(skew) = skew(now(libc::CLOCK_MONOTONIC)?) else { return Ok(real) };
    Ok(match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_TAI => real + skew.ahead + skew.wall,
        libc::CLOCK_MONOTONIC
        | libc::CLOCK_MONOTONIC_COARSE
        | libc::CLOCK_MONOTONIC_RAW
        | libc::CLOCK_BOOTTIME => real + skew.ahead,
        _ => real,
    })
}

/// How it is now; at the right time and rate where nothing is set.
fn skewed() -> Skew {
    now(libc::CLOCK_MONOTONIC).ok().and_then(skew).unwrap_or(Skew::NONE)
}

/// So long a wait by the program's clock, by the true one.
fn shorter(wait: i128) -> i128 {
    let rate = i128::from(skewed().rate_ppm);
    (wait * 1_000_000 + rate - 1) / rate
}

/// The same in milliseconds; what is to wait waits at least for one, and what is not to end does not.
fn shorter_ms(wait: c_int) -> c_int {
    if wait > 0 { c_int::try_from(shorter(i128::from(wait))).unwrap_or(c_int::MAX) } else { wait }
}

/// The wait that a pointer names, by the true clock. None at a null pointer.
///
/// # Safety
/// The pointer is null or to a timespec.
unsafe fn wait_at(wait: *const timespec) -> Option<timespec> {
    // SAFETY: as above.
    let wait = unsafe { wait.as_ref() }?;
    Some(parts(shorter(i128::from(wait.tv_sec) * NANOS + i128::from(wait.tv_nsec))))
}

/// The moment of a clock that a pointer names, on the true one. None at a null pointer.
///
/// # Safety
/// The pointer is null or to a timespec.
unsafe fn moment_at(clock: clockid_t, moment: *const timespec) -> Option<timespec> {
    // SAFETY: as above.
    let moment = unsafe { moment.as_ref() }?;
    let moment = i128::from(moment.tv_sec) * NANOS + i128::from(moment.tv_nsec);
    let (Ok(real), Ok(seen)) = (now(clock), seen(clock)) else { return Some(parts(moment)) };
    Some(parts((real + shorter(moment - seen)).max(0)))
}

/// What is left of a wait that was interrupted, by the program's clock.
///
/// # Safety
/// The pointer is null or to a timespec.
unsafe fn lengthen(left: *mut timespec) {
    // SAFETY: as above.
    if let Some(left) = unsafe { left.as_mut() } {
        let true_left = i128::from(left.tv_sec) * NANOS + i128::from(left.tv_nsec);
        *left = parts(true_left * i128::from(skewed().rate_ppm) / 1_000_000);
    }
}

fn pointer<T>(to: &Option<T>) -> *const T {
    to.as_ref().map_or(std::ptr::null(), |to| to)
}

// SAFETY of all that follow: they pass on what the program gave them, under the rules of the functions whose place they
// take, with other times.

/// See clock_gettime(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: clockid_t, at: *mut timespec) -> c_int {
    match seen(clock) {
        Ok(seen) => {
            unsafe { *at = parts(seen) };
            0
        }
        Err(code) => code,
    }
}

/// See gettimeofday(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gettimeofday(at: *mut timeval, _zone: *mut c_void) -> c_int {
    match seen(libc::CLOCK_REALTIME) {
        Ok(seen) => {
            let timespec { tv_sec, tv_nsec } = parts(seen);
            unsafe { *at = timeval { tv_sec, tv_usec: tv_nsec / 1_000 } };
            0
        }
        Err(code) => code,
    }
}

/// See time(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn time(at: *mut time_t) -> time_t {
    let seen = seen(libc::CLOCK_REALTIME).map_or(-1, |seen| parts(seen).tv_sec);
    if !at.is_null() {
        unsafe { *at = seen };
    }
    seen
}

/// See nanosleep(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nanosleep(wait: *const timespec, left: *mut timespec) -> c_int {
    let wait = unsafe { wait_at(wait) };
    let code = unsafe { real::nanosleep()(pointer(&wait), left) };
    if code != 0 {
        unsafe { lengthen(left) };
    }
    code
}

/// See clock_nanosleep(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_nanosleep(
    clock: clockid_t,
    flags: c_int,
    wait: *const timespec,
    left: *mut timespec,
) -> c_int {
    let until = flags & libc::TIMER_ABSTIME != 0;
    let wait = unsafe { if until { moment_at(clock, wait) } else { wait_at(wait) } };
    let code = unsafe { real::clock_nanosleep()(clock, flags, pointer(&wait), left) };
    if code == libc::EINTR && !until {
        unsafe { lengthen(left) };
    }
    code
}

/// See epoll_wait(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn epoll_wait(of: c_int, events: *mut epoll_event, max: c_int, wait: c_int) -> c_int {
    unsafe { real::epoll_wait()(of, events, max, shorter_ms(wait)) }
}

/// See epoll_pwait(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn epoll_pwait(
    of: c_int,
    events: *mut epoll_event,
    max: c_int,
    wait: c_int,
    mask: *const sigset_t,
) -> c_int {
    unsafe { real::epoll_pwait()(of, events, max, shorter_ms(wait), mask) }
}

/// See poll(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn poll(of: *mut pollfd, count: nfds_t, wait: c_int) -> c_int {
    unsafe { real::poll()(of, count, shorter_ms(wait)) }
}

/// See ppoll(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ppoll(
    of: *mut pollfd,
    count: nfds_t,
    wait: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    let wait = unsafe { wait_at(wait) };
    unsafe { real::ppoll()(of, count, pointer(&wait), mask) }
}

/// See syscall(2): of all calls only those that wait for a futex, as threads of Rust do.
///
/// The real one takes any number of arguments, which a library in Rust cannot define; on Linux the first of them come in
/// the same places.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syscall(
    number: c_long,
    a: *const c_void,
    b: c_long,
    c: c_long,
    d: *const c_char,
    e: c_long,
    f: c_long,
) -> c_long {
    let real = real::syscall();
    if number != libc::SYS_futex || d.is_null() {
        return unsafe { real(number, a, b, c, d, e, f) };
    }
    let moment = d.cast::<timespec>();
    let kind = b as c_int & libc::FUTEX_CMD_MASK;
    let wait = match kind {
        libc::FUTEX_WAIT => unsafe { wait_at(moment) },
        libc::FUTEX_WAIT_BITSET if b as c_int & libc::FUTEX_CLOCK_REALTIME != 0 => unsafe {
            moment_at(libc::CLOCK_REALTIME, moment)
        },
        libc::FUTEX_WAIT_BITSET => unsafe { moment_at(libc::CLOCK_MONOTONIC, moment) },
        // There it is no time.
        _ => return unsafe { real(number, a, b, c, d, e, f) },
    };
    unsafe { real(number, a, b, c, pointer(&wait).cast(), e, f) }
}
