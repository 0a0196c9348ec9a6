//! Cancel keys: which session a CancelRequest means, and whether its sender may.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use wire::startup::CancelKey;

use crate::engine::{InterruptHandle, InterruptReason};

/// Bytes of a secret from protocol 3.2 on; older clients can hold only the first four.
pub const SECRET_BYTES: usize = 32;
const SECRET_BYTES_OLD: usize = 4;

/// All sessions that can be cancelled. Cheap to clone.
#[derive(Clone, Default)]
pub struct Cancels(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    last: u32,
    sessions: BTreeMap<u32, Entry>,
}

struct Entry {
    secret: [u8; SECRET_BYTES],
    secret_len: usize,
    interrupt: Option<InterruptHandle>,
}

/// A session's key. Void once dropped.
pub struct Key {
    cancels: Cancels,
    process_id: u32,
    secret: [u8; SECRET_BYTES],
    secret_len: usize,
}

impl Cancels {
    /// A key for a session that speaks this minor protocol version. Cancels nothing before [`Key::arm`].
    pub fn register(&self, minor: u16, secret: [u8; SECRET_BYTES]) -> Key {
        let secret_len = if minor >= 2 { SECRET_BYTES } else { SECRET_BYTES_OLD };
        let mut table = self.lock();
        let process_id = table.free_id();
        table.sessions.insert(process_id, Entry { secret, secret_len, interrupt: None });
        Key { cancels: self.clone(), process_id, secret, secret_len }
    }

    /// Interrupts what the key's session is running. Whether it was the right key.
    pub fn cancel(&self, key: CancelKey<'_>) -> bool {
        let table = self.lock();
        let Some(entry) = table.sessions.get(&key.process_id) else { return false };
        let right = same(&entry.secret[..entry.secret_len], key.secret);
        if let (true, Some(interrupt)) = (right, &entry.interrupt) {
            interrupt.interrupt(InterruptReason::User);
        }
        right
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// The next number that is not in use: positive in 32 signed bits, which is how clients print it.
    fn free_id(&mut self) -> u32 {
        loop {
            self.last = if self.last >= i32::MAX as u32 { 1 } else { self.last + 1 };
            if !self.sessions.contains_key(&self.last) {
                return self.last;
            }
        }
    }
}

impl Key {
    /// From now on the key cancels what this handle interrupts.
    pub fn arm(&self, interrupt: InterruptHandle) {
        if let Some(entry) = self.cancels.lock().sessions.get_mut(&self.process_id) {
            entry.interrupt = Some(interrupt);
        }
    }

    /// As BackendKeyData shows it.
    pub fn wire(&self) -> CancelKey<'_> {
        CancelKey { process_id: self.process_id, secret: &self.secret[..self.secret_len] }
    }

    /// As `pg_backend_pid()` shows it.
    pub fn process_id(&self) -> i32 {
        i32::try_from(self.process_id).expect("BUG: ids fit 31 bits")
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.cancels.lock().sessions.remove(&self.process_id);
    }
}

/// Compares without telling by its time where the first difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_secret_cancels() {
        let cancels = Cancels::default();
        let key = cancels.register(0, [7; SECRET_BYTES]);
        let interrupt = InterruptHandle::default();
        key.arm(interrupt.clone());
        interrupt.request_started();
        let wrong = CancelKey { process_id: key.wire().process_id, secret: &[7, 7, 7, 8] };
        assert!(!cancels.cancel(wrong));
        assert!(!cancels.cancel(CancelKey { process_id: 99, secret: &[7; 4] }));
        assert_eq!(interrupt.pending(), None);
        assert!(cancels.cancel(key.wire()));
        assert_eq!(interrupt.pending(), Some(InterruptReason::User));
    }

    #[test]
    fn a_key_is_void_after_its_session() {
        let cancels = Cancels::default();
        let key = cancels.register(2, [1; SECRET_BYTES]);
        assert_eq!(key.wire().secret.len(), SECRET_BYTES);
        let id = key.wire().process_id;
        drop(key);
        assert!(!cancels.cancel(CancelKey { process_id: id, secret: &[1; SECRET_BYTES] }));
    }
}
