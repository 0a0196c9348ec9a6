//! Functions that return rows, as tables that SQLite has.

use super::super::catalog::rewrite as catalog;
use super::super::lexer::quote_name;
use super::super::sql::Call;
use super::Rewriter;
use super::expression::is_interval;

/// Functions that return rows.
const FUNCTIONS: &[&str] = &[
    "_pg_expandarray",
    "aclexplode",
    "generate_series",
    "generate_subscripts",
    "json_array_elements",
    "json_array_elements_text",
    "json_each",
    "json_each_text",
    "json_object_keys",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "jsonb_each",
    "jsonb_each_text",
    "jsonb_object_keys",
    "pg_options_to_table",
    "pg_partition_ancestors",
    "regexp_split_to_table",
    "string_to_table",
    "unnest",
];

pub(super) fn is_set_returning(name: &str) -> bool {
    FUNCTIONS.contains(&name)
}

/// A column of such a table: PostgreSQL's name, empty where the alias gives it, and its expression with `$` for the alias.
type Columns = &'static [(&'static str, &'static str)];

/// The columns of `json_each` that are those of the function.
fn columns(function: &str) -> Columns {
    match function {
        "_pg_expandarray" => &[("x", "$.value"), ("n", "($.key + 1)")],
        "aclexplode" => &[
            ("grantor", "$.value"),
            ("grantee", "$.value"),
            ("privilege_type", "$.value"),
            ("is_grantable", "$.value"),
        ],
        "pg_options_to_table" => &[("option_name", "$.value"), ("option_value", "$.value")],
        "json_each" | "jsonb_each" | "json_each_text" | "jsonb_each_text" => {
            &[("key", "$.key"), ("value", "$.value")]
        }
        "json_object_keys" | "jsonb_object_keys" => &[("", "$.key")],
        "json_array_elements"
        | "jsonb_array_elements"
        | "json_array_elements_text"
        | "jsonb_array_elements_text" => &[("value", "$.value")],
        _values => &[("", "$.value")],
    }
}

/// Names of the function's columns in a table called `alias`, `given` first, and the expressions behind them.
pub(super) fn named_columns(call: &Call, alias: &str, given: &[String]) -> Vec<(String, String)> {
    if call.name == "unnest" && call.arguments.len() > 1 {
        let column = |at: usize| {
            let name = given.get(at).cloned().unwrap_or_else(|| alias.to_owned());
            (name, format!("json_extract({}.value, '$[{at}]')", quote_name(alias)))
        };
        return (0..call.arguments.len()).map(column).collect();
    }
    let column = |(at, (own, value)): (usize, &(&str, &str))| {
        let own = if own.is_empty() { alias } else { own };
        let name = given.get(at).cloned().unwrap_or_else(|| own.to_owned());
        (name, value.replace('$', &quote_name(alias)))
    };
    columns(&call.name).iter().enumerate().map(column).collect()
}

/// The number of a row of such a table, from 1.
pub(super) fn ordinal(alias: &str) -> String {
    format!("({}.key + 1)", quote_name(alias))
}

/// The value of a call in a select list; of several columns a JSON object.
pub(super) fn value(call: &Call, alias: &str) -> String {
    let columns = named_columns(call, alias, &[]);
    match columns.as_slice() {
        [(_, value)] => value.clone(),
        several => {
            let parts: Vec<String> =
                several.iter().map(|(name, value)| format!("'{name}', {value}")).collect();
            format!("json_object({})", parts.join(", "))
        }
    }
}

impl Rewriter<'_> {
    /// The table for `json_each` that the function is.
    pub(super) fn elements_of(&self, call: &Call) -> Option<String> {
        let arguments: Vec<String> =
            call.arguments.iter().map(|argument| self.render(&argument.span)).collect();
        let list = match (call.name.as_str(), arguments.as_slice()) {
            ("unnest" | "_pg_expandarray", [array]) => format!("pg_array_json({array})"),
            ("unnest", [_, _, ..]) => format!("pg_zip({})", arguments.join(", ")),
            ("generate_subscripts", [array, ..]) => format!("pg_subscripts({array})"),
            ("generate_series", arguments @ ([_, _] | [_, _, _])) => {
                format!("pg_series({})", arguments.join(", "))
            }
            ("pg_partition_ancestors", [relation]) => format!("json_array({relation})"),
            // Privileges and options of objects are not kept, so there are none to take apart.
            ("aclexplode" | "pg_options_to_table", _) => "'[]'".to_owned(),
            ("string_to_table", [text, separator]) => {
                format!("pg_array_json(string_to_array({text}, {separator}))")
            }
            ("regexp_split_to_table", [text, pattern]) => {
                format!("pg_array_json(regexp_split_to_array({text}, {pattern}))")
            }
            (name, [json]) if name.starts_with("json") => json.clone(),
            _plain => return None,
        };
        Some(format!("json_each({list})"))
    }

    /// A table of one column for what needs no neighbours: a series as it comes, a catalog.
    pub(super) fn table_of(&self, call: &Call, column: &str) -> Option<String> {
        let arguments: Vec<String> =
            call.arguments.iter().map(|argument| self.render(&argument.span)).collect();
        match (call.name.as_str(), arguments.as_slice()) {
            ("generate_series", [first, last, rest @ ..]) => {
                Some(series(call, first, last, rest.first(), column))
            }
            (name, []) => catalog::table_function(name),
            _other => None,
        }
    }
}

/// A recursive query; with an interval for a step, over timestamps.
fn series(call: &Call, first: &str, last: &str, step: Option<&String>, column: &str) -> String {
    let name = quote_name(column);
    let one = "1".to_owned();
    let step = step.unwrap_or(&one);
    let interval = call.arguments.get(2).is_some_and(is_interval);
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
