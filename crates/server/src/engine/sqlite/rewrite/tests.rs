use super::super::infer::{OutColumn, Tables, infer};
use super::super::tokens::Tokens;
use super::super::types::Type;
use super::*;

struct Shop;

impl Schema for Shop {
    fn columns(&self, table: &str) -> Option<Vec<String>> {
        (table == "t").then(|| ["id", "a", "b"].map(str::to_owned).to_vec())
    }

    fn typed_columns(&self, table: &str) -> Option<Vec<OutColumn>> {
        Tables::columns(self, table)
    }

    fn is_users(&self, table: &str) -> bool {
        table == "t"
    }

    fn constraint(&self, table: &str, name: &str) -> Option<Vec<String>> {
        (table == "t" && name == "t_pkey").then(|| vec!["id".to_owned()])
    }
}

impl Tables for Shop {
    fn columns(&self, table: &str) -> Option<Vec<OutColumn>> {
        let columns =
            [("id", "integer"), ("a", "text"), ("b", "date"), ("c", "timestamptz"), ("ok", "boolean")];
        let column = |(name, ty): (&str, &str)| OutColumn {
            name: name.to_owned(),
            ty: Type::declared(ty),
            computed: false,
        };
        (table == "t").then(|| columns.map(column).to_vec())
    }

    fn columns_in(&self, _: &str, table: &str) -> Option<Vec<OutColumn>> {
        Tables::columns(self, table)
    }
}

fn attempt(sql: &str) -> Result<Option<Rewritten>, SqlError> {
    let tokens = Tokens::statement(sql, 0);
    let whole = tokens.rest();
    let Some(statement) = sql::parse(tokens) else { return Ok(None) };
    let inferred = infer(&statement, &Shop, &[]);
    rewrite(sql, whole, &statement, &Shop, &inferred)
}

fn rewritten(sql: &str) -> String {
    match attempt(sql) {
        Ok(Some(rewritten)) => rewritten.sql,
        Ok(None) => "=".to_owned(),
        Err(error) => format!("{} {}", error.state, error.message),
    }
}

