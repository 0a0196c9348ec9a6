//! This handler's own place in the map: registered at the start, and again when the map comes back from a backup that
//! was made before.

use std::sync::atomic::{AtomicU16, Ordering};

use futures::FutureExt;
use model::{HandlerId, Name};
use rpc::{Controllers, controller::HandlerInfo};

use crate::Settings;

/// What this handler says of itself, and the id that it has by now.
#[derive(Debug)]
pub(crate) struct Own {
    name: Name,
    address: String,
    location: String,
    id: AtomicU16,
}

impl Own {
    /// Not registered yet.
    pub(crate) fn new(settings: &Settings) -> Self {
        let (name, address) = (settings.name.clone(), settings.address.clone());
        Self { name, address, location: settings.location.clone(), id: AtomicU16::new(0) }
    }

    /// The upper part of new cancel keys.
    pub(crate) fn id(&self) -> HandlerId {
        HandlerId(self.id.load(Ordering::Relaxed))
    }

    /// Whether it is among all handlers of a map.
    pub(super) fn is_among(&self, handlers: &[HandlerInfo]) -> bool {
        handlers.iter().any(|info| info.handler == self.id() && info.name == self.name)
    }

    /// Registers, or finds its place again by its name.
    ///
    /// # Errors
    /// As [`Controllers::leader`].
    pub(crate) async fn register(&self, controllers: &Controllers) -> Result<HandlerId, rpc::Error> {
        let registering = controllers.leader(|client, context| {
            let (name, address, location) = (self.name.clone(), self.address.clone(), self.location.clone());
            async move { client.register_handler(context, name, address, location).await }.boxed()
        });
        let handler = registering.await?.handler;
        self.id.store(handler.0, Ordering::Relaxed);
        Ok(handler)
    }
}
