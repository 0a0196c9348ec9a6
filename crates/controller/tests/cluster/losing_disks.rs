//! A controller that lost its disk does not vote before it has everything again: counted in, it would let acknowledged
//! entries go (C5, R11).

use std::{io, path::Path, sync::Arc};

use async_trait::async_trait;
use controller::{Disk, Encode, Loaded, SledDisk, StoreError, Worker, Write, run_on};
use model::FleetId;
use rpc::{Error, Refusal, controller::Consistency};

use crate::fleet::{Fleet, address, eventually, look_up};

/// The planted bug: a disk that does not tell that it is new.
struct Forgetful(SledDisk);

#[async_trait]
impl Disk for Forgetful {
    async fn load(&self) -> Result<Loaded, StoreError> {
        self.0.load().await
    }

    async fn write(&self, batch: Vec<Write>) -> io::Result<()> {
        self.0.write(batch).await
    }

    async fn put_image(&self, encode: Encode) -> io::Result<()> {
        self.0.put_image(encode).await
    }

    async fn image(&self) -> io::Result<Option<Vec<u8>>> {
        self.0.image().await
    }

    async fn belong_to(&self, fleet: FleetId) -> Result<(), StoreError> {
        self.0.belong_to(fleet).await
    }

    async fn is_joining(&self) -> bool {
        false
    }

    async fn admit(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// A database is acknowledged by the leader and one follower. Then the leader is down, that follower has lost its disk,
/// and the other follower, which never heard of the database, is back.
struct Loss {
    fleet: Fleet,
    leader: u64,
    wiped: u64,
    behind: u64,
}

async fn loss() -> Loss {
    let mut fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    fleet.create("before").await.expect("a free name");
    fleet.agreed().await;
    let others: Vec<u64> = fleet.ids().into_iter().filter(|id| *id != leader).collect();
    let (wiped, behind) = (others[0], others[1]);
    fleet.net.cut_off(&address(behind));
    fleet.create("kept").await.expect("two of three decide");
    fleet.kill(leader);
    fleet.kill(wiped);
    fleet.wipe(wiped);
    fleet.net.reconnect(&address(behind));
    Loss { fleet, leader, wiped, behind }
}

#[tokio::test]
async fn a_wiped_controller_that_votes_loses_what_was_acknowledged() {
    let Loss { mut fleet, wiped, .. } = loss().await;
    let settings = fleet.settings(wiped);
    let disk = SledDisk::open(settings.data_dir.clone(), settings.id, true).await.expect("a new directory");
    fleet.run_with(wiped, move |settings, host, listener| async move {
        run_on(settings, host, listener, Arc::new(Forgetful(disk)), Worker::here("digest", ())).await
    });
    fleet.leader().await;
    let lost = look_up(&fleet.client(), "kept", Consistency::Linearizable).await.expect_err("it is lost");
    assert!(matches!(lost, Error::Refused(Refusal::DatabaseNameUnknown { .. })), "{lost}");
}

#[tokio::test]
async fn a_wiped_controller_does_not_vote_and_comes_back_by_being_sent_everything_r11_c5() {
    let Loss { mut fleet, leader, wiped, behind } = loss().await;
    fleet.run(wiped);
    let nobody = fleet.create("meanwhile").await.expect_err("nobody may lead");
    assert!(matches!(nobody, Error::NoController { .. }), "{nobody}");
    assert_eq!(fleet.status(wiped).await.state, "joining");
    assert_ne!(fleet.status(behind).await.state, "leader");
    // Not even when it is started again.
    fleet.kill(wiped);
    fleet.run(wiped);
    fleet.run(leader);
    let client = fleet.client();
    look_up(&client, "kept", Consistency::Linearizable).await.expect("it was acknowledged");
    eventually("all three vote", || async {
        let voters = fleet.list(&client).await.iter().filter(|info| info.voter).count();
        (voters == 3 && fleet.status(wiped).await.state != "joining").then_some(())
    })
    .await;
    fleet.agreed().await;
    // Now it counts: with the one that was behind, it is a majority.
    fleet.kill(leader);
    look_up(&client, "kept", Consistency::Linearizable).await.expect("two of three know it");
}
