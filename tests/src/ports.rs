//! Free ports that stay free until our processes take them.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Mutex,
};

/// Ports that the system never gives to outgoing connections by itself (Linux starts those at 32768), and that nothing
/// usual listens on.
const FIRST: u16 = 20_000;
const LAST: u16 = 32_000;
/// Ports that one holder gets.
const BLOCK: u16 = 50;

/// A block of ports of our own: its first port is held open as long as this lives, so that no other test, here or in
/// another process, takes the block.
pub struct Ports {
    guard: TcpListener,
    next: Mutex<u16>,
}

impl Ports {
    /// Finds a free block.
    ///
    /// # Panics
    /// When there is none.
    pub fn reserve() -> Self {
        let start = rand::random_range(0..(LAST - FIRST) / BLOCK);
        let blocks = (LAST - FIRST) / BLOCK;
        let guard = (0..blocks)
            .map(|offset| FIRST + (start + offset) % blocks * BLOCK)
            .find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
            .expect("no block of ports is free");
        let next = Mutex::new(guard.local_addr().expect("it is bound").port() + 1);
        Self { guard, next }
    }

    /// The next free address on loopback.
    ///
    /// # Panics
    /// When the block is used up.
    pub fn next(&self) -> SocketAddr {
        let mut next = self.next.lock().expect("nothing panics while holding it");
        let end = self.guard.local_addr().expect("it is bound").port() + BLOCK;
        loop {
            let port = *next;
            assert!(port < end, "a cluster of more than {BLOCK} ports");
            *next += 1;
            // Somebody who does not play by these rules may sit on it.
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            }
        }
    }
}
