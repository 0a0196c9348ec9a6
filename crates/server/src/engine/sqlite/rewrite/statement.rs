//! INSERT, UPDATE and DELETE: defaults, conflicts by constraint, USING.

use super::super::lexer::quote_name;
use super::super::sql::{Core, Delete, Insert, Kind, Query, Statement};
use super::super::sql_error::SqlError;
use super::Rewriter;
use wire::sqlstate;

impl Rewriter<'_> {
    pub(super) fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Query(query) => self.refuse_writing_ctes(query),
            Statement::Insert(insert) => self.insert_statement(insert),
            Statement::Update(_) => {}
            Statement::Delete(delete) => self.delete_statement(delete),
        }
    }

    fn refuse_writing_ctes(&mut self, query: &Query) {
        let writes = query.ctes.iter().any(|cte| !matches!(*cte.statement, Statement::Query(_)));
        if writes {
            self.refuse(SqlError::unsupported("INSERT, UPDATE or DELETE in WITH"));
        }
    }

    fn insert_statement(&mut self, insert: &Insert) {
        if let Some(overriding) = &insert.overriding {
            self.remove(overriding);
        }
        if let Some(conflict) = &insert.conflict
            && let Some((name, span)) = &conflict.constraint
        {
            self.conflict_target(&insert.table.name, name, span.clone());
        }
        let Some(query) = &insert.query else { return };
        if let [Core::Values(rows)] = query.cores.as_slice() {
            let has_default = rows.iter().flatten().any(|value| matches!(value.kind, Kind::Default));
            let given = rows.first().map_or(0, Vec::len);
            if has_default || insert.columns.is_empty() {
                self.insert_values(insert, query, rows, given);
            }
        } else if let ([Core::Select(select)], Some(_)) = (query.cores.as_slice(), &insert.conflict) {
            // SQLite would read ON CONFLICT as a join's condition.
            if select.filter.is_none() && select.group_by.is_empty() && !select.from.is_empty() {
                self.insert(query.span.end, " WHERE true");
            }
        }
    }

    /// Drops columns whose value is DEFAULT in every row, and names the columns that are given values.
    fn insert_values(
        &mut self,
        insert: &Insert,
        query: &Query,
        rows: &[Vec<super::super::sql::Expr>],
        given: usize,
    ) {
        let columns = if insert.columns.is_empty() {
            self.schema.columns(&insert.table.name)
        } else {
            Some(insert.columns.clone())
        };
        let Some(columns) = columns else { return };
        if given > columns.len() || rows.iter().any(|row| row.len() != given) {
            return;
        }
        let is_default =
            |row: &Vec<super::super::sql::Expr>, at: usize| matches!(row[at].kind, Kind::Default);
        let kept: Vec<usize> = (0..given).filter(|at| !rows.iter().all(|row| is_default(row, *at))).collect();
        if rows.iter().any(|row| kept.iter().any(|at| is_default(row, *at))) {
            return self.refuse(
                SqlError::unsupported("DEFAULT for some rows of a column and values for others")
                    .at(query.span.start),
            );
        }
        if kept.len() == columns.len() && !insert.columns.is_empty() {
            return;
        }
        let source = if kept.is_empty() {
            "DEFAULT VALUES".to_owned()
        } else {
            let names: Vec<String> = kept.iter().map(|at| quote_name(&columns[*at])).collect();
            let rendered: Vec<String> = rows
                .iter()
                .map(|row| {
                    let values: Vec<String> = kept.iter().map(|at| self.render(&row[*at].span)).collect();
                    format!("({})", values.join(", "))
                })
                .collect();
            format!("({}) VALUES {}", names.join(", "), rendered.join(", "))
        };
        self.replace(insert.table.span.end..query.span.end, format!(" {source}"));
    }

    fn conflict_target(&mut self, table: &str, constraint: &str, span: super::Span) {
        match self.schema.constraint(table, constraint) {
            Some(columns) => {
                let names: Vec<String> = columns.iter().map(|name| quote_name(name)).collect();
                self.replace(span, format!("({})", names.join(", ")));
            }
            None => {
                let message = format!("constraint \"{constraint}\" for table \"{table}\" does not exist");
                self.refuse(SqlError::new(sqlstate::UNDEFINED_OBJECT, message).at(span.start));
            }
        }
    }

    /// DELETE … USING: by the row ids of the join.
    fn delete_statement(&mut self, delete: &Delete) {
        let Some(using) = &delete.using_span else { return };
        let target = self.render(&delete.table.span);
        let alias = quote_name(delete.table.alias.as_deref().unwrap_or(&delete.table.name));
        let sources = self.render(&(using.start + "using".len()..using.end));
        let filter = delete.filter.as_ref().map_or("true".to_owned(), |filter| self.render(&filter.span));
        let end = delete.filter.as_ref().map_or(using.end, |filter| filter.span.end);
        let text = format!("WHERE rowid IN (SELECT {alias}.rowid FROM {target}, {sources} WHERE {filter})");
        self.replace(using.start..end, text);
    }
}
