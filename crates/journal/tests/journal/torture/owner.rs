//! An owner for the torture: an engine of one page per client, group commit, snapshots and garbage collection beside
//! the commits, and no idea whether somebody has replaced it.

use std::{cell::RefCell, rc::Rc, time::Duration};

use bytes::Bytes;
use journal::{AppendError, Group, OpenError, Outcome, Recovery, Response, Settled, Store, Writer};
use model::{Epoch, SessionId};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::sync::{mpsc, oneshot};

use crate::world::*;

/// One write request.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub session: SessionId,
    pub client: u32,
    pub number: u64,
}

/// What a run came across. A torture that never hurts proves nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub opened: u64,
    pub refused_openings: u64,
    pub commits: u64,
    pub fenced: u64,
    pub stalled: u64,
    pub settled_by_outcome: u64,
    pub snapshots: u64,
    pub collected: u64,
    pub sealed: u64,
}

/// Shared by all owners of all runs.
pub type Sight = Rc<RefCell<Seen>>;

/// What a client's page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Requests executed.
    pub count: u64,
    /// The last of them.
    pub last: u64,
}

/// A handle to an owner that may have died.
#[derive(Clone)]
pub struct Owner(mpsc::UnboundedSender<(Call, oneshot::Sender<String>)>);

impl Owner {
    /// The durable answer, or nothing if there will be none.
    pub async fn call(&self, call: Call) -> Option<String> {
        let (reply, answer) = oneshot::channel();
        self.0.send((call, reply)).ok()?;
        answer.await.ok()
    }
}

/// What an owner's life is drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    pub seed: u64,
    /// Whether it may die or retire by itself.
    pub mortal: bool,
}

/// Opens the log and serves until somebody else has fenced it. Nothing if the opening was refused or the store failed.
pub async fn start(store: Store, epoch: Epoch, life: Life, sight: Sight) -> Result<Option<Owner>, String> {
    let (writer, recovery) = match store.open(SHOP, epoch, NOW).await {
        Ok(opened) => opened,
        Err(OpenError::Superseded { .. } | OpenError::Store { .. }) => {
            sight.borrow_mut().refused_openings += 1;
            return Ok(None);
        }
        Err(error @ (OpenError::Damaged(_) | OpenError::Dropped { .. })) => {
            return Err(format!("{epoch}: {error:?}"));
        }
    };
    let Some(image) = image(&recovery).await? else {
        return Ok(None);
    };
    sight.borrow_mut().opened += 1;
    let (sender, calls) = mpsc::unbounded_channel();
    let serving = Serving {
        writer,
        image,
        calls,
        random: StdRng::seed_from_u64(life.seed),
        mortal: life.mortal,
        sight,
    };
    tokio::task::spawn_local(serving.run());
    Ok(Some(Owner(sender)))
}

async fn image(recovery: &Recovery) -> Result<Option<Vec<u8>>, String> {
    match recovery.image().await {
        Ok(image) => Ok(Some(image)),
        Err(journal::ImageError::Collected { .. } | journal::ImageError::Store { .. }) => Ok(None),
        Err(error @ (journal::ImageError::Damaged(_) | journal::ImageError::File { .. })) => {
            Err(format!("{error:?}"))
        }
    }
}

/// What the page of a client says in an image.
pub fn tally(image: &[u8], client: u32) -> Tally {
    let number = |at: usize| {
        let from = client as usize * PAGE + at;
        image.get(from..from + 8).map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().expect("8 bytes")))
    };
    Tally { count: number(0), last: number(8) }
}

struct Serving {
    writer: Writer,
    image: Vec<u8>,
    calls: mpsc::UnboundedReceiver<(Call, oneshot::Sender<String>)>,
    random: StdRng,
    mortal: bool,
    sight: Sight,
}

/// Whoever waits for a group, and for what.
type Waiting = Vec<(Call, oneshot::Sender<String>)>;

