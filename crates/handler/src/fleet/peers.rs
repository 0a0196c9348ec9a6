//! The other handlers' addresses, for cancel requests that belong to them.

use std::{collections::HashMap, sync::Mutex};

use model::HandlerId;
use rpc::controller::HandlerInfo;

/// Handlers by id. At most 65,536, as their ids have 16 bits.
#[derive(Debug, Default)]
pub(crate) struct Peers(Mutex<HashMap<HandlerId, String>>);

impl Peers {
    /// Where a handler is.
    pub(crate) fn address(&self, handler: HandlerId) -> Option<String> {
        self.with(|peers| peers.get(&handler).cloned())
    }

    pub(super) fn put(&self, info: HandlerInfo) {
        self.with(|peers| peers.insert(info.handler, info.address));
    }

    fn with<T>(&self, with: impl FnOnce(&mut HashMap<HandlerId, String>) -> T) -> T {
        with(&mut self.0.lock().expect("BUG: nothing panics while holding this lock"))
    }
}
