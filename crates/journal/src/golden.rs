//! Bytes that were written once and must be readable for ever: `tests/golden/*.hex`.

use std::path::PathBuf;

use bytes::Bytes;

/// The golden bytes of `name`. With `UPDATE_EXPECT=1` they are first made `bytes`, if there are none yet: what was
/// shipped is never rewritten, only deleted by hand before it ships.
pub(crate) fn check(name: &str, bytes: &[u8]) -> Bytes {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.hex"));
    if std::env::var_os("UPDATE_EXPECT").is_some() && !path.exists() {
        let line = |chunk: &[u8]| chunk.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
        std::fs::write(&path, bytes.chunks(32).map(line).collect::<String>())
            .expect("golden bytes are written");
    }
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte =
        |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("two digits");
    digits.chunks(2).map(byte).collect()
}
