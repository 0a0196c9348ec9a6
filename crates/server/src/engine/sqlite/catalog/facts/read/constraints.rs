//! Constraints: what SQLite's pragmas list, with the names and clauses of the text.

use std::collections::HashMap;

use super::super::super::super::ffi::Failure;
use super::super::definition::{Definition, KindText, columns_in};
use super::super::oids::Entry;
use super::super::{Action, Constraint, ConstraintKind, Facts, Foreign, Index, Key, Relation, RelationKind};
use super::Reader;

/// A row of `pragma_foreign_key_list` for each column of a key.
struct RawForeign {
    table: String,
    id: i64,
    other: String,
    column: String,
    other_column: Option<String>,
    on_update: String,
    on_delete: String,
}

/// The constraints of one table on their way into the facts.
struct Table<'a> {
    entry: Entry,
    relation: &'a Relation,
    definition: &'a Definition,
    made: Vec<Constraint>,
}

impl Table<'_> {
    fn add(&mut self, name: String, columns: Vec<i16>, kind: ConstraintKind, deferral: (bool, bool)) {
        let oid = self.entry.constraint(self.made.len());
        let (deferrable, deferred) = deferral;
        self.made.push(Constraint {
            oid,
            name,
            table: self.relation.oid,
            columns,
            kind,
            deferrable,
            deferred,
        });
    }

    /// The name that the text gives to the first constraint that `wanted` fits.
    fn given(&self, wanted: impl Fn(&KindText) -> bool) -> Option<&str> {
        let found = self.definition.constraints.iter().find(|constraint| wanted(&constraint.kind));
        found.and_then(|constraint| constraint.name.as_deref())
    }
}

impl Reader<'_> {
    /// `keys` holds the columns of the primary keys, `made` the indexes that constraints brought with them.
    pub(super) fn constraints(
        &mut self,
        facts: &mut Facts,
        keys: &HashMap<u32, Vec<i16>>,
        made: &[(Index, String)],
    ) -> Result<(), Failure> {
        let mut foreign: HashMap<String, Vec<RawForeign>> = HashMap::new();
        for key in self.foreign_keys()? {
            foreign.entry(key.table.clone()).or_default().push(key);
        }
        let Facts { relations, indexes, constraints, .. } = facts;
        let empty = Definition::default();
        let mine = |relation: &&Relation| relation.temporary == (self.schema == "temp");
        for relation in relations.iter().filter(mine) {
            if relation.kind == RelationKind::View {
                continue;
            }
            let entry = self.entries[&relation.name];
            let definition = self.definitions.get(&relation.oid).unwrap_or(&empty);
            let mut table = Table { entry, relation, definition, made: Vec::new() };
            let own: Vec<&(Index, String)> =
                made.iter().filter(|(index, _)| index.table == relation.oid).collect();
            let key = keys.get(&relation.oid).map(Vec::as_slice).unwrap_or_default();
            primary(&mut table, key, &own, &mut self.names, indexes);
            unique(&mut table, &own, &mut self.names, indexes);
            checks(&mut table, &mut self.names);
            let raw = foreign.remove(&relation.name).unwrap_or_default();
            foreign_keys(&mut table, raw, &mut self.names);
            constraints.append(&mut table.made);
        }
        Ok(())
    }

    /// In the order of the text.
    fn foreign_keys(&self) -> Result<Vec<RawForeign>, Failure> {
        let sql = "SELECT m.name, f.id, f.\"table\", f.\"from\", f.\"to\", f.on_update, f.on_delete
                   FROM $schema.sqlite_schema m JOIN pragma_foreign_key_list(m.name, '$schema') f
                   WHERE m.type = 'table' ORDER BY m.rowid, f.id DESC, f.seq";
        self.rows(sql, |row| RawForeign {
            table: row.text(0),
            id: row.integer(1),
            other: row.text(2),
            column: row.text(3),
            other_column: row.optional(4),
            on_update: row.text(5),
            on_delete: row.text(6),
        })
    }
}

fn primary(
    table: &mut Table<'_>,
    columns: &[i16],
    made: &[&(Index, String)],
    names: &mut super::Names,
    indexes: &mut Vec<Index>,
) {
    if columns.is_empty() {
        return;
    }
    let given = table.given(|kind| matches!(kind, KindText::Primary));
    let name = names.choose(given, &table.relation.name, &[], "pkey");
    let index = match made.iter().find(|(_, origin)| origin == "pk") {
        Some((index, _)) => named(index, &name),
        None => Index {
            oid: table.entry.key(),
            name: name.clone(),
            stored: String::new(),
            table: table.relation.oid,
            unique: true,
            primary: true,
            keys: columns.iter().map(|column| plain_key(table.relation, *column)).collect(),
            predicate: None,
        },
    };
    table.add(name, columns.to_vec(), ConstraintKind::Primary { index: index.oid }, (false, false));
    indexes.push(index);
}

