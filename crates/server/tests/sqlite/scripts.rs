//! Scripts of statements and their answers: a readable specification in `scripts/*.txt`.
//!
//! `> SQL` is a simple query (lines that start so are one text), `x(1|NULL)> SQL` goes through the extended protocol with these
//! parameters, `b> SQL` comes from a second session, `< line` feeds a COPY. What follows up to an empty line is the answer.
//! With `UPDATE_EXPECT=1` the answers are written into the files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bytes::BytesMut;
use wire::{Format, frontend};

use crate::client::{Client, TestDatabase};

/// A statement of a script.
struct Block {
    /// Comments and blank lines before it.
    before: String,
    /// The lines as written.
    source: String,
    session: String,
    /// Of the extended protocol.
    parameters: Option<Vec<Option<String>>>,
    sql: String,
    copy: Vec<String>,
    expected: String,
}

fn parse(text: &str) -> (Vec<Block>, String) {
    let mut blocks = Vec::new();
    let mut before = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((session, parameters, sql)) = head(line) else {
            before.push_str(line);
            before.push('\n');
            continue;
        };
        let mut block = Block {
            before: std::mem::take(&mut before),
            source: format!("{line}\n"),
            session,
            parameters,
            sql,
            copy: Vec::new(),
            expected: String::new(),
        };
        while let Some(line) = lines.next_if(|line| line.starts_with("> ") || line.starts_with("< ")) {
            block.source.push_str(line);
            block.source.push('\n');
            match line.strip_prefix("> ") {
                Some(sql) => block.sql = format!("{}\n{sql}", block.sql),
                None => block.copy.push(line[2..].to_owned()),
            }
        }
        while let Some(line) = lines.next_if(|line| !line.is_empty()) {
            block.expected.push_str(line);
            block.expected.push('\n');
        }
        blocks.push(block);
    }
    (blocks, before)
}

/// Parameters of an extended query in text form; `None` is NULL.
type Parameters = Vec<Option<String>>;

/// `b> sql`, `x(1|2)> sql`, `> sql`: the client, the parameters if it is an extended query, and the SQL.
fn head(line: &str) -> Option<(String, Option<Parameters>, String)> {
    let (prefix, sql) = line.split_once("> ")?;
    if let Some(parameters) = prefix.strip_prefix("x(").and_then(|rest| rest.strip_suffix(')')) {
        let parameters = parameters.split('|').filter(|_| !parameters.is_empty());
        let parameters = parameters.map(|value| (value != "NULL").then(|| value.to_owned())).collect();
        return Some(("a".to_owned(), Some(parameters), sql.to_owned()));
    }
    match prefix {
        "" => Some(("a".to_owned(), None, sql.to_owned())),
        "b" | "c" => Some((prefix.to_owned(), None, sql.to_owned())),
        _comment => None,
    }
}

fn answer(client: &mut Client, block: &Block) -> String {
    if let Some(parameters) = &block.parameters {
        let parameters: Vec<Option<&str>> = parameters.iter().map(Option::as_deref).collect();
        return client.extended(&block.sql, &parameters, Format::Text);
    }
    let mut answer = client.query(&block.sql);
    if !block.copy.is_empty() {
        let mut frames = BytesMut::new();
        for line in &block.copy {
            frontend::copy_data(&mut frames, format!("{}\n", line.replace("<tab>", "\t")).as_bytes())
                .expect("data");
        }
        frontend::copy_done(&mut frames);
        client.send(&frames);
        client.drive();
        answer.push_str(&client.transcript());
    }
    answer
}

/// The sessions of one database, by their letters.
struct Stage {
    database: TestDatabase,
    clients: HashMap<String, Client>,
    /// Answers that differ from what stands in the text.
    wrong: Vec<String>,
}

impl Stage {
    fn new() -> Self {
        Self { database: TestDatabase::new(), clients: HashMap::new(), wrong: Vec::new() }
    }

    /// Plays a script; returns it with the answers that came.
    fn play(&mut self, text: &str) -> String {
        let (blocks, after) = parse(text);
        let mut written = String::new();
        for block in &blocks {
            let client = self.clients.entry(block.session.clone()).or_insert_with(|| self.database.client());
            let answer = answer(client, block).replace("\n\n", "\n");
            if answer != block.expected {
                self.wrong.push(format!("{}expected:\n{}got:\n{answer}", block.source, block.expected));
            }
            written.push_str(&format!("{}{}{answer}", block.before, block.source));
        }
        written + &after
    }

    fn end(self, path: &Path, written: &str) {
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            return std::fs::write(path, written).expect("the script can be written");
        }
        let wrong = &self.wrong;
        assert!(
            wrong.is_empty(),
            "{}: {} answers differ\n\n{}",
            path.display(),
            wrong.len(),
            wrong.join("\n")
        );
    }
}

fn run(path: &Path) {
    let mut stage = Stage::new();
    let written = stage.play(&std::fs::read_to_string(path).expect("a script"));
    stage.end(path, &written);
}

/// The examples of the page that says what differs, in its order and in one database.
#[test]
fn the_page_of_differences_tells_the_truth() {
    const OPEN: &str = "```sqlscript\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("POSTGRESQL.md");
    let page = std::fs::read_to_string(&path).expect("the page");
    let mut stage = Stage::new();
    let mut parts = page.split(OPEN);
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (script, after) = part.split_once("```").expect("a block has an end");
        let played = stage.play(script);
        written.push_str(&format!("{OPEN}{played}```{after}"));
    }
    stage.end(&path, &written);
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sqlite/scripts").join(format!("{name}.txt"))
}

macro_rules! scripts {
    ($($test:ident: $name:literal),* $(,)?) => {
        $(
            #[test]
            fn $test() {
                run(&script($name));
            }
        )*

        #[test]
        fn every_script_is_run() {
            let mut there: Vec<String> = std::fs::read_dir(script("x").parent().expect("a folder"))
                .expect("the scripts")
                .map(|entry| entry.expect("an entry").file_name().to_string_lossy().trim_end_matches(".txt").to_owned())
                .collect();
            there.sort();
            let mut run = vec![$($name.to_owned()),*];
            run.sort();
            assert_eq!(there, run);
        }
    };
}

scripts! {
    statements_are_answered_as_postgresql_would: "statements",
    transactions_commit_and_fail_as_in_postgresql: "transactions",
    errors_have_state_words_and_place: "errors",
    definitions_are_kept_as_plain_sqlite: "definitions",
    functions_and_operators_answer_as_in_postgresql: "functions",
}
