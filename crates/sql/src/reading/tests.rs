//! Statements and what is read out of them.

use super::*;

fn effects(sql: &str) -> Effects {
    match read(sql, true) {
        Reading::Notable(effects) => *effects,
        other => panic!("{sql:?} reads as {other:?}"),
    }
}

#[test]
fn ordinary_statements_say_nothing() {
    for sql in [
        "",
        ";",
        "select 1",
        " SELECT abalance FROM t WHERE aid = 1; ",
        "select ';create database x'",
        "insert into t values ('commit')",
        "with a as (select 1) select * from a",
        "create table t (a int)",
        "create index i on t (a)",
        "drop table database",
        "rollback",
        "rollback to savepoint a",
        "set local work_mem = 1",
        "set transaction isolation level serializable",
        "explain select 1",
        "'commit",
    ] {
        assert_eq!(read(sql, true), Reading::Plain, "{sql}");
    }
}

#[test]
fn statements_about_databases_are_the_handlers_own() {
    for sql in [
        "create database x",
        "CREATE/*c*/ DATABASE \"X\" ;",
        "-- c\ndrop database if exists x;",
        "alter database a rename to b",
    ] {
        assert_eq!(read(sql, true), Reading::Database, "{sql}");
    }
    for sql in ["create database x; select 1", "select 1; drop database x", "create table database (a int)"] {
        assert_ne!(read(sql, true), Reading::Database, "{sql}");
    }
}

#[test]
fn ends_of_transactions_are_seen_wherever_they_stand() {
    for sql in [
        "commit",
        "END;",
        "COMMIT AND CHAIN",
        "prepare transaction 'a'",
        "insert into t values (1); commit",
        "select ';'; end;",
        "call p()",
    ] {
        assert!(effects(sql).commits, "{sql}");
    }
}

#[test]
fn what_cannot_be_made_again_pins() {
    for (sql, pin) in [
        ("create temp table t (a int)", Pin::Temporary),
        ("CREATE TEMPORARY VIEW v AS SELECT 1", Pin::Temporary),
        ("create table temp.t (a int)", Pin::Temporary),
        ("select 1; create temp table t (a int)", Pin::Temporary),
        ("prepare p as select 1", Pin::Prepared),
        ("listen c", Pin::Listen),
        ("declare c cursor with hold for select 1", Pin::Cursor),
    ] {
        assert_eq!(effects(sql).pin, Some(pin), "{sql}");
    }
    assert_eq!(read("declare c cursor for select 1", true), Reading::Plain);
}

#[test]
fn settings_are_kept_as_they_were_written() {
    let set = |name: &str, sql: &str| Setting::Set { name: name.into(), sql: sql.into() };
    for (sql, expected) in [
        ("SET search_path = a, b;", vec![set("search_path", "SET search_path = a, b")]),
        ("set session DateStyle to 'ISO' ", vec![set("datestyle", "set session DateStyle to 'ISO'")]),
        ("set time zone 'UTC'", vec![set("timezone", "set time zone 'UTC'")]),
        ("set a.b = 'x;y'", vec![set("a.b", "set a.b = 'x;y'")]),
        ("select 1; set a = 1; set b = 2", vec![set("a", "set a = 1"), set("b", "set b = 2")]),
        ("reset a.b", vec![Setting::Reset { name: "a.b".into() }]),
        ("RESET ALL", vec![Setting::ResetAll]),
        ("discard all", vec![Setting::ResetAll]),
    ] {
        assert_eq!(effects(sql).settings, expected, "{sql}");
    }
}

#[test]
fn forgotten_statements_are_named() {
    for (sql, expected) in [
        ("deallocate p", Forgotten::One("p".into())),
        ("DEALLOCATE PREPARE \"P\"", Forgotten::One("P".into())),
        ("deallocate all", Forgotten::All),
        ("discard all", Forgotten::All),
    ] {
        assert_eq!(effects(sql).forgotten, Some(expected), "{sql}");
    }
}

#[test]
fn a_beginning_is_read_as_far_as_it_goes() {
    assert_eq!(read("insert into t values ('a", false), Reading::Plain);
    assert_eq!(read("create database x", false), Reading::Database);
}
