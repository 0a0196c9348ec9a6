use super::super::sql;
use super::super::tokens::Tokens;
use super::super::types::names;
use super::*;

struct Shop;

impl Tables for Shop {
    fn columns(&self, table: &str) -> Option<Vec<OutColumn>> {
        let columns: &[(&str, &str)] = match table {
            "t" => &[
                ("id", "integer"),
                ("name", "text"),
                ("price", "numeric(10,2)"),
                ("born", "timestamptz"),
                ("ok", "boolean"),
                ("tags", "text[]"),
            ],
            "u" => &[("id", "bigint"), ("day", "date"), ("weight", "float8")],
            _unknown => return None,
        };
        let column = |(name, ty): &(&str, &str)| OutColumn {
            name: (*name).to_owned(),
            ty: Type::declared(ty),
            computed: false,
        };
        Some(columns.iter().map(column).collect())
    }

    fn columns_in(&self, _: &str, table: &str) -> Option<Vec<OutColumn>> {
        self.columns(table)
    }
}

/// `name type, …` of the columns, then `| ` and the parameters.
fn inferred(text: &str) -> String {
    let Some(statement) = sql::parse(Tokens::statement(text, 0)) else { return "unreadable".to_owned() };
    let inferred = infer(&statement, &Shop, &[]);
    let name =
        |ty: Option<Type>| ty.and_then(|ty| names::internal_name(ty.oid)).unwrap_or_else(|| "-".to_owned());
    let columns: Vec<String> =
        inferred.columns.iter().map(|column| format!("{} {}", column.name, name(column.ty))).collect();
    let parameters: Vec<String> = inferred.parameters.iter().map(|ty| name(*ty)).collect();
    format!("{}|{}", columns.join(", "), parameters.join(" "))
}

#[test]
fn columns_get_postgresqls_names_and_types() {
    let table = [
        (
            "select 1, 'a', true, null, 1.5",
            "?column? int4, ?column? -, bool bool, ?column? -, ?column? numeric|",
        ),
        (
            "select count(*), sum(id), avg(price), max(born) from t",
            "count int8, sum int8, avg numeric, max timestamptz|",
        ),
        ("select sum(id), sum(weight) from u", "sum numeric, sum float8|"),
        (
            "select id = 1, id + 1, id * 2.0, name || 'x' from t",
            "?column? bool, ?column? int4, ?column? numeric, ?column? text|",
        ),
        ("select id::text, cast(1 as bigint), date '2024-01-01' from t", "id text, int8 int8, date date|"),
        ("select case when ok then id else 0 end, exists(select 1) from t", "case int4, exists bool|"),
        ("select coalesce(name, 'x') as n, (select max(id) from u) from t", "n text, max int8|"),
        (
            "select *, u.day from t join u on t.id = u.id",
            "id int4, name text, price numeric, born timestamptz, ok bool, tags _text, id int8, day date, weight float8, day date|",
        ),
        ("with c(x) as (select id from u) select x, x + 1 from c", "x int8, ?column? int8|"),
        (
            "with recursive r(n) as (select 1 union all select n + 1 from r where n < 5) select n from r",
            "n int4|",
        ),
        ("select v.a from (values (1, 'x'), (2.5, 'y')) as v(a, b)", "a numeric|"),
        (
            "select array_agg(id), array[1, 2], tags[1], now() - interval '1 day' from t",
            "array_agg _int4, array _int4, tags text, ?column? timestamptz|",
        ),
        ("select day - date '2024-01-01', day + 1 from u", "?column? int4, ?column? date|"),
        ("select id from t union all select id from u", "id int8|"),
        ("insert into t (name) values ('x') returning id, upper(name)", "id int4, upper text|"),
        ("select row_number() over (partition by name order by id) from t", "row_number int8|"),
    ];
    for (sql, expected) in table {
        assert_eq!(inferred(sql), expected, "{sql}");
    }
}

#[test]
fn parameters_take_their_types_from_their_surroundings() {
    let table = [
        ("select * from u where id = $1 and weight > $2 and day between $3 and $4", "int8 float8 date date"),
        (
            "insert into t (id, name, price) values ($1, $2, $3), ($4, $5, $6)",
            "int4 text numeric int4 text numeric",
        ),
        ("insert into t select $1, $2 from u", "int4 text"),
        ("update t set name = $1, price = price + $2 where id in ($3, $4)", "text numeric int4 int4"),
        ("delete from t where born < $1 or $2", "timestamptz bool"),
        ("select $1::int, $2::text[], cast($3 as date)", "int4 _text date"),
        ("select id from t limit $1 offset $2", "int8 int8"),
        ("select id from t where name like $1 and id = any($2)", "text _int4"),
        ("select id from t where lower(name) = lower($1) and $2 = id", "text int4"),
        ("select coalesce($1, id) from t", "int4"),
        ("select id + $1, $2 from t", "int4 -"),
        (
            "insert into t (id) values ($1) on conflict (id) do update set name = $2, price = excluded.price",
            "int4 text",
        ),
        ("select id from t where (id, name) = ($1, $2)", "int4 text"),
        ("select 1 where exists (select 1 from u where u.id = $1)", "int8"),
        ("update t set (id, name) = ($1, $2)", "int4 text"),
        ("select name || $1 from t where $2 is null", "text -"),
    ];
    for (sql, expected) in table {
        let text = inferred(sql);
        assert_eq!(text.split_once('|').map(|(_, parameters)| parameters), Some(expected), "{sql}");
    }
}
