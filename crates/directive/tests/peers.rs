//! The example between two plain peers, run as a test (R58, R62).

#[path = "../examples/peers.rs"]
mod peers;

#[test]
fn r58_r62_two_peers_without_a_database_use_the_core_over_a_carrier_of_their_own() {
    peers::main();
}
