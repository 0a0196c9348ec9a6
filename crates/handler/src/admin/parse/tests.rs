//! Texts and the statements that they are.

use model::DatabaseOption;

use super::*;
use crate::admin::{
    Cell, Column, Kind,
    placement::Placement,
    scalar::Scalar,
    show::Show,
    statement::{Attribute, Condition, DatabaseQuery, Password},
};

fn one(sql: &str) -> Statement {
    match parse(sql).as_deref() {
        Ok([statement]) => statement.clone(),
        other => panic!("{sql}: {other:?}"),
    }
}

fn code(sql: &str) -> String {
    parse(sql).expect_err(sql).code.to_string()
}

fn create(name: &str, ignored: &[&str]) -> Statement {
    Statement::CreateDatabase {
        name: name.into(),
        template: None,
        ignored: ignored.iter().map(|&option| option.into()).collect(),
    }
}

#[test]
fn databases_are_named_by_postgres_rules() {
    let long = "x".repeat(70);
    for (sql, expected) in [
        ("create database Shop", create("shop", &[])),
        ("CREATE DATABASE \"Shop\";;", create("Shop", &[])),
        ("create database \"a \"\"b\"\"\"", create("a \"b\"", &[])),
        ("/* x */ create -- y\n database shop", create("shop", &[])),
        ("create database größe", create("größe", &[])),
        (&format!("create database {long}"), create(&long[..63], &[])),
        ("create database \"db-1\"", create("db-1", &[])),
    ] {
        assert_eq!(one(sql), expected, "{sql}");
    }
}

#[test]
fn options_that_mean_nothing_here_are_taken_note_of() {
    for (sql, ignored) in [
        ("create database x with owner = ann", &["OWNER"][..]),
        ("create database x owner ann connection limit -1", &["OWNER", "CONNECTION"]),
        ("create database x encoding 'utf-8' lc_collate='C' lc_ctype 'C'", &["LC_COLLATE", "LC_CTYPE"]),
        ("create database x encoding = DEFAULT template = template1", &[]),
        (
            "create database x strategy wal_log locale_provider icu icu_locale 'de'",
            &["STRATEGY", "LOCALE_PROVIDER", "ICU_LOCALE"],
        ),
        (
            "create database x is_template = false allow_connections true",
            &["IS_TEMPLATE", "ALLOW_CONNECTIONS"],
        ),
    ] {
        assert_eq!(one(sql), create("x", ignored), "{sql}");
    }
}

#[test]
fn a_template_is_what_is_copied() {
    for (sql, template) in [
        ("create database x template shop", "shop"),
        ("CREATE DATABASE x WITH TEMPLATE = \"Shop\"", "Shop"),
        ("create database x template Shop", "shop"),
        ("create database x template 'db-7'", "db-7"),
    ] {
        let template = Some(template.into());
        assert_eq!(
            one(sql),
            Statement::CreateDatabase { name: "x".into(), template, ignored: Vec::new() },
            "{sql}"
        );
    }
    assert_eq!(code("create database x template"), "42601");
}