#[test]
fn postgresql_spellings_become_sqlite_spellings() {
    let table = [
        ("select a::int from t", "select pg_cast(23, -1, a) from t"),
        ("select CAST(a || b AS date)", "select pg_cast(1082, -1, a || b)"),
        ("select a::text::varchar(3)", "select substr(CAST(CAST(a AS TEXT) AS TEXT), 1, 3)"),
        ("select - a::numeric(10,2)", "select - pg_cast(1700, 655366, a)"),
        ("select date '2024-1-2', interval '1 day'", "select '2024-01-02', '1 day'"),
        ("select E'a\\n', $$b'c$$", "select 'a\n', 'b''c'"),
        (
            "select 1 from t where a ilike 'x%' and b !~ '^y'",
            "select 1 from t where pg_ilike(a, 'x%') and (NOT pg_regex(b, '^y', 0))",
        ),
        (
            "select * from t where id = any($1)",
            "select * from t where id IN (SELECT value FROM json_each(pg_array_json($1)))",
        ),
        (
            "select * from t where a = any(array['x'::text, 'y'])",
            "select * from t where a IN (CAST('x' AS TEXT), 'y')",
        ),
        ("select * from t where id <> all (select 1)", "select * from t where id NOT IN (select 1)"),
        ("select array[1, a::int]", "select pg_array(1, pg_cast(23, -1, a))"),
        ("select extract(year from a), position('x' in b)", "select pg_extract('year', a), instr(b, 'x')"),
        ("select substring(a from 2 for 3), trim(both ' ' from b)", "select substr(a, 2, 3), trim(b, ' ')"),
        ("select pg_catalog.lower(a)", "select lower(a)"),
        (
            "select b + 1, 7 + b, b - b from t",
            "select pg_add_days(b, 1, 1), pg_add_days(b, 7, 1), pg_days(b, b) from t",
        ),
        (
            "select c - now(), c + $1 from t",
            "select pg_difference(c, now()), pg_add_interval(c, $1, 1) from t",
        ),
        ("select interval '1 day' * 2, id - 1 from t", "select pg_scale_interval('1 day', 2), id - 1 from t"),
        ("select now() - interval '1 hour'", "select pg_add_interval(now(), '01:00:00', -1)"),
        ("select a from t offset 5", "select a from t LIMIT -1 OFFSET 5"),
        ("select a from t order by 1 fetch first row only", "select a from t order by 1 LIMIT 1"),
        ("select a from t limit all", "select a from t LIMIT -1"),
        ("select a from t limit 5 for update of t skip locked", "select a from t limit 5  "),
        (
            "select * from (values (1, 'x')) as v(n, s)",
            "select * from (WITH \"v\"(\"n\", \"s\") AS (values (1, 'x')) SELECT * FROM \"v\") AS \"v\"",
        ),
        ("(select 1) union (select 2)", "SELECT * FROM (select 1) union SELECT * FROM (select 2)"),
        (
            "select x from unnest('{1,2}') as x",
            "select x from (SELECT \"_f\".value AS \"x\" FROM json_each(pg_array_json('{1,2}')) AS \"_f\") AS \"x\"",
        ),
        ("insert into t values (default, 1)", "insert into t (\"a\") VALUES (1)"),
        ("insert into t values (1)", "insert into t (\"id\") VALUES (1)"),
        ("insert into t (id, a) values (default, default)", "insert into t DEFAULT VALUES"),
        (
            "insert into t (id) values (1) on conflict on constraint t_pkey do nothing",
            "insert into t (id) values (1) on conflict (\"id\") do nothing",
        ),
        (
            "delete from t using u where t.id = u.id",
            "delete from t WHERE rowid IN (SELECT \"t\".rowid FROM t,  u WHERE t.id = u.id)",
        ),
        ("select current_user, a is unknown", "select pg_current_user(), a IS NULL"),
        ("select a like 'x\\_%', a like $1", "select (a LIKE 'x\\_%' ESCAPE '\\'), (a LIKE $1 ESCAPE '\\')"),
        ("select a not like b from t", "select (a NOT LIKE b ESCAPE '\\') from t"),
        ("select a like 'x_%', a like b escape '!'", "="),
        ("select (a = 1) is distinct from (b = 2)", "="),
        ("select a from t where b like 'x' escape '!' order by a desc nulls last limit 3", "="),
        ("with recursive r(n) as (select 1 union all select n + 1 from r) select * from r", "="),
    ];
    for (sql, expected) in table {
        assert_eq!(rewritten(sql), expected, "{sql}");
    }
}

#[test]
fn functions_that_return_rows_move_into_from() {
    let table = [
        (
            "select a, unnest(b), generate_subscripts(b, 1) as n from t join u on t.id = u.id where a > 0",
            "select a, \"_rows10\".value, \"_rows21\".value as n from t join u on t.id = u.id, \
             json_each(pg_array_json(b)) AS \"_rows10\" JOIN json_each(pg_subscripts(b)) AS \"_rows21\" \
             ON \"_rows21\".key = \"_rows10\".key where a > 0",
        ),
        (
            "select (information_schema._pg_expandarray(b)).n from t",
            "select json_extract((json_object('x', \"_rows8\".value, 'n', (\"_rows8\".key + 1))), '$.n') from t, \
             json_each(pg_array_json(b)) AS \"_rows8\"",
        ),
        (
            "select u.x, n from t, unnest(t.b) with ordinality as u(x, n)",
            "select \"u\".value, (\"u\".key + 1) from t, json_each(pg_array_json(t.b)) AS \"u\"",
        ),
        (
            "select v from t cross join lateral generate_series(1, a) as v",
            "select \"v\".value from t cross join   json_each(pg_series(1, a)) AS \"v\"",
        ),
        (
            "select * from unnest('{1}') with ordinality as u(x, n)",
            "select * from (SELECT \"_f\".value AS \"x\", (\"_f\".key + 1) AS \"n\" FROM json_each(pg_array_json('{1}')) AS \"_f\") AS \"u\"",
        ),
        (
            "select word from pg_get_keywords()",
            "select word from pg_catalog.\"pg_get_keywords\" AS \"pg_get_keywords\"",
        ),
    ];
    for (sql, expected) in table {
        assert_eq!(rewritten(sql), expected, "{sql}");
    }
    assert!(rewritten("select 1 from t where unnest(b) = 1").starts_with("0A000"));
}