impl Serving {
    async fn run(mut self) {
        while let Some(first) = self.calls.recv().await {
            let mut batch = vec![first];
            while let Ok(next) = self.calls.try_recv() {
                batch.push(next);
            }
            let (group, waiting) = self.execute(batch);
            if waiting.is_empty() {
                continue;
            }
            if !self.append(group).await {
                // Everybody who waits sees the connection break, and asks again.
                return;
            }
            if self.mortal && self.random.random_bool(0.02) {
                // Dies with everything durable and nobody told.
                return;
            }
            self.sight.borrow_mut().commits += waiting.len() as u64;
            for (call, reply) in waiting {
                // A client that gave up asks again.
                drop(reply.send(call.number.to_string()));
            }
            if self.writer.debt().records > 6 && self.random.random_bool(0.3) {
                self.snapshot();
            }
            if self.mortal && self.random.random_bool(0.01) && self.writer.seal(NOW).await.is_ok() {
                self.sight.borrow_mut().sealed += 1;
                return;
            }
        }
    }

    /// Executes what was not executed before, and answers what was.
    fn execute(&mut self, batch: Waiting) -> (Group, Waiting) {
        let mut waiting: Waiting = Vec::new();
        let mut outcomes: Vec<Outcome> = Vec::new();
        for (call, reply) in batch {
            let here = outcomes.iter().any(|o| (o.session, o.number) == (call.session, call.number));
            match self.writer.state().outcomes.settle(call.session, call.number, None) {
                Settled::Committed(Response::Kept(response)) => {
                    self.sight.borrow_mut().settled_by_outcome += 1;
                    drop(reply.send(String::from_utf8(response.to_vec()).expect("as it was written")));
                }
                Settled::Absent if here => waiting.push((call, reply)),
                Settled::Absent => {
                    self.write(call);
                    let response = Response::new(Bytes::from(call.number.to_string()));
                    outcomes.push(Outcome { session: call.session, number: call.number, response });
                    waiting.push((call, reply));
                }
                Settled::Committed(Response::TooLong(_)) | Settled::Unknown => {
                    panic!("outcomes are few and short here: {call:?}")
                }
            }
        }
        (self.group(outcomes, &waiting), waiting)
    }

    fn write(&mut self, call: Call) {
        let Tally { count, .. } = tally(&self.image, call.client);
        let from = call.client as usize * PAGE;
        if self.image.len() < from + PAGE {
            self.image.resize(from + PAGE, 0);
        }
        self.image[from..from + 8].copy_from_slice(&(count + 1).to_le_bytes());
        self.image[from + 8..from + 16].copy_from_slice(&call.number.to_le_bytes());
    }

    fn group(&self, outcomes: Vec<Outcome>, waiting: &Waiting) -> Group {
        let mut clients: Vec<u32> = waiting.iter().map(|(call, _)| call.client).collect();
        clients.sort_unstable();
        clients.dedup();
        let page = |client: u32| Bytes::copy_from_slice(&self.image[client as usize * PAGE..][..PAGE]);
        Group {
            page_size: PAGE as u32,
            image_pages: (self.image.len() / PAGE) as u32,
            pages: clients.into_iter().map(|client| (client + 1, page(client))).collect(),
            transactions: outcomes.len() as u32,
            outcomes,
            at: NOW,
        }
    }

    /// Whether the group is durable. A stalled one is tried for ever, as long as nobody has fenced the log.
    async fn append(&mut self, group: Group) -> bool {
        let mut result = self.writer.append(group).await.map(Some);
        loop {
            match result {
                Ok(_) => return true,
                Err(AppendError::Stalled { .. }) if self.random.random_bool(0.8) => {
                    self.sight.borrow_mut().stalled += 1;
                }
                Err(AppendError::Stalled { .. }) => return false,
                Err(AppendError::Fenced { .. }) => {
                    self.sight.borrow_mut().fenced += 1;
                    return false;
                }
                Err(error) => panic!("{error:?}"),
            }
            result = self.writer.resume().await;
        }
    }

    /// Takes a snapshot and collects garbage, beside what comes next.
    fn snapshot(&mut self) {
        let (draft, collection, image) =
            (self.writer.snapshot_draft(), self.writer.collection(), self.image.clone());
        let (pause, sight) = (self.random.random_range(0..200), Rc::clone(&self.sight));
        tokio::task::spawn_local(async move {
            let packed = draft.pack(&image[..]).expect("the image is as long as the log says");
            tokio::time::sleep(Duration::from_millis(pause)).await;
            // A store that failed leaves the log longer than it could be, and that is all.
            if packed.put().await.is_ok() {
                sight.borrow_mut().snapshots += 1;
                if let Ok(collected) = collection.run(Duration::ZERO, NOW).await {
                    sight.borrow_mut().collected += collected.deleted;
                }
            }
        });
    }
}