#[test]
fn the_other_statements_about_databases() {
    let drop = |name: &str, if_exists| Statement::DropDatabase { name: name.into(), if_exists };
    assert_eq!(one("drop database x"), drop("x", false));
    assert_eq!(one("DROP DATABASE IF EXISTS \"X\" WITH (FORCE)"), drop("X", true));
    assert_eq!(one("drop database if"), drop("if", false));
    let renamed = Statement::RenameDatabase { name: "a".into(), to: "B".into() };
    assert_eq!(one("alter database a rename to \"B\""), renamed);
    let options = |options: &[DatabaseOption]| Statement::SetDatabaseOptions {
        name: "a".into(),
        options: options.to_vec(),
    };
    let two = DatabaseOption::TimeLimit(std::num::NonZeroU32::new(2_000));
    let never = DatabaseOption::OnTimeLimit(model::OnTimeLimit::Never);
    for (sql, expected) in [
        ("alter database a set stationmaster.time_limit = '2s'", &[two][..]),
        ("ALTER DATABASE a SET Stationmaster.Time_Limit TO 2000", &[two]),
        ("alter database a set stationmaster.on_time_limit to never", &[never]),
        ("alter database a set stationmaster.time_limit = default", &DatabaseOption::DEFAULTS[..1]),
        ("alter database a reset stationmaster.on_time_limit", &DatabaseOption::DEFAULTS[1..]),
        ("alter database a reset all", &DatabaseOption::DEFAULTS),
    ] {
        assert_eq!(one(sql), options(expected), "{sql}");
    }
    for (sql, expected) in [
        ("alter database a set stationmaster.time_limit = 'soon'", "22023"),
        ("alter database a set stationmaster.time_limit '2s'", "42601"),
        ("alter database a set stationmaster.speed = 1", "42704"),
        ("alter database a set work_mem = 1", "0A000"),
        ("alter database a reset work_mem", "0A000"),
        ("alter database a owner to ann", "0A000"),
    ] {
        assert_eq!(code(sql), expected, "{sql}");
    }
    let events = |database: Option<&str>, server: Option<&str>, limit| {
        let (database, server) = (database.map(String::from), server.map(String::from));
        Statement::Show(Show::Events { database, server, limit })
    };
    assert_eq!(one("show events"), events(None, None, 100));
    assert_eq!(one("SHOW EVENTS FOR DATABASE \"A\" LIMIT 7"), events(Some("A"), None, 7));
    assert_eq!(one("show events for server s1"), events(None, Some("s1"), 100));
    for wrong in
        ["show events for", "show events for handler h", "show events limit x", "show events limit -1"]
    {
        assert_eq!(code(wrong), "42601", "{wrong}");
    }
    let placement = |shown| Statement::Show(Show::Placement(shown));
    assert_eq!(one("show placement"), placement(Placement::Servers));
    assert_eq!(one("show placement plan"), placement(Placement::Plan));
    assert_eq!(one("show placement log limit 7"), placement(Placement::Log { limit: 7 }));
    assert_eq!(one("SHOW PLACEMENT FOR DATABASE \"A\""), placement(Placement::Database("A".into())));
    for wrong in ["show placement for", "show placement log limit x", "show placement pause"] {
        assert_eq!(code(wrong), "42601", "{wrong}");
    }
    let moved = Statement::MoveDatabase { name: "a".into(), server: "S-2".into() };
    assert_eq!(one("move database a to \"S-2\""), moved);
}

#[test]
fn users_have_passwords() {
    let put = |exists| Statement::PutUser { name: "bob".into(), password: Password("it's".into()), exists };
    assert_eq!(one("create user bob password 'it''s'"), put(false));
    assert_eq!(one("create role Bob with login inherit encrypted password 'it''s'"), put(false));
    assert_eq!(one("alter user bob with password $$it's$$"), put(true));
    assert_eq!(one("drop role if exists bob"), Statement::DropUser { name: "bob".into(), if_exists: true });
    assert!(!format!("{:?}", one("create user bob password 'secret'")).contains("secret"));
    for sql in ["create user bob", "create user bob superuser password 'x'", "create user bob password null"]
    {
        assert!(["0A000", "42601"].contains(&code(sql).as_str()), "{sql}");
    }
}

#[test]
fn what_drivers_ask_at_connect_is_answered() {
    let text = |name: &str| Column::new(name, Kind::Text);
    let Statement::Values(values) =
        one("select pg_catalog.version(), current_schema() as s, 1 a, 'x'::text, current_user")
    else {
        panic!("values")
    };
    let columns: Vec<Column> = values.iter().map(|(column, _)| column.clone()).collect();
    let one_column = Column::new("a", Kind::Int4);
    assert_eq!(columns, [text("version"), text("s"), one_column, text("?column?"), text("current_user")]);
    assert_eq!(values[2].1, Scalar::Constant(Cell::Int(1)));
    assert_eq!(values[4].1, Scalar::User);
    for (sql, tag) in [
        ("set extra_float_digits = 3", "SET"),
        ("SET application_name = 'x; y'", "SET"),
        ("reset all", "RESET"),
        ("discard all", "DISCARD ALL"),
        ("unlisten *", "UNLISTEN"),
    ] {
        assert!(matches!(one(sql), Statement::Nothing { tag: found } if found == tag), "{sql}");
    }
    let many =
        parse("select pg_advisory_unlock_all(); close all; unlisten *; reset all;").expect("asyncpg's reset");
    assert_eq!(many.len(), 4);
    let shown = |name: &str| Statement::Show(Show::Setting(name.into(), scalar_setting(name)));
    assert_eq!(one("show transaction isolation level"), shown("transaction_isolation"));
    assert_eq!(one("SHOW TIME ZONE"), shown("timezone"));
    assert_eq!(one("show standard_conforming_strings"), shown("standard_conforming_strings"));
}

