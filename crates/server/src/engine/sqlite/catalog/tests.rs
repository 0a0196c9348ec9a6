//! The catalogs of a small shop, read by SQL that SQLite takes as it is.

use std::sync::{Arc, Mutex};

use super::super::connect;
use super::super::session::settings::Settings;
use super::super::tokens::Tokens;
use super::rows::query;
use super::*;
use crate::engine::Limits;

pub(super) const SHOP: &str = include_str!("tests/shop.sql");

/// A connection as sessions have it, with its catalogs.
pub(super) struct Desk {
    _directory: tempfile::TempDir,
    pub connection: Connection,
    guard: Guard,
    catalog: Catalog,
    pub local: u64,
}

impl Desk {
    pub fn open(schema: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("image");
        connect::create_image(&path).expect("an image");
        let mut connection = connect::for_session(&path, &Limits::default()).expect("a connection");
        let guard = Guard::default();
        let hook = guard.clone();
        connection
            .binding()
            .authorizer(Some(move |context: rusqlite::hooks::AuthContext<'_>| hook.decide(&context)))
            .expect("an authorizer");
        connection.execute(schema).expect("a schema");
        let settings = Settings::start("me", &[]).expect("defaults");
        let catalog = Catalog::new(Context {
            user: "me".to_owned(),
            database: "shop".to_owned(),
            databases: Arc::new(|| vec!["other".to_owned(), "shop".to_owned()]),
            process_id: 7,
            settings: Arc::new(Mutex::new(settings)),
        });
        Self { _directory: directory, connection, guard, catalog, local: 0 }
    }

    pub fn shop() -> Self {
        Self::open(SHOP)
    }

    /// Rows of a query as `a|b` lines; NULL is empty.
    pub fn rows(&mut self, sql: &str) -> Vec<String> {
        if let Some(mention) = mentions(&Tokens::statement(sql, 0)) {
            self.catalog.prepare(&mut self.connection, &self.guard, &mention, self.local).expect("prepared");
        }
        let count = self.connection.prepare(sql, false).expect(sql).statement.expect(sql).column_count();
        let read = |row: &rows::Row<'_>| (0..count).map(|at| row.text(at)).collect::<Vec<_>>().join("|");
        query(&self.connection, sql, &[], read).expect(sql)
    }
}

#[test]
fn relations_are_listed_with_their_kinds_and_schemas() {
    let mut desk = Desk::shop();
    let rows = desk.rows(
        "SELECT relname, relkind, relnatts, relchecks, relhasindex, relhastriggers, nspname FROM pg_class c
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = 'public' ORDER BY relkind, relname",
    );
    assert_eq!(
        rows,
        [
            "author_id_seq|S|3|0|0|0|public",
            "author_email_key|i|1|0|0|0|public",
            "author_name_uq|i|2|0|0|0|public",
            "author_pkey|i|1|0|0|0|public",
            "book_isbn_title|i|2|0|0|0|public",
            "book_lower_idx|i|1|0|0|0|public",
            "book_pkey|i|1|0|0|0|public",
            "book_tag_pkey|i|2|0|0|0|public",
            "book_title_idx|i|1|0|0|0|public",
            "author|r|5|1|1|1|public",
            "book|r|8|1|1|1|public",
            "book_tag|r|2|0|1|1|public",
            "note|r|3|0|0|1|public",
            "cheap|v|2|0|0|0|public",
        ]
    );
}

#[test]
fn columns_have_types_defaults_and_identities() {
    let mut desk = Desk::shop();
    let rows = desk.rows(
        "SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
                (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = attrelid AND adnum = attnum)
         FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
         WHERE relname IN ('author', 'book', 'cheap') AND attnum > 0 ORDER BY attrelid, attnum",
    );
    assert_eq!(
        rows,
        [
            "author|id|integer|1|d||",
            "author|name|text|1|||",
            "author|email|character varying(100)|0|||",
            "author|born|date|0|||",
            "author|rating|numeric(5,2)|0|||0",
            "book|id|bigint|1|||",
            "book|author_id|integer|1|||",
            "book|title|character varying(200)|1|||",
            "book|isbn|character(13)|0|||",
            "book|published|timestamp with time zone|0|||CURRENT_TIMESTAMP",
            "book|data|jsonb|0|||",
            "book|price_cents|integer|0|||",
            "book|price|numeric|0||s|price_cents / 100.0",
            "cheap|id|bigint|0|||",
            "cheap|title|character varying(200)|0|||",
        ]
    );
}

#[test]
fn constraints_and_indexes_print_their_definitions() {
    let mut desk = Desk::shop();
    let constraints = desk.rows(
        "SELECT conname, contype, pg_get_constraintdef(oid, 1) FROM pg_constraint ORDER BY conrelid, contype, conname",
    );
    assert_eq!(
        constraints,
        [
            "author_rating_check|c|CHECK (rating >= 0)",
            "author_pkey|p|PRIMARY KEY (id)",
            "author_email_key|u|UNIQUE (email)",
            "book_price_positive|c|CHECK (price_cents > 0)",
            "book_author_id_fkey|f|FOREIGN KEY (author_id) REFERENCES author(id) ON DELETE CASCADE",
            "book_pkey|p|PRIMARY KEY (id)",
            "book_isbn_title|u|UNIQUE (isbn, title)",
            "book_tag_book|f|FOREIGN KEY (book_id) REFERENCES book(id) ON UPDATE SET NULL ON DELETE CASCADE",
            "book_tag_pkey|p|PRIMARY KEY (book_id, tag)",
            "note_book_id_tag_fkey|f|FOREIGN KEY (book_id, tag) REFERENCES book_tag(book_id, tag) DEFERRABLE INITIALLY DEFERRED",
        ]
    );
    let indexes =
        desk.rows("SELECT pg_get_indexdef(indexrelid, 0, 1), indkey, indoption FROM pg_index ORDER BY 1");
    assert_eq!(
        indexes,
        [
            "CREATE INDEX book_lower_idx ON book USING btree (lower(title)) WHERE published IS NOT NULL|0|0",
            "CREATE INDEX book_title_idx ON book USING btree (title DESC)|3|3",
            "CREATE UNIQUE INDEX author_email_key ON author USING btree (email)|3|0",
            "CREATE UNIQUE INDEX author_name_uq ON author USING btree (name, born)|2 4|0 0",
            "CREATE UNIQUE INDEX author_pkey ON author USING btree (id)|1|0",
            "CREATE UNIQUE INDEX book_isbn_title ON book USING btree (isbn, title)|4 3|0 0",
            "CREATE UNIQUE INDEX book_pkey ON book USING btree (id)|1|0",
            "CREATE UNIQUE INDEX book_tag_pkey ON book_tag USING btree (book_id, tag)|1 2|0 0",
        ]
    );
}

#[test]
fn both_sides_of_a_foreign_key_are_linked() {
    let mut desk = Desk::shop();
    let rows = desk.rows(
        "SELECT conname, c.relname, f.relname, i.relname, conkey, confkey, confupdtype, confdeltype, condeferrable, condeferred
         FROM pg_constraint JOIN pg_class c ON c.oid = conrelid JOIN pg_class f ON f.oid = confrelid
         LEFT JOIN pg_class i ON i.oid = conindid WHERE contype = 'f' ORDER BY 1",
    );
    assert_eq!(
        rows,
        [
            "book_author_id_fkey|book|author|author_pkey|{2}|{1}|a|c|0|0",
            "book_tag_book|book_tag|book|book_pkey|{1}|{1}|n|c|0|0",
            "note_book_id_tag_fkey|note|book_tag|book_tag_pkey|{1,2}|{1,2}|a|a|1|1",
        ]
    );
}

#[test]
fn numbers_of_objects_stay_when_others_come_and_go() {
    let mut desk = Desk::shop();
    let numbers = "SELECT oid, relname FROM pg_class WHERE relname LIKE 'book%' UNION ALL
                   SELECT oid, conname FROM pg_constraint WHERE conname LIKE 'book%' ORDER BY 2, 1";
    let before = desk.rows(numbers);
    desk.connection
        .execute("DROP TABLE note; CREATE TABLE zoo (id INTEGER PRIMARY KEY, CHECK (id > 0))")
        .expect("sql");
    assert_eq!(desk.rows(numbers), before);
    assert_eq!(
        desk.rows("SELECT count(*) FROM pg_class WHERE relname IN ('note', 'zoo', 'zoo_id_seq')"),
        ["2"]
    );
}

#[test]
fn a_rolled_back_transaction_takes_nothing_away() {
    let mut desk = Desk::shop();
    desk.connection.execute("BEGIN").expect("sql");
    assert_eq!(desk.rows("SELECT count(*) FROM pg_class WHERE relname = 'book'"), ["1"]);
    desk.connection.execute("CREATE TABLE young (id INTEGER)").expect("sql");
    assert_eq!(desk.rows("SELECT relname FROM pg_class WHERE relname = 'young'"), ["young"]);
    desk.connection.execute("ROLLBACK").expect("sql");
    desk.local += 1;
    assert_eq!(desk.rows("SELECT relname FROM pg_class WHERE relname IN ('young', 'book')"), ["book"]);
    desk.connection.execute("CREATE TABLE other (id INTEGER)").expect("sql");
    assert_eq!(desk.rows("SELECT relname FROM pg_class WHERE relname IN ('young', 'other')"), ["other"]);
    assert_eq!(desk.rows("SELECT count(*) FROM pg_type WHERE oid = 23"), ["1"]);
}

#[test]
fn temporary_tables_have_a_schema_of_their_own() {
    let mut desk = Desk::shop();
    desk.connection.execute("CREATE TEMP TABLE book (id INTEGER PRIMARY KEY, x TEXT UNIQUE)").expect("sql");
    let rows = desk.rows(
        "SELECT nspname, relpersistence, relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE relname = 'book' ORDER BY 1",
    );
    assert_eq!(rows, ["pg_temp|t|r", "public|p|r"]);
    assert_eq!(desk.rows("SELECT conname FROM pg_constraint WHERE conname LIKE 'book_x%'"), ["book_x_key"]);
}

#[test]
fn the_information_schema_describes_the_same() {
    let mut desk = Desk::shop();
    let rows = |desk: &mut Desk, sql: &str| desk.rows(&sql.replace("$", "pg_catalog.\"information_schema."));
    desk.rows("SELECT 1 WHERE 0 AND 1 IN (SELECT 1) -- information_schema");
    for name in ["tables", "columns", "key_column_usage", "referential_constraints", "views", "schemata"] {
        let mention = mentions(&Tokens::statement(&format!("SELECT * FROM information_schema.{name}"), 0))
            .expect("a mention");
        desk.catalog.prepare(&mut desk.connection, &desk.guard, &mention, desk.local).expect("prepared");
    }
    assert_eq!(
        rows(
            &mut desk,
            "SELECT table_name, table_type FROM $tables\" WHERE table_schema = 'public' ORDER BY 1"
        ),
        ["author|BASE TABLE", "book|BASE TABLE", "book_tag|BASE TABLE", "cheap|VIEW", "note|BASE TABLE"]
    );
    assert_eq!(
        rows(
            &mut desk,
            "SELECT column_name, data_type, character_maximum_length, numeric_precision, is_nullable, is_identity
             FROM $columns\" WHERE table_name = 'author' ORDER BY ordinal_position"
        ),
        [
            "id|integer||32|NO|YES",
            "name|text|||NO|NO",
            "email|character varying|100||YES|NO",
            "born|date|||YES|NO",
            "rating|numeric||5|YES|NO",
        ]
    );
    assert_eq!(
        rows(
            &mut desk,
            "SELECT constraint_name, column_name, ordinal_position, position_in_unique_constraint FROM $key_column_usage\"
             WHERE table_name = 'note' ORDER BY 3"
        ),
        ["note_book_id_tag_fkey|book_id|1|1", "note_book_id_tag_fkey|tag|2|2"]
    );
    assert_eq!(
        rows(
            &mut desk,
            "SELECT constraint_name, unique_constraint_name, delete_rule FROM $referential_constraints\" ORDER BY 1"
        ),
        [
            "book_author_id_fkey|author_pkey|CASCADE",
            "book_tag_book|book_pkey|CASCADE",
            "note_book_id_tag_fkey|book_tag_pkey|NO ACTION",
        ]
    );
}

#[test]
fn every_relation_of_the_catalogs_can_be_read() {
    let mut desk = Desk::shop();
    for table in tables::all() {
        let name = if table.information {
            format!("information_schema.{}", table.name)
        } else {
            table.name.to_owned()
        };
        let mention = mentions(&Tokens::statement(&format!("SELECT * FROM {name}"), 0)).expect("a mention");
        desk.catalog.prepare(&mut desk.connection, &desk.guard, &mention, desk.local).expect(&name);
        desk.rows(&format!("SELECT * FROM pg_catalog.\"{}\"", table.stored));
    }
}

#[test]
fn a_view_over_nothing_and_odd_tables_do_no_harm() {
    let mut desk = Desk::open(
        "CREATE TABLE gone (a); CREATE VIEW v AS SELECT a FROM gone; DROP TABLE gone;
         CREATE TABLE orphan (a INTEGER REFERENCES nowhere, b TEXT REFERENCES other (x));
         CREATE VIRTUAL TABLE words USING fts5(body);
         CREATE TABLE \"odd \"\"name\" (\"a b\" TEXT, PRIMARY KEY (\"a b\")) WITHOUT ROWID;
         CREATE TRIGGER after_orphan AFTER INSERT ON orphan BEGIN SELECT 1; END;",
    );
    assert_eq!(
        desk.rows("SELECT relname, relnatts FROM pg_class WHERE relnamespace = 2200 AND relkind IN ('r', 'v') ORDER BY 1"),
        ["odd \"name|1", "orphan|2", "v|0", "words|1"]
    );
    assert_eq!(
        desk.rows("SELECT pg_get_constraintdef(oid) FROM pg_constraint ORDER BY conname"),
        [
            "PRIMARY KEY (\"a b\")",
            "FOREIGN KEY (a) REFERENCES nowhere()",
            "FOREIGN KEY (b) REFERENCES other(x)",
        ]
    );
    assert_eq!(desk.rows("SELECT tgname FROM pg_trigger"), ["after_orphan"]);
}
