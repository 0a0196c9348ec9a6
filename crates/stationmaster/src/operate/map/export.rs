//! `stationmaster map export`: the map as JSON lines, as it was at one revision.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    process::ExitCode,
};

use anyhow::Context;
use model::Fleet;

use super::{
    backup::{fetch, read},
    lines,
};
use crate::{new_file::NewFile, operate::Reach};

/// Writes a map, from the controllers or from a backup.
pub async fn run(reach: &Reach, file: Option<&Path>, from: Option<&Path>) -> anyhow::Result<ExitCode> {
    let new = file.map(NewFile::begin).transpose()?;
    let backup = match from {
        Some(from) => read(from)?,
        None => fetch(&reach.cluster()?).await?.1,
    };
    let fleet = backup.fleet();
    match (new, file) {
        (Some(new), Some(file)) => {
            let cannot = || format!("cannot write {}", file.display());
            let mut out = BufWriter::new(File::create(new.path()).with_context(cannot)?);
            write(fleet, &mut out).with_context(cannot)?;
            drop(out);
            new.keep()?;
            eprintln!("wrote {} databases and {} users", fleet.databases_len(), fleet.users().count());
        }
        (_, _) => match write(fleet, &mut BufWriter::new(io::stdout().lock())) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written.context("cannot print")?,
        },
    }
    Ok(ExitCode::SUCCESS)
}

fn write(fleet: &Fleet, out: &mut impl Write) -> io::Result<()> {
    for line in lines::of(fleet) {
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}
