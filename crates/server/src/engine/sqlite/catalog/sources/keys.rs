//! `pg_index`, `pg_constraint`, `pg_trigger`, `pg_sequence`, `pg_depend`.

use super::super::super::types::Value;
use super::super::context::{BTREE, PUBLIC, collation_oid, namespace};
use super::super::facts::{Constraint, ConstraintKind, Facts, Foreign, Key, Relation, oids};
use super::super::values::{Rows, array, row, vector};

/// `indoption` of DESC. It says that NULLs come first, as PostgreSQL's default does; SQLite puts them last.
const DESCENDING: i64 = 3;

pub(super) fn index(facts: &Facts) -> Rows {
    let mut rows = Rows::new(&[
        "indexrelid",
        "indrelid",
        "indnatts",
        "indnkeyatts",
        "indisunique",
        "indisprimary",
        "indimmediate",
        "indisvalid",
        "indisready",
        "indislive",
        "indkey",
        "indcollation",
        "indclass",
        "indoption",
        "indexprs",
        "indpred",
    ]);
    for index in &facts.indexes {
        let table = facts.relation(index.table);
        let count = i64::try_from(index.keys.len()).unwrap_or(0);
        let each = |read: &dyn Fn(&Key) -> i64| vector(index.keys.iter().map(read));
        let expressions: Vec<&str> =
            index.keys.iter().filter(|key| key.column == 0).map(|key| key.text.as_str()).collect();
        rows.push(row![
            index.oid,
            index.table,
            count,
            count,
            index.unique,
            index.primary,
            true,
            true,
            true,
            true,
            each(&|key| key.column.into()),
            each(&|key| key.collation.as_deref().map_or(0, collation_oid).into()),
            each(&|key| operator_class(table, key)),
            each(&|key| if key.descending { DESCENDING } else { 0 }),
            (!expressions.is_empty()).then(|| expressions.join(", ")),
            index.predicate.clone(),
        ]);
    }
    rows
}

/// The default b-tree operator class of a key's type: type, class, its name, its family.
const CLASSES: &[(u32, u32, &str, u32)] = &[
    (16, 10_003, "bool_ops", 424),
    (17, 10_006, "bytea_ops", 428),
    (18, 10_007, "char_ops", 429),
    (19, 10_028, "name_ops", 1994),
    (20, 3124, "int8_ops", 1976),
    (21, 1979, "int2_ops", 1976),
    (23, 1978, "int4_ops", 1976),
    (25, 3126, "text_ops", 1994),
    (26, 1981, "oid_ops", 1989),
    (700, 10_012, "float4_ops", 1970),
    (701, 3123, "float8_ops", 1970),
    (869, 10_015, "inet_ops", 1974),
    (1042, 10_004, "bpchar_ops", 426),
    (1082, 3122, "date_ops", 434),
    (1083, 10_038, "time_ops", 1996),
    (1114, 3128, "timestamp_ops", 434),
    (1184, 3127, "timestamptz_ops", 434),
    (1186, 10_022, "interval_ops", 1982),
    (1266, 10_041, "timetz_ops", 2000),
    (1560, 10_002, "bit_ops", 423),
    (1562, 10_043, "varbit_ops", 2002),
    (1700, 3125, "numeric_ops", 1988),
    (2950, 10_065, "uuid_ops", 2968),
    (3802, 10_088, "jsonb_ops", 4033),
];

fn operator_class(table: Option<&Relation>, key: &Key) -> i64 {
    let ty = table.and_then(|table| table.column(key.column)).map_or(25, |column| column.ty.oid.0);
    let class = CLASSES.iter().find(|(of, ..)| *of == ty);
    class.map_or(3126, |(_, class, ..)| i64::from(*class))
}

pub(super) fn operator_classes() -> Rows {
    let mut rows = Rows::new(&[
        "oid",
        "opcmethod",
        "opcname",
        "opcnamespace",
        "opcowner",
        "opcfamily",
        "opcintype",
        "opcdefault",
    ]);
    for (ty, class, name, family) in CLASSES {
        rows.push(row![*class, BTREE, *name, 11, 10, *family, *ty, true]);
    }
    rows
}

