//! EXPLAIN: SQLite's own plan, as indented lines.

use std::collections::HashMap;

use super::super::super::ffi::ValueRef;
use super::super::super::sql_error::SqlError;
use super::super::super::translate::translate;
use super::super::SqliteSession;
use super::super::plan::{Action, Plan};
use super::Outcome;

impl SqliteSession {
    pub(super) fn explain_plan(&mut self, plan: &Plan) -> Result<Outcome, SqlError> {
        let inner = plan.inner.as_ref().expect("BUG: EXPLAIN is planned with its statement");
        let Action::Sql(sql) = &inner.action else {
            return Ok(Outcome::Rows(vec![vec![Some("Utility statements have no plan".to_owned())]]));
        };
        let lines = self.plan_lines(&format!("EXPLAIN QUERY PLAN {}", sql.sql))?;
        Ok(Outcome::Rows(lines.into_iter().map(|line| vec![Some(line)]).collect()))
    }

    fn plan_lines(&self, sql: &str) -> Result<Vec<String>, SqlError> {
        let fail = |failure| translate(&failure, &self.connection, sql).nowhere();
        let Some(mut statement) = self.connection.prepare(sql, false).map_err(fail)?.statement else {
            return Ok(Vec::new());
        };
        let mut depths = HashMap::new();
        let mut lines = Vec::new();
        while statement.step().map_err(fail)? {
            let number = |column| match statement.value(column) {
                ValueRef::Integer(number) => number,
                ValueRef::Null | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => 0,
            };
            let depth = depths.get(&number(1)).map_or(0, |parent: &usize| parent + 1);
            depths.insert(number(0), depth);
            let ValueRef::Text(detail) = statement.value(3) else { continue };
            lines.push(format!("{}{}", "  ".repeat(depth), String::from_utf8_lossy(detail)));
        }
        if lines.is_empty() {
            lines.push("Result".to_owned());
        }
        Ok(lines)
    }
}
