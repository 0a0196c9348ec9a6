//! `stationmaster secret new`: makes a fleet's secret.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::Context;
use rpc::Secret;

/// Writes a new random secret that only its owner can read. Never overwrites one.
pub fn create(path: &Path) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    write_private(path, &format!("{}\n", Secret::new(rand::random()).reveal())).map_err(|error| {
        let context = match error.kind() {
            io::ErrorKind::AlreadyExists => format!(
                "{} exists already; a fleet keeps its secret, so remove the file yourself if nothing uses it",
                path.display()
            ),
            _ => format!("cannot write {}", path.display()),
        };
        anyhow::Error::new(error).context(context)
    })
}

/// Reads the fleet's secret.
pub fn read(path: &Path) -> anyhow::Result<Secret> {
    Secret::from_file(path).with_context(|| format!("cannot use the fleet secret in {}", path.display()))
}

/// Makes a file that only its owner can read. It must not exist.
pub fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Makes such a file, or puts it in the place of the one that is there.
pub fn replace_private(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    write_private(&new, text)?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_secret_is_private_and_never_overwritten() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("sub/secret");
        create(&path).expect("a fresh file");
        let first = Secret::from_file(&path).expect("a secret").reveal();
        assert_eq!(path.metadata().expect("it exists").permissions().mode() & 0o777, 0o600);
        assert!(create(&path).expect_err("it exists").to_string().contains("exists already"));
        assert_eq!(Secret::from_file(&path).expect("a secret").reveal(), first);
    }
}
