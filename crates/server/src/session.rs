//! One connection to the data port: start-up, then a session, or a cancel request.

mod attach;
mod herald;
mod input;
mod outbox;
mod pump;
mod roster;
mod seat;
pub mod startup;

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use bytes::BytesMut;
use directive::postgres::{self, Announcement};
use rpc::ByteStream;
use tokio::{io::AsyncWriteExt, sync::OwnedSemaphorePermit, time::timeout};
use tracing::Instrument;
use wire::backend;

use self::{
    input::Input,
    pump::{End, Pump},
    seat::{Inside, Seat},
    startup::{Asked, Logins, Opened},
};
use crate::{
    answers::Ending,
    cancel::{Cancels, Key},
    directory::Directory,
    engine::SessionStart,
    environment::Environment,
    limits::{GOODBYE_MAX, STARTUP_TIMEOUT},
    measures,
    protection::Admission,
    residency::{Residents, Visit},
    vitals::Vitals,
    workers::Workers,
};

use self::roster::Place;
pub use self::{herald::Herald, roster::Roster};

/// What all connections to the data port share.
pub struct Front {
    /// The databases, once this server is registered.
    pub residents: OnceLock<Residents>,
    /// Where engines run.
    pub workers: Workers,
    /// Who may log in.
    pub logins: Logins,
    /// Which sessions can be cancelled.
    pub cancels: Cancels,
    /// Names of other databases.
    pub directory: Directory,
    /// Sessions at a time.
    pub sessions_max: usize,
    /// Sessions now.
    pub sessions: Arc<AtomicUsize>,
    /// Who they are.
    pub roster: Roster,
    /// Tells them what is wrong.
    pub herald: Herald,
    /// Whether new ones are taken.
    pub admission: Admission,
    /// What goes on around it.
    pub environment: Environment,
    /// How this server feels.
    pub vitals: Vitals,
    /// Requests since the start.
    pub requests: Arc<AtomicU64>,
}

/// Serves one connection until it ends. `unknown` is given back when the other end has authenticated.
pub async fn serve(
    front: Arc<Front>,
    mut stream: Box<dyn ByteStream>,
    peer: String,
    unknown: OwnedSemaphorePermit,
) {
    let mut input = Input::default();
    let opening = startup::open(&mut stream, &mut input, &front.logins, &front.cancels);
    let opened = timeout(STARTUP_TIMEOUT, opening).await.unwrap_or(Err(Ending::TooSlow));
    drop(unknown);
    let told = match opened {
        Ok(Opened::Cancel | Opened::Closed) => return,
        Ok(Opened::Session(asked, out)) => {
            let span = tracing::info_span!(
                "session",
                database = %asked.database,
                epoch = %asked.epoch,
                request = %asked.request,
            );
            return converse(&front, stream, input, asked, out).instrument(span).await;
        }
        Err(ending) => ending,
    };
    tracing::info!(peer, reason = ?told, "a connection was refused");
    refuse(stream, BytesMut::new(), &told).await;
}

async fn converse(
    front: &Arc<Front>,
    stream: Box<dyn ByteStream>,
    input: Input,
    asked: Box<Asked>,
    mut out: BytesMut,
) {
    let (seat, key, place, _counted) = match start(front, &asked, &mut out).await {
        Ok(started) => started,
        Err(ending) => {
            tracing::debug!(reason = ?ending, "a session was refused");
            return refuse(stream, out, &ending).await;
        }
    };
    let _measured = measures::session();
    tracing::debug!(user = asked.user, "session started");
    let (end, requests) = Pump::new(stream, input, out, seat, place, front).run().await;
    drop(key);
    match end {
        End::Terminated => tracing::debug!(requests, "session ended"),
        End::Vanished => tracing::debug!(requests, "the client is gone"),
        End::Told(ending) => {
            measures::ended(&ending);
            tracing::info!(requests, reason = ?ending, "session ended by the server");
        }
    }
}

