//! The README's table of claims names tests; each of them must exist.

use std::{collections::BTreeSet, fs, path::Path};

/// Every function name in the Rust files of a folder.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("target") {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a readable file");
            let names = text.lines().filter_map(|line| line.split_once("fn ")?.1.split_once('('));
            found.extend(names.map(|(name, _)| name.to_owned()));
        }
    }
}

#[test]
fn every_test_that_the_readme_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = fs::read_to_string(root.join("README.md")).expect("it is there");
    let rows = readme.lines().skip_while(|line| !line.starts_with("| claim |")).skip(2);
    let rows: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
    let mut found = BTreeSet::new();
    functions(&root.join("crates"), &mut found);
    functions(&root.join("tests"), &mut found);
    let named = rows
        .iter()
        .map(|row| row.trim_end_matches(" |").rsplit_once("| ").expect("a table").1.trim_matches('`'));
    let missing: Vec<&str> = named.filter(|name| !found.contains(*name)).collect();
    assert!(rows.len() > 20, "the table is not where it was: {rows:?}");
    assert!(missing.is_empty(), "no such tests: {missing:?}");
}
