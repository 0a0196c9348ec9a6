use std::collections::BTreeSet;

use ::tests::Host;

use super::*;

/// A stage whose processes are programs that end at once, with a fourth controller to spare.
async fn stage() -> Stage {
    let mut builder = Cluster::builder().controllers(4).handlers(1).servers(1);
    for name in ["controller-1", "controller-2", "controller-3", "controller-4", "handler-1", "server-1"] {
        let host = Host { address: [127, 0, 0, 1].into(), command: vec!["true".into()] };
        builder = builder.host(name, host);
    }
    let cluster = Arc::new(builder.prepare().await);
    let target = Target { handlers: Vec::new(), user: "".into(), password: "".into(), fleet: None };
    let (databases, unmoved, spare) = (Vec::new(), Vec::new(), Some(3));
    let (network, disks, clocks) = (Err("no net".into()), Err("no disk".into()), Err("no clock".into()));
    Stage { cluster, target, databases, unmoved, spare, network, disks, clocks }
}

fn names<'a>(processes: impl IntoIterator<Item = &'a Process>) -> BTreeSet<&'a str> {
    processes.into_iter().map(Process::name).collect()
}

#[tokio::test]
async fn no_fault_but_members_hits_the_spare_controller_c21() {
    let stage = stage().await;
    let founders = BTreeSet::from(["controller-1", "controller-2", "controller-3"]);
    assert_eq!(names(stage.founders()), founders);
    let all: BTreeSet<&str> = founders.iter().copied().chain(["handler-1", "server-1"]).collect();
    assert_eq!(names(stage.processes()), all);
    for (target, expected) in [("controllers", &founders), ("all", &all)] {
        let step = Step { at_ms: 0, for_ms: 0, fault: "kill".into(), target: target.into(), pick: 3 };
        assert_eq!(&names(stage.victims_now(&step).await.expect("somebody")), expected);
    }
    for pick in 0..8 {
        let step = Step { at_ms: 0, for_ms: 0, fault: "kill".into(), target: "controller".into(), pick };
        assert!(names(stage.victims_now(&step).await.expect("somebody")).is_subset(&founders));
    }
    let journal = ["controller-2".to_owned(), "journal".to_owned()];
    assert_eq!(names(stage.users(&journal)), BTreeSet::from(["controller-2", "server-1"]));
}

#[tokio::test]
async fn a_fault_is_skipped_where_what_it_needs_is_missing_c21() {
    let stage = stage().await;
    for (faults, why) in [(ON_NETWORKS, "no net"), (ON_DISKS, "no disk"), (ON_CLOCKS, "no clock")] {
        for fault in faults {
            assert_eq!(stage.lacks(fault).as_deref(), Some(why), "{fault}");
        }
    }
    assert_eq!(stage.lacks("kill"), None);
    let said = [stage.network().err(), stage.disks().err(), stage.clocks().err()];
    let said = said.map(|error| error.expect("it is missing").to_string());
    assert_eq!(said, ["no net", "no disk", "no clock"]);
}

#[tokio::test]
async fn what_ended_by_itself_is_started_again_c21() {
    let stage = stage().await;
    for _ in 0..2 {
        stage.mend().expect("nothing is left behind");
        let running = || names(stage.processes().filter(|process| process.is_running()));
        ::tests::until("all have ended", async || match running() {
            running if running.is_empty() => Ok(()),
            running => Err(format!("{running:?}")),
        })
        .await;
        assert!(!stage.cluster.controllers[3].log().text().contains("controller"));
    }
}
