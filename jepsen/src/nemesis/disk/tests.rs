use std::process::{Command, Stdio};

use super::*;

/// Ends it, whatever becomes of the test.
struct Elsewhere(std::process::Child);

impl Drop for Elsewhere {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.0.kill().and_then(|()| self.0.wait()));
    }
}

#[test]
fn a_disk_is_there_again_though_others_have_copies_of_its_mount_c21() {
    let directory = tempfile::tempdir().expect("a directory");
    let disks = match Disks::new(directory.path(), &["journal".to_owned()]) {
        Ok(disks) => disks,
        // Not root, or no loop devices: runs skip these faults, too.
        Err(error) => return eprintln!("skipped: {error:#}"),
    };
    // As `ip netns exec` does it.
    let mut elsewhere = Command::new("unshare");
    elsewhere.args(["--mount", "--propagation", "slave", "sh", "-c", "echo; exec sleep 1000"]);
    let spawned = elsewhere.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut elsewhere = Elsewhere(spawned.expect("unshare comes with every Linux"));
    let said = elsewhere.0.stdout.take().expect("it is piped");
    io::Read::read_exact(&mut { said }, &mut [0]).expect("it is there");

    let file = directory.path().join("journal").join("log");
    fs::write(&file, "synced").expect("written");
    File::open(&file).expect("it is there").sync_all().expect("synced");
    for _ in 0..2 {
        disks.shut_down("journal").expect("it goes");
        assert_eq!(disks.gone(), ["journal"]);
        fs::write(&file, "lost").expect_err("all IO fails");
        disks.again("journal").expect("it comes again");
        assert!(disks.gone().is_empty());
        assert_eq!(fs::read_to_string(&file).expect("it can be read"), "synced");
    }
    disks.fill("journal").expect("it can be filled");
    fs::write(directory.path().join("journal/more"), vec![0; 1 << 20]).expect_err("no room");
    disks.make_room().expect("there is room");
    disks.make_room().expect("there is room, still");
    fs::write(directory.path().join("journal/more"), vec![0; 1 << 20]).expect("room");
}
