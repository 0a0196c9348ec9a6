//! A table's definition, read and printed.

use std::fmt;

use super::super::lexer::quote_name;

/// CREATE TABLE without its query.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in super::super) struct TableSpec {
    pub name: String,
    pub temporary: bool,
    pub if_not_exists: bool,
    pub columns: Vec<ColumnSpec>,
    pub constraints: Vec<ConstraintSpec>,
    /// `WITHOUT ROWID`, `STRICT`.
    pub options: Vec<&'static str>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in super::super) struct ColumnSpec {
    pub name: String,
    /// As declared; empty for none.
    pub ty: String,
    pub serial: Option<Serial>,
    pub not_null: bool,
    /// An expression.
    pub default: Option<String>,
    /// An expression, and whether it is stored.
    pub generated: Option<(String, bool)>,
    pub collation: Option<String>,
    pub constraints: Vec<ConstraintSpec>,
}

/// A column that numbers its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Serial {
    Small,
    Big,
}

/// A constraint of a column or a table.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct ConstraintSpec {
    pub name: Option<String>,
    pub kind: ConstraintKind,
}

/// What a constraint demands.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum ConstraintKind {
    /// Columns are empty for the column it stands at.
    Primary {
        columns: Vec<String>,
        auto: bool,
    },
    Unique(Vec<String>),
    Check(String),
    Foreign {
        columns: Vec<String>,
        table: String,
        to: Vec<String>,
        rules: String,
    },
}

impl TableSpec {
    /// The columns of the primary key.
    pub fn primary_key(&self) -> Vec<String> {
        let of_table = self.constraints.iter().find_map(|constraint| match &constraint.kind {
            ConstraintKind::Primary { columns, .. } => Some(columns.clone()),
            ConstraintKind::Unique(_) | ConstraintKind::Check(_) | ConstraintKind::Foreign { .. } => None,
        });
        let primary = |column: &&ColumnSpec| column.constraints.iter().any(ConstraintSpec::is_primary);
        of_table.unwrap_or_else(|| {
            self.columns.iter().filter(primary).map(|column| column.name.clone()).collect()
        })
    }

    /// All constraints, each with the columns it is about.
    pub fn all_constraints(&self) -> Vec<(ConstraintSpec, Vec<String>)> {
        let of_columns = self
            .columns
            .iter()
            .flat_map(|column| column.constraints.iter().map(|constraint| (constraint, Some(&column.name))));
        let of_table = self.constraints.iter().map(|constraint| (constraint, None));
        of_columns
            .chain(of_table)
            .map(|(constraint, column)| (constraint.clone(), constraint.columns(column)))
            .collect()
    }
}

impl ConstraintSpec {
    pub fn is_primary(&self) -> bool {
        matches!(self.kind, ConstraintKind::Primary { .. })
    }

    /// Its columns; `at` is the column it stands at.
    fn columns(&self, at: Option<&String>) -> Vec<String> {
        let named = match &self.kind {
            ConstraintKind::Primary { columns, .. }
            | ConstraintKind::Unique(columns)
            | ConstraintKind::Foreign { columns, .. } => columns.clone(),
            ConstraintKind::Check(_) => Vec::new(),
        };
        if named.is_empty() { at.into_iter().cloned().collect() } else { named }
    }

    /// The name, or the one PostgreSQL would have given.
    pub fn full_name(&self, table: &str, columns: &[String]) -> String {
        self.name.clone().unwrap_or_else(|| match &self.kind {
            ConstraintKind::Primary { .. } => format!("{table}_pkey"),
            ConstraintKind::Unique(_) => format!("{table}_{}_key", columns.join("_")),
            ConstraintKind::Check(_) if columns.is_empty() => format!("{table}_check"),
            ConstraintKind::Check(_) => format!("{table}_{}_check", columns.join("_")),
            ConstraintKind::Foreign { .. } => format!("{table}_{}_fkey", columns.join("_")),
        })
    }
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| quote_name(name)).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for TableSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let temporary = if self.temporary { "TEMP " } else { "" };
        let condition = if self.if_not_exists { "IF NOT EXISTS " } else { "" };
        let columns = self.columns.iter().map(ToString::to_string);
        let constraints = self.constraints.iter().map(ToString::to_string);
        let parts: Vec<String> = columns.chain(constraints).collect();
        write!(f, "CREATE {temporary}TABLE {condition}{} ({})", quote_name(&self.name), parts.join(", "))?;
        if self.options.is_empty() { Ok(()) } else { write!(f, " {}", self.options.join(", ")) }
    }
}

impl fmt::Display for ColumnSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", quote_name(&self.name))?;
        if !self.ty.is_empty() {
            write!(f, " {}", self.ty)?;
        }
        if let Some(collation) = &self.collation {
            write!(f, " COLLATE {collation}")?;
        }
        for constraint in &self.constraints {
            write!(f, " {constraint}")?;
        }
        if self.not_null {
            f.write_str(" NOT NULL")?;
        }
        if let Some(default) = &self.default {
            write!(f, " DEFAULT {default}")?;
        }
        match &self.generated {
            None => Ok(()),
            Some((expression, stored)) => {
                write!(
                    f,
                    " GENERATED ALWAYS AS ({expression}) {}",
                    if *stored { "STORED" } else { "VIRTUAL" }
                )
            }
        }
    }
}

impl fmt::Display for ConstraintSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "CONSTRAINT {} ", quote_name(name))?;
        }
        let of = |columns: &[String]| {
            if columns.is_empty() { String::new() } else { format!(" ({})", list(columns)) }
        };
        match &self.kind {
            ConstraintKind::Primary { columns, auto } => {
                write!(f, "PRIMARY KEY{}{}", of(columns), if *auto { " AUTOINCREMENT" } else { "" })
            }
            ConstraintKind::Unique(columns) => write!(f, "UNIQUE{}", of(columns)),
            ConstraintKind::Check(expression) => write!(f, "CHECK ({expression})"),
            ConstraintKind::Foreign { columns, table, to, rules } => {
                let foreign = if columns.is_empty() {
                    String::new()
                } else {
                    format!("FOREIGN KEY ({}) ", list(columns))
                };
                write!(f, "{foreign}REFERENCES {}{}{rules}", quote_name(table), of(to))
            }
        }
    }
}
