//! `information_schema`: constraints.

use super::super::super::context::Context;
use super::super::super::facts::{Constraint, ConstraintKind, Facts, Relation};
use super::super::super::values::{Rows, row};
use super::yes;

/// Every constraint with its table.
fn each(facts: &Facts) -> impl Iterator<Item = (&Constraint, &Relation)> {
    facts.constraints.iter().filter_map(|made| facts.relation(made.table).map(|table| (made, table)))
}

pub(in super::super) fn table_constraints(facts: &Facts, context: &Context) -> Rows {
    let mut rows = Rows::new(&[
        "constraint_catalog",
        "constraint_schema",
        "constraint_name",
        "table_catalog",
        "table_schema",
        "table_name",
        "constraint_type",
        "is_deferrable",
        "initially_deferred",
        "enforced",
    ]);
    for (made, table) in each(facts) {
        let kind = match made.kind {
            ConstraintKind::Primary { .. } => "PRIMARY KEY",
            ConstraintKind::Unique { .. } => "UNIQUE",
            ConstraintKind::Check { .. } => "CHECK",
            ConstraintKind::Foreign(_) => "FOREIGN KEY",
        };
        rows.push(row![
            &context.database,
            table.schema(),
            &made.name,
            &context.database,
            table.schema(),
            &table.name,
            kind,
            yes(made.deferrable),
            yes(made.deferred),
            "YES"
        ]);
    }
    rows
}

pub(in super::super) fn key_columns(facts: &Facts, context: &Context) -> Rows {
    let mut rows = Rows::new(&[
        "constraint_catalog",
        "constraint_schema",
        "constraint_name",
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "ordinal_position",
        "position_in_unique_constraint",
    ]);
    for (made, table) in each(facts) {
        let foreign = match &made.kind {
            ConstraintKind::Check { .. } => continue,
            ConstraintKind::Primary { .. } | ConstraintKind::Unique { .. } => None,
            ConstraintKind::Foreign(foreign) => Some(foreign),
        };
        for (name, position) in table.column_names(&made.columns).into_iter().zip(1i32..) {
            let other = foreign.map(|foreign| {
                let column = foreign.columns.get(usize::try_from(position - 1).unwrap_or(0));
                let keys = facts.index(foreign.index).map(|index| index.keys.as_slice()).unwrap_or_default();
                let at = keys.iter().position(|key| Some(&key.column) == column).unwrap_or(0);
                i32::try_from(at + 1).unwrap_or(1)
            });
            rows.push(row![
                &context.database,
                table.schema(),
                &made.name,
                &context.database,
                table.schema(),
                &table.name,
                name,
                position,
                other
            ]);
        }
    }
    rows
}

pub(in super::super) fn references(facts: &Facts, context: &Context) -> Rows {
    let mut rows = Rows::new(&[
        "constraint_catalog",
        "constraint_schema",
        "constraint_name",
        "unique_constraint_catalog",
        "unique_constraint_schema",
        "unique_constraint_name",
        "match_option",
        "update_rule",
        "delete_rule",
    ]);
    for (made, table) in each(facts) {
        let ConstraintKind::Foreign(foreign) = &made.kind else { continue };
        let unique = facts.index(foreign.index);
        rows.push(row![
            &context.database,
            table.schema(),
            &made.name,
            unique.map(|_| context.database.clone()),
            unique.map(|_| table.schema()),
            unique.map(|index| index.name.clone()),
            "NONE",
            foreign.on_update.words(),
            foreign.on_delete.words()
        ]);
    }
    rows
}

/// Of foreign keys the columns on the other side, of others their own.
pub(in super::super) fn constraint_columns(facts: &Facts, context: &Context) -> Rows {
    let mut rows = Rows::new(&[
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "constraint_catalog",
        "constraint_schema",
        "constraint_name",
    ]);
    for (made, table) in each(facts) {
        let (of, columns) = match &made.kind {
            ConstraintKind::Foreign(foreign) => match facts.relation(foreign.table) {
                Some(other) => (other, other.column_names(&foreign.columns)),
                None => continue,
            },
            ConstraintKind::Primary { .. } | ConstraintKind::Unique { .. } | ConstraintKind::Check { .. } => {
                (table, table.column_names(&made.columns))
            }
        };
        for column in columns {
            rows.push(row![
                &context.database,
                of.schema(),
                &of.name,
                column,
                &context.database,
                table.schema(),
                &made.name
            ]);
        }
    }
    rows
}

/// Of foreign keys the table on the other side, of others their own.
pub(in super::super) fn constraint_tables(facts: &Facts, context: &Context) -> Rows {
    let mut rows = Rows::new(&[
        "table_catalog",
        "table_schema",
        "table_name",
        "constraint_catalog",
        "constraint_schema",
        "constraint_name",
    ]);
    for (made, table) in each(facts) {
        let of = match &made.kind {
            ConstraintKind::Foreign(foreign) => facts.relation(foreign.table),
            ConstraintKind::Primary { .. } | ConstraintKind::Unique { .. } | ConstraintKind::Check { .. } => {
                Some(table)
            }
        };
        let Some(of) = of else { continue };
        rows.push(row![
            &context.database,
            of.schema(),
            &of.name,
            &context.database,
            table.schema(),
            &made.name
        ]);
    }
    rows
}

pub(in super::super) fn checks(facts: &Facts, context: &Context) -> Rows {
    let mut rows = Rows::new(&["constraint_catalog", "constraint_schema", "constraint_name", "check_clause"]);
    for (made, table) in each(facts) {
        let ConstraintKind::Check { expression } = &made.kind else { continue };
        rows.push(row![&context.database, table.schema(), &made.name, format!("({expression})")]);
    }
    rows
}
