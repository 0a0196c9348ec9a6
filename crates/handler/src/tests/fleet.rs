//! A fleet for one test: a controller, servers, handlers.

use std::{future::Future, sync::Arc, time::Duration};

use model::{Name, TimestampMs};
use rpc::{Host, Listen, Readiness, Secret, Service, controller::ControllerApi};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use wire::scram::Verifier;

use super::{
    controller::Fake,
    net::{Listener, Net},
    server::Server,
};
use crate::Settings;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything in one place.
pub(crate) struct Fleet {
    pub(crate) net: Net,
    pub(crate) controller: Fake,
    pub(crate) servers: Vec<Server>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) handlers: Vec<JoinHandle<Result<(), crate::Error>>>,
}

impl Fleet {
    /// One handler at `h1:1`, so many servers, the user `ann` with password `secret`, the database `shop`.
    pub(crate) async fn start(servers: u32) -> Self {
        Self::start_with(servers, |settings| settings).await
    }

    pub(crate) async fn start_with(servers: u32, adjust: impl Fn(Settings) -> Settings) -> Self {
        let net = Net::default();
        let controller = Fake::new();
        controller.with(|table| {
            let verifier = Verifier::new("secret", &[1; 16], 4).expect("in bounds").to_string();
            table.put_user("ann", Some(&verifier));
            table.create("shop");
            table.servers = (1..=servers).map(|number| (number, format!("s{number}:1"))).collect();
        });
        serve_controller(controller.clone(), net.listen("c1:1"));
        let secret = || Secret::new([7; 32]);
        let start = |number: u32| {
            Server::start(number, secret(), controller.clone(), net.listen(&format!("s{number}:1")))
        };
        let servers = (1..=servers).map(start).collect();
        let mut fleet =
            Self { net, controller, servers, shutdown: CancellationToken::new(), handlers: Vec::new() };
        fleet.add_handler(adjust).await;
        fleet
    }

    /// One more handler, at `h2:1` and so on.
    pub(crate) async fn add_handler(&mut self, adjust: impl Fn(Settings) -> Settings) {
        let number = self.handlers.len() + 1;
        let address = format!("h{number}:1");
        let name = Name::new(&format!("h{number}")).expect("a name");
        let settings = adjust(Settings::new(name, address.clone(), vec!["c1:1".into()]));
        let (ready, mut is_ready) = watch::channel(Readiness::NotReady("not started".into()));
        let host = Host {
            dial: Arc::new(self.net.clone()),
            secret: Secret::new([7; 32]),
            clock: || TimestampMs(0),
            shutdown: self.shutdown.clone(),
            ready,
        };
        let listener = self.net.listen(&address);
        self.handlers.push(tokio::spawn(crate::run(settings, host, listener)));
        is_ready
            .wait_for(|ready| *ready == Readiness::Ready)
            .within("the handler is ready")
            .await
            .expect("alive");
    }

    /// The server goes without a word, and nobody listens where it was.
    pub(crate) fn kill(&self, number: u32) {
        self.net.close(&format!("s{number}:1"));
        self.controller.with(|table| table.servers.remove(&number));
        self.servers[number as usize - 1].say(super::server::Say::Break);
    }
}

fn serve_controller(controller: Fake, mut listener: Listener) {
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let controller = controller.clone();
            tokio::spawn(async move {
                let secret = Secret::new([7; 32]);
                if rpc::accept(&mut stream, &secret, &[Service::Controller]).await.is_ok() {
                    rpc::serve!(stream, controller.serve());
                }
            });
        }
    });
}

/// Waiting with an end.
pub(crate) trait Until: Future + Sized {
    /// Fails the test when it takes too long.
    async fn within(self, what: &str) -> Self::Output {
        match tokio::time::timeout(PATIENCE, self).await {
            Ok(output) => output,
            Err(_) => panic!("not within {PATIENCE:?}: {what}"),
        }
    }
}

impl<F: Future> Until for F {}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    }
    .within(what)
    .await;
}
