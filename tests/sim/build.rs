//! Some crates look for the system's source of random bytes by its name while they run: they must find ours
//! (`src/chance.rs`).

fn main() {
    println!("cargo:rustc-link-arg-bins=-Wl,--export-dynamic-symbol=getrandom");
}