#[test]
fn names_of_the_catalogs_are_found() {
    let table = [
        (
            "select t.table_name from information_schema.tables t",
            "select t.table_name from pg_catalog.\"information_schema.tables\" t",
        ),
        (
            "select tables.table_name from information_schema.tables",
            "select tables.table_name from pg_catalog.\"information_schema.tables\" AS \"tables\"",
        ),
        ("select pg_temp.t.a from pg_temp.t", "select \"t\".\"a\" from temp.\"t\" AS \"t\""),
        (
            "select c.tableoid from pg_catalog.pg_class c where c.xmin = 1",
            "select 1259 from pg_catalog.pg_class c where 1 = 1",
        ),
        ("select tableoid, t.xmin from t", "="),
        (
            "select 'x'::regclass, a::regtype::text",
            "select pg_reg_name(2205, pg_reg_oid(2205, 'x')), pg_reg_name(2206, pg_reg_oid(2206, a))",
        ),
        (
            "select 1 where 'f(int)'::pg_catalog.regprocedure = a and a = any((select b from t)::int[])",
            "select 1 where pg_reg_oid(2202, 'f(int)') = a and a IN (SELECT value FROM json_each(pg_array_json(pg_cast(1007, -1, (select b from t)))))",
        ),
        ("select 1 where 'f'::regproc = a", "select 1 where pg_reg_oid(24, 'f') = a"),
    ];
    for (sql, expected) in table {
        assert_eq!(rewritten(sql), expected, "{sql}");
    }
}

#[test]
fn columns_inside_a_statement_have_postgresqls_names() {
    let table = [
        (
            "select s.count from (select count(*) from t) s",
            "select s.count from (select count(*) AS \"count\" from t) s",
        ),
        ("select x as default, t.index from t", "select x as \"default\", \"t\".\"index\" from t"),
        (
            "select 1::int from t where ok = 'f' or a = 't'",
            "select pg_cast(23, -1, 1) from t where ok = 0 or a = 't'",
        ),
        ("select coalesce((select 1), 2::int)", "select coalesce((select 1), pg_cast(23, -1, 2))"),
        (
            "select json_build_object('a', id = 1, 'b', a) from t",
            "select json_object('a', json(CASE WHEN id = 1 THEN 'true' WHEN NOT id = 1 THEN 'false' END), 'b', a) from t",
        ),
        (
            "select * from t, lateral unnest(a, b) with ordinality as u(x, y, n)",
            "select \"t\".*, json_extract(\"u\".value, '$[0]') AS \"x\", json_extract(\"u\".value, '$[1]') AS \"y\", \
             (\"u\".key + 1) AS \"n\" from t,   json_each(pg_zip(a, b)) AS \"u\"",
        ),
    ];
    for (sql, expected) in table {
        assert_eq!(rewritten(sql), expected, "{sql}");
    }
}

#[test]
fn what_sqlite_cannot_do_is_refused_by_name() {
    assert_eq!(
        rewritten("select distinct on (a) * from t"),
        "0A000 SELECT DISTINCT ON is not supported by the sqlite engine"
    );
    assert_eq!(rewritten("select date 'someday'"), "22007 invalid input syntax for type date: \"someday\"");
    assert!(rewritten("with x as (delete from t returning *) select * from x").starts_with("0A000"));
}

#[test]
fn positions_map_back_to_the_text() {
    let sql = "select a::int, missing from t";
    let rewritten = attempt(sql).expect("allowed").expect("changed");
    let at = rewritten.sql.find("missing").expect("kept");
    let (new, old) = rewritten.map.iter().rev().find(|(new, _)| *new <= at).expect("a piece");
    assert_eq!(old + (at - new), sql.find("missing").expect("there"));
}

#[test]
fn deep_nesting_is_left_alone() {
    let sql = format!("select {}1{}", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(rewritten(&sql), "=");
}
