//! Tables of a FROM clause: functions that return rows, aliases with column names, LATERAL.

use super::super::catalog::rewrite as catalog;
use super::super::lexer::quote_name;
use super::super::sql::{Call, Kind, Query, Source, SourceKind};
use super::Rewriter;

/// A table that a function became.
pub(super) struct Rows {
    pub text: String,
    /// The name of its value column.
    pub column: String,
}

impl Rewriter<'_> {
    pub(super) fn source(&mut self, source: &Source) {
        if let Some(lateral) = &source.lateral {
            self.remove(lateral);
        }
        match &source.kind {
            SourceKind::Table { schema: Some(_), name } if self.stored => {
                self.replace(source.span.start..source.after.start, quote_name(name));
            }
            SourceKind::Table { schema, name } => self.table(source, schema.as_deref(), name),
            SourceKind::Query(query) if !source.columns.is_empty() => self.named_columns(source, query),
            SourceKind::Query(_) => {}
            SourceKind::Function { call, ordinality } => {
                if let Kind::Call(call) = &call.kind {
                    self.function(source, call, ordinality.is_some());
                }
            }
        }
    }

    /// A table that SQLite knows under another name keeps its own as an alias.
    fn table(&mut self, source: &Source, schema: Option<&str>, name: &str) {
        let Some(table) = catalog::table(schema, name) else { return };
        let alias = if source.alias.is_none() { format!(" AS {}", quote_name(name)) } else { String::new() };
        self.replace(source.span.start..source.after.start, format!("{table}{alias}"));
    }

    /// `(query) AS t(a, b)`: only common table expressions can name columns in SQLite.
    fn named_columns(&mut self, source: &Source, query: &Query) {
        let alias = quote_name(source.alias.as_deref().unwrap_or_default());
        let columns: Vec<String> = source.columns.iter().map(|name| quote_name(name)).collect();
        let text = format!(
            "(WITH {alias}({}) AS ({}) SELECT * FROM {alias}) AS {alias}",
            columns.join(", "),
            self.render(&query.span)
        );
        self.replace(source.span.clone(), text);
    }

    /// A function in FROM: its column is called like the table, unless named.
    fn function(&mut self, source: &Source, call: &Call, ordinality: bool) {
        let alias = source.alias.clone().unwrap_or_else(|| call.name.clone());
        let column = source.columns.first().cloned().unwrap_or_else(|| default_column(call, &alias));
        let Some(rows) = self.rows_of(call, Some(&column)) else { return };
        let quoted = quote_name(&alias);
        let counted = source.columns.get(1).map_or("ordinality", String::as_str);
        let text = if ordinality {
            let value = quote_name(&rows.column);
            format!(
                "(SELECT {value} AS {}, row_number() OVER () AS {} FROM {}) AS {quoted}",
                quote_name(&column),
                quote_name(counted),
                rows.text
            )
        } else if rows.column == column || call.name.ends_with("each") || call.name.ends_with("each_text") {
            format!("{} AS {quoted}", rows.text)
        } else {
            format!(
                "(SELECT {} AS {} FROM {}) AS {quoted}",
                quote_name(&rows.column),
                quote_name(&column),
                rows.text
            )
        };
        self.replace(source.span.clone(), text);
    }

    /// The table that a set-returning function is; `column` may choose the name of its values.
    pub(super) fn rows_of(&self, call: &Call, column: Option<&str>) -> Option<Rows> {
        let arguments: Vec<String> =
            call.arguments.iter().map(|argument| self.render(&argument.span)).collect();
        let value = |text: String| Some(Rows { text, column: "value".to_owned() });
        match (call.name.as_str(), arguments.as_slice()) {
            ("generate_series", [first, last, rest @ ..]) => {
                let column = column.unwrap_or("generate_series");
                Some(Rows {
                    text: self.series(call, first, last, rest.first(), column),
                    column: column.to_owned(),
                })
            }
            ("unnest" | "_pg_expandarray", [array]) => value(format!("json_each(pg_array_json({array}))")),
            (
                "json_array_elements"
                | "jsonb_array_elements"
                | "json_array_elements_text"
                | "jsonb_array_elements_text",
                [json],
            ) => value(format!("json_each({json})")),
            ("json_each" | "jsonb_each" | "json_each_text" | "jsonb_each_text", [json]) => {
                value(format!("json_each({json})"))
            }
            ("json_object_keys" | "jsonb_object_keys", [json]) => {
                Some(Rows { text: format!("json_each({json})"), column: "key".to_owned() })
            }
            ("string_to_table", [text, separator]) => {
                value(format!("json_each(pg_array_json(string_to_array({text}, {separator})))"))
            }
            ("regexp_split_to_table", [text, pattern]) => {
                value(format!("json_each(pg_array_json(regexp_split_to_array({text}, {pattern})))"))
            }
            ("generate_subscripts", [array, ..]) => {
                let name = column.unwrap_or("generate_subscripts");
                let length = format!("array_length({array}, 1)");
                Some(Rows { text: self.series(call, "1", &length, None, name), column: name.to_owned() })
            }
            _plain => None,
        }
    }

    /// A recursive query; with an interval for a step, over timestamps.
    fn series(&self, call: &Call, first: &str, last: &str, step: Option<&String>, column: &str) -> String {
        let name = quote_name(column);
        let one = "1".to_owned();
        let step = step.unwrap_or(&one);
        let interval = call.arguments.get(2).is_some_and(super::expression::is_interval);
        let next =
            if interval { format!("pg_add_interval({name}, {step}, 1)") } else { format!("{name} + {step}") };
        let (up, down) = if interval {
            ("1".to_owned(), "0".to_owned())
        } else {
            (format!("({step}) > 0"), format!("({step}) < 0"))
        };
        format!(
            "(WITH RECURSIVE \"_s\"({name}) AS (SELECT {first} WHERE ({up} AND {first} <= {last}) OR ({down} AND {first} >= {last}) \
             UNION ALL SELECT {next} FROM \"_s\" WHERE ({up} AND {next} <= {last}) OR ({down} AND {next} >= {last})) SELECT * FROM \"_s\")"
        )
    }
}

fn default_column(call: &Call, alias: &str) -> String {
    match call.name.as_str() {
        "json_array_elements"
        | "jsonb_array_elements"
        | "json_array_elements_text"
        | "jsonb_array_elements_text" => "value".to_owned(),
        _named_by_alias => alias.to_owned(),
    }
}
