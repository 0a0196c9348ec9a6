//! The functions whose place is taken.

use std::{
    ffi::{CStr, c_char, c_int, c_long, c_void},
    sync::atomic::{AtomicPtr, Ordering::Relaxed},
};

use libc::{clockid_t, epoll_event, nfds_t, pollfd, sigset_t, timespec};

/// The next definition of a function after ours.
fn next(name: &CStr, known: &AtomicPtr<c_void>) -> *mut c_void {
    let found = known.load(Relaxed);
    if !found.is_null() {
        return found;
    }
    // SAFETY: the name ends with a zero.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    if found.is_null() {
        // Nothing can be done without it, and unwinding into C is not allowed.
        std::process::abort();
    }
    known.store(found, Relaxed);
    found
}

macro_rules! real {
    ($($name:ident: fn($($of:ty),*) -> $result:ty;)*) => {$(
        pub fn $name() -> unsafe extern "C" fn($($of),*) -> $result {
            static KNOWN: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
            const NAME: &CStr = match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => c"",
            };
            // SAFETY: the C library defines it so.
            unsafe { std::mem::transmute(next(NAME, &KNOWN)) }
        }
    )*};
}

real! {
    clock_gettime: fn(clockid_t, *mut timespec) -> c_int;
    nanosleep: fn(*const timespec, *mut timespec) -> c_int;
    clock_nanosleep: fn(clockid_t, c_int, *const timespec, *mut timespec) -> c_int;
    epoll_wait: fn(c_int, *mut epoll_event, c_int, c_int) -> c_int;
    epoll_pwait: fn(c_int, *mut epoll_event, c_int, c_int, *const sigset_t) -> c_int;
    poll: fn(*mut pollfd, nfds_t, c_int) -> c_int;
    ppoll: fn(*mut pollfd, nfds_t, *const timespec, *const sigset_t) -> c_int;
    syscall: fn(c_long, *const c_void, c_long, c_long, *const c_char, c_long, c_long) -> c_long;
}