fn plain_key(relation: &Relation, column: i16) -> Key {
    let text = relation.column(column).map(|column| column.name.clone()).unwrap_or_default();
    Key { column, text, descending: false, collation: None }
}

fn named(index: &Index, name: &str) -> Index {
    let copy = |key: &Key| Key { text: key.text.clone(), collation: key.collation.clone(), ..*key };
    Index {
        name: name.to_owned(),
        stored: index.stored.clone(),
        keys: index.keys.iter().map(copy).collect(),
        predicate: None,
        ..*index
    }
}

fn unique(
    table: &mut Table<'_>,
    made: &[&(Index, String)],
    names: &mut super::Names,
    indexes: &mut Vec<Index>,
) {
    for (index, _) in made.iter().filter(|(_, origin)| origin == "u").copied() {
        let columns: Vec<i16> = index.keys.iter().map(|key| key.column).collect();
        let column_names = table.relation.column_names(&columns);
        let given =
            table.given(|kind| matches!(kind, KindText::Unique(columns) if same(columns, &column_names)));
        let name = names.choose(given, &table.relation.name, &column_names, "key");
        indexes.push(named(index, &name));
        table.add(name, columns, ConstraintKind::Unique { index: index.oid }, (false, false));
    }
}

fn same(left: &[String], right: &[String]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.eq_ignore_ascii_case(right))
}

fn checks(table: &mut Table<'_>, names: &mut super::Names) {
    for constraint in &table.definition.constraints {
        let KindText::Check(expression) = &constraint.kind else { continue };
        let columns =
            columns_in(expression, table.relation.columns.iter().map(|column| column.name.as_str()));
        let numbers: Vec<i16> = columns.iter().filter_map(|at| i16::try_from(at + 1).ok()).collect();
        let named_after = if numbers.len() == 1 { table.relation.column_names(&numbers) } else { Vec::new() };
        let name = names.choose(constraint.name.as_deref(), &table.relation.name, &named_after, "check");
        let kind = ConstraintKind::Check { expression: expression.clone() };
        table.add(name, numbers, kind, (false, false));
    }
}

fn foreign_keys(table: &mut Table<'_>, raw: Vec<RawForeign>, names: &mut super::Names) {
    let mut texts = table
        .definition
        .constraints
        .iter()
        .filter(|constraint| matches!(constraint.kind, KindText::Foreign(_)));
    let mut raw = raw.into_iter().peekable();
    while let Some(first) = raw.next() {
        let mut columns = vec![first.column.clone()];
        let mut others: Vec<String> = first.other_column.iter().cloned().collect();
        while let Some(next) = raw.next_if(|next| next.id == first.id) {
            columns.push(next.column);
            others.extend(next.other_column);
        }
        let text = texts.next();
        let given = text.and_then(|text| text.name.as_deref());
        let name = names.choose(given, &table.relation.name, &columns, "fkey");
        let numbers = columns.iter().filter_map(|column| table.relation.number(column)).collect();
        let kind = ConstraintKind::Foreign(Foreign {
            table: 0,
            table_name: first.other,
            columns: Vec::new(),
            column_names: others,
            index: 0,
            on_update: Action::parse(&first.on_update),
            on_delete: Action::parse(&first.on_delete),
        });
        let deferral = text.map_or((false, false), |text| (text.deferrable, text.deferred));
        table.add(name, numbers, kind, deferral);
    }
}

/// Finds the other sides of foreign keys, now that all tables are known.
pub(super) fn link(facts: &mut Facts) {
    let Facts { relations, indexes, constraints, .. } = facts;
    let relation = |name: &str| relations.iter().find(|relation| relation.name.eq_ignore_ascii_case(name));
    for constraint in constraints {
        let ConstraintKind::Foreign(foreign) = &mut constraint.kind else { continue };
        let Some(other) = relation(&foreign.table_name) else { continue };
        let unique = |index: &&Index| index.table == other.oid && index.unique && index.predicate.is_none();
        foreign.table = other.oid;
        if foreign.column_names.is_empty() {
            let key = indexes.iter().filter(unique).find(|index| index.primary);
            foreign.columns =
                key.map(|key| key.keys.iter().map(|key| key.column).collect()).unwrap_or_default();
            foreign.column_names = other.column_names(&foreign.columns);
        } else {
            foreign.columns = foreign.column_names.iter().filter_map(|name| other.number(name)).collect();
        }
        let fits = |index: &&Index| {
            index.keys.len() == foreign.columns.len()
                && index.keys.iter().all(|key| foreign.columns.contains(&key.column))
        };
        foreign.index = indexes.iter().filter(unique).find(fits).map_or(0, |index| index.oid);
    }
}