pub(super) fn constraint(facts: &Facts) -> Rows {
    let mut rows = Rows::new(&[
        "oid",
        "conname",
        "connamespace",
        "contype",
        "condeferrable",
        "condeferred",
        "convalidated",
        "conrelid",
        "conindid",
        "confrelid",
        "confupdtype",
        "confdeltype",
        "confmatchtype",
        "conislocal",
        "connoinherit",
        "conkey",
        "confkey",
        "conbin",
    ]);
    for made in &facts.constraints {
        rows.push(constraint_row(facts, made));
    }
    rows
}

fn constraint_row(facts: &Facts, made: &Constraint) -> Vec<Value> {
    let schema = facts.relation(made.table).map_or(PUBLIC, |table| namespace(table.temporary));
    let none = (" ", " ", " ");
    let (code, other, actions, other_columns, expression) = match &made.kind {
        ConstraintKind::Primary { .. } => ("p", 0, none, None, None),
        ConstraintKind::Unique { .. } => ("u", 0, none, None, None),
        ConstraintKind::Check { expression } => ("c", 0, none, None, Some(expression.clone())),
        ConstraintKind::Foreign(foreign) => {
            ("f", foreign.table, actions(foreign), Some(array(&foreign.columns)), None)
        }
    };
    row![
        made.oid,
        &made.name,
        schema,
        code,
        made.deferrable,
        made.deferred,
        true,
        made.table,
        made.index(),
        other,
        actions.0,
        actions.1,
        actions.2,
        true,
        code != "c",
        (!made.columns.is_empty()).then(|| array(&made.columns)),
        other_columns,
        expression,
    ]
}

fn actions(foreign: &Foreign) -> (&'static str, &'static str, &'static str) {
    (foreign.on_update.code(), foreign.on_delete.code(), "s")
}

pub(super) fn trigger(facts: &Facts) -> Rows {
    let mut rows = Rows::new(&["oid", "tgrelid", "tgname", "tgtype", "tgenabled", "tgattr"]);
    for trigger in &facts.triggers {
        rows.push(row![trigger.oid, trigger.table, &trigger.name, 1, "O", ""]);
    }
    rows
}

/// The sequences of identity columns; SQLite counts rows itself and has no other.
pub(super) fn sequence(facts: &Facts) -> Rows {
    let mut rows =
        Rows::new(&["seqrelid", "seqtypid", "seqstart", "seqincrement", "seqmax", "seqmin", "seqcache"]);
    for (relation, ..) in facts.identities() {
        rows.push(row![oids::sequence(relation.oid), 20, 1, 1, i64::MAX, 1, 1]);
    }
    rows
}

/// Only what tools look up: sequences belong to their columns, indexes to their constraints.
pub(super) fn depend(facts: &Facts) -> Rows {
    let mut rows =
        Rows::new(&["classid", "objid", "objsubid", "refclassid", "refobjid", "refobjsubid", "deptype"]);
    for (relation, number, _) in facts.identities() {
        rows.push(row![1259, oids::sequence(relation.oid), 0, 1259, relation.oid, number, "i"]);
    }
    for made in &facts.constraints {
        if let ConstraintKind::Primary { index } | ConstraintKind::Unique { index } = &made.kind {
            rows.push(row![1259, *index, 0, 2606, made.oid, 0, "i"]);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use wire::Oid;

    use super::super::super::facts::Index;
    use super::super::super::types;
    use super::*;

    #[test]
    fn operator_classes_are_of_known_types_and_unique() {
        let mut classes: Vec<u32> = CLASSES.iter().map(|(_, class, ..)| *class).collect();
        classes.sort_unstable();
        classes.dedup();
        assert_eq!(classes.len(), CLASSES.len());
        assert!(CLASSES.iter().all(|(ty, ..)| types::by_oid(Oid(*ty)).is_some()));
    }

    #[test]
    fn an_index_without_its_table_is_still_listed() {
        let facts = Facts {
            indexes: vec![Index {
                oid: 1,
                name: "i".to_owned(),
                stored: "i".to_owned(),
                table: 2,
                unique: false,
                primary: false,
                keys: Vec::new(),
                predicate: None,
            }],
            ..Facts::default()
        };
        assert_eq!(index(&facts).rows.len(), 1);
    }
}