/// Makes the session and writes its greeting.
async fn start(
    front: &Arc<Front>,
    asked: &Asked,
    out: &mut BytesMut,
) -> Result<(Seat, Key, Place, Counted), Ending> {
    let counted = Counted::new(front)?;
    admit(front, asked)?;
    let residents = front.residents.get().ok_or(Ending::NotOwner { epoch: None })?;
    let mut visit = residents.enter(asked.database, asked.epoch).await?;
    let mut news = BytesMut::new();
    let identity = match &asked.attach {
        Some(attach) => Some(attach.settle(&mut visit, &mut news).await?),
        None => None,
    };
    let key = front.cancels.register(asked.minor, rand::random());
    let start = SessionStart { identity, ..session_start(front, asked, &key) };
    let opening = front.workers.run(move || open(visit, start));
    let (inside, greeting) = opening.await?;
    out.unsplit(greeting);
    out.unsplit(news);
    backend::backend_key_data(out, asked.minor, key.wire())?;
    backend::ready_for_query(out, backend::TransactionStatus::Idle);
    key.arm(inside.session.interrupt());
    let place = front.roster.enter(asked, inside.session.interrupt());
    if let Some(announcement) = announcement(asked) {
        place.announce(announcement);
        front.herald.greet(&place);
    }
    Ok((Seat::new(inside, front.workers.clone()), key, place, counted))
}

/// What the client says of itself, if it understands directives.
fn announcement(asked: &Asked) -> Option<Announcement> {
    let options = asked.parameters.iter().filter(|(name, _)| name == "options");
    let value = options.filter_map(|(_, options)| postgres::split_options(options).0).next_back()?;
    let announcement = Announcement::parse(&value);
    if let Err(refusal) = &announcement {
        tracing::debug!(%refusal, "an announcement makes no sense");
    }
    announcement.ok()
}

/// Whether a session is let in now. One that was begun goes on, whatever this server is short of.
fn admit(front: &Front, asked: &Asked) -> Result<(), Ending> {
    let goes_on = asked.attach.as_ref().is_some_and(|attach| attach.number > 1 || attach.settle.is_some());
    match front.admission.refused_by() {
        Some(condition) if !goes_on => Err(Ending::Protecting { condition }),
        Some(_) | None => Ok(()),
    }
}

/// Opens the engine's session. Blocks.
fn open(visit: Visit, start: SessionStart) -> Result<(Inside, BytesMut), Ending> {
    let mut session = visit.database().session(start)?;
    let mut greeting = BytesMut::new();
    session.greet(&mut greeting);
    Ok((Inside { session, visit }, greeting))
}

fn session_start(front: &Arc<Front>, asked: &Asked, key: &Key) -> SessionStart {
    let front = Arc::clone(front);
    front.directory.wanted();
    let (errors, database) = (front.environment.errors().clone(), asked.database);
    SessionStart {
        user: asked.user.clone(),
        database: asked.name.clone(),
        parameters: asked.parameters.clone(),
        process_id: key.process_id(),
        databases: Arc::new(move || front.directory.names()),
        failed: Arc::new(move |state| errors.count(database, state)),
        identity: None,
    }
}

async fn refuse(mut stream: Box<dyn ByteStream>, mut out: BytesMut, ending: &Ending) {
    measures::ended(ending);
    ending.write(&mut out);
    let goodbye = async {
        stream.write_all(&out).await?;
        stream.shutdown().await
    };
    // Last words to somebody who may be gone: that they arrive is not promised.
    let _ = timeout(GOODBYE_MAX, goodbye).await;
}

/// One of the sessions that a server can have.
struct Counted(Arc<Front>);

impl Counted {
    fn new(front: &Arc<Front>) -> Result<Self, Ending> {
        let counted = Self(Arc::clone(front));
        let before = front.sessions.fetch_add(1, Ordering::Relaxed);
        let max = front.sessions_max;
        if before < max { Ok(counted) } else { Err(Ending::TooManySessions { max }) }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}
