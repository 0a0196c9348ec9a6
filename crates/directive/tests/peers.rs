//! The example between two plain peers, run as a test (R62).

#[path = "../examples/peers.rs"]
mod peers;

#[test]
fn r62_two_peers_without_a_database_use_the_core() {
    peers::main();
}
