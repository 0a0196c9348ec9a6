//! The application of `cargo xtask bench drivers`, for a moment: which errors it sees with which driver. Counts, no times.

#[expect(dead_code, reason = "the program prints what is only counted here")]
#[path = "../../examples/drivers.rs"]
mod drivers;

use drivers::{Happening, Way, cluster, measure};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_a_killed_server_and_a_move_our_driver_and_our_handler_each_leave_no_error_r54_r64_r67() {
    let bare = cluster(false).await;
    let noticed = measure(&bare, Way::Bare, 1, Happening::Kill).await;
    assert!(noticed.errors > 0, "a stock driver alone sees the server go: {noticed:?}");
    assert_eq!(noticed.wrong, 0);
    for happening in [Happening::Kill, Happening::Move] {
        let noticed = measure(&bare, Way::Ours, 1, happening).await;
        let counts = (noticed.errors, noticed.wrong, noticed.answered > 0);
        assert_eq!(counts, (0, 0, true), "our driver alone, {happening:?}");
    }
    drop(bare);
    let holding = cluster(true).await;
    for happening in [Happening::Kill, Happening::Move] {
        let noticed = measure(&holding, Way::Stock, 1, happening).await;
        let counts = (noticed.errors, noticed.wrong, noticed.answered > 0);
        assert_eq!(counts, (0, 0, true), "a stock driver, {happening:?}");
    }
}
