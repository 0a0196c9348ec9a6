use super::*;

fn unnamed(kind: KindText) -> ConstraintText {
    ConstraintText { name: None, kind, deferrable: false, deferred: false }
}

#[test]
fn a_table_is_taken_apart_into_columns_and_constraints() {
    let sql = "CREATE TABLE t (
        id INTEGER PRIMARY KEY, -- the key, with a comma
        \"check\" TEXT COLLATE NOCASE NOT NULL DEFAULT 'unique, check (x)',
        price NUMERIC(10, 2) CONSTRAINT positive CHECK (price > 0) UNIQUE,
        owner BIGINT REFERENCES people (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
        total NUMERIC GENERATED ALWAYS AS (price * (1 + 2)) STORED,
        CONSTRAINT pair UNIQUE (owner, price DESC),
        FOREIGN KEY (owner, total) REFERENCES other,
        CHECK (length(\"check\") > 0)
    )";
    let definition = table(sql);
    let names: Vec<&str> = definition.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "check", "price", "owner", "total"]);
    assert_eq!(definition.columns[1].collation.as_deref(), Some("nocase"));
    assert_eq!(definition.columns[4].generated.as_deref(), Some("price * (1 + 2)"));
    assert_eq!(
        definition.constraints,
        [
            unnamed(KindText::Primary),
            ConstraintText {
                name: Some("positive".to_owned()),
                ..unnamed(KindText::Check("price > 0".to_owned()))
            },
            unnamed(KindText::Unique(vec!["price".to_owned()])),
            ConstraintText {
                deferrable: true,
                deferred: true,
                ..unnamed(KindText::Foreign(vec!["owner".to_owned()]))
            },
            ConstraintText {
                name: Some("pair".to_owned()),
                ..unnamed(KindText::Unique(vec!["owner".to_owned(), "price".to_owned()]))
            },
            unnamed(KindText::Foreign(vec!["owner".to_owned(), "total".to_owned()])),
            unnamed(KindText::Check("length(\"check\") > 0".to_owned())),
        ]
    );
}

#[test]
fn a_row_id_meant_as_bigint_is_marked() {
    let definition = table("CREATE TABLE t (id INTEGER CONSTRAINT \"bigserial\" PRIMARY KEY, a TEXT)");
    assert!(definition.columns[0].big && !definition.columns[1].big);
    assert_eq!(definition.constraints, [unnamed(KindText::Primary)]);
}

#[test]
fn other_forms_of_create_table_tell_nothing_and_do_no_harm() {
    for sql in [
        "CREATE TABLE t AS SELECT (1) AS a",
        "CREATE VIRTUAL TABLE t USING fts5(a, b)",
        "CREATE TABLE t (",
        "",
    ] {
        assert_eq!(table(sql).constraints, [], "{sql}");
    }
}

#[test]
fn keys_of_an_index_come_without_direction_and_collation() {
    let (keys, predicate) =
        index("CREATE INDEX i ON t (a DESC, lower(b || ',') COLLATE NOCASE, (a + 1)) WHERE a IS NOT NULL;");
    assert_eq!(keys, ["a", "lower(b || ',')", "(a + 1)"]);
    assert_eq!(predicate.as_deref(), Some("a IS NOT NULL"));
    assert_eq!(index("CREATE UNIQUE INDEX i ON t(a)"), (vec!["a".to_owned()], None));
}

#[test]
fn a_view_gives_its_query() {
    assert_eq!(view_query("CREATE VIEW v (a, b) AS SELECT 1 AS x, 2"), "SELECT 1 AS x, 2");
    assert_eq!(view_query("CREATE TEMP VIEW IF NOT EXISTS \"as\" AS\n SELECT 1;"), "SELECT 1");
}