fn scalar_setting(name: &str) -> &'static str {
    crate::admin::scalar::setting(name).expect("known")
}

#[test]
fn queries_on_pg_database_keep_their_columns_and_conditions() {
    let query = |sql: &str| match one(sql) {
        Statement::Databases(query) => query,
        other => panic!("{sql}: {other:?}"),
    };
    let constant = Attribute::Constant(Column::new("?column?", Kind::Int4), Cell::Int(1));
    assert_eq!(
        query("SELECT 1 FROM pg_database WHERE datname='shop'"),
        DatabaseQuery {
            select: vec![("?column?".into(), constant)],
            conditions: vec![Condition::Named("shop".into())],
        }
    );
    let conditions = |sql: &str| query(&format!("select datname from pg_database d where {sql}")).conditions;
    assert_eq!(
        conditions("d.datname = $1 and not d.datistemplate"),
        [Condition::NamedBy(1), Condition::Constant(true)]
    );
    assert_eq!(conditions("datallowconn = false order by 1"), [Condition::Constant(false)]);
    assert_eq!(conditions("datistemplate = true"), [Condition::Constant(false)]);
    let pattern = "d.datname OPERATOR(pg_catalog.~) '^(a.*)$' COLLATE pg_catalog.default";
    assert_eq!(conditions(pattern), [Condition::Matches("a.*".into())]);
    let names: Vec<String> =
        query("select oid, d.datname, pg_get_userbyid(d.datdba), d.encoding as e from pg_database d")
            .select
            .into_iter()
            .map(|(name, _)| name)
            .collect();
    assert_eq!(names, ["oid", "datname", "pg_get_userbyid", "e"]);
    for sql in [
        "select datname from pg_database where datname like 'a%'",
        "select datname from pg_database where datname = 'a' or datname = 'b'",
        "select datname from pg_class",
        "select count(*), datname from pg_database",
    ] {
        assert_eq!(code(sql), "0A000", "{sql}");
    }
    assert_eq!(code("select frozen from pg_database"), "42703");
}

#[test]
fn errors_point_at_their_place() {
    for (sql, at) in [
        ("create database 5", 16),
        ("create database a b", 18),
        ("select 1; frobnicate now", 10),
        ("drop database", 13),
        ("show", 4),
        ("  'x", 2),
    ] {
        let failure = parse(sql).expect_err(sql);
        assert_eq!((failure.code, failure.at), (sqlstate::SYNTAX_ERROR, Some(at)), "{sql}: {failure:?}");
    }
}

#[test]
fn no_text_is_too_strange_to_be_refused() {
    let mut random = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(5);
    let words = [
        "create",
        "database",
        "select",
        "from",
        "pg_database",
        "where",
        "datname",
        "=",
        "'x'",
        "\"y\"",
        "(",
        ")",
        ",",
        ";",
        "$1",
        "$$",
        "'",
        "::",
        "as",
        "count",
        "*",
        "show",
        "user",
        "password",
        ".",
        "é",
        "--",
        "/*",
        "5",
        "\\",
    ];
    for _ in 0..50_000 {
        let count = rand::Rng::random_range(&mut random, 0..12);
        let text: Vec<&str> =
            (0..count).map(|_| words[rand::Rng::random_range(&mut random, 0..words.len())]).collect();
        let text = text.join(" ");
        if let Err(failure) = parse(&text) {
            assert!(["42", "0A"].contains(&failure.code.class()), "{text}: {failure:?}");
            assert!(failure.at.is_none_or(|at| at <= text.len()), "{text}: {failure:?}");
        }
    }
}
