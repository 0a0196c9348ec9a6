//! Function calls: SQL's special forms, schema-qualified names, and functions that SQLite has under another name.

use super::super::catalog::rewrite as catalog;
use super::super::infer;
use super::super::sql::{Call, Expr, Form, Kind, Span};
use super::Rewriter;
use wire::oid;

/// Functions that are the same under another name.
const RENAMED: &[(&str, &str)] = &[
    ("json_build_object", "json_object"),
    ("jsonb_build_object", "json_object"),
    ("json_build_array", "json_array"),
    ("jsonb_build_array", "json_array"),
    ("json_agg", "json_group_array"),
    ("jsonb_agg", "json_group_array"),
    ("json_object_agg", "json_group_object"),
    ("jsonb_object_agg", "json_group_object"),
    ("jsonb_array_length", "json_array_length"),
    ("jsonb_typeof", "json_typeof"),
    ("char_length", "length"),
    ("character_length", "length"),
    ("bool_and", "min"),
    ("every", "min"),
    ("bool_or", "max"),
    ("chr", "char"),
    ("ascii", "unicode"),
    ("btrim", "trim"),
    ("ceiling", "ceil"),
    ("pow", "power"),
    ("lastval", "last_insert_rowid"),
    ("array_to_json", "pg_array_json"),
];

/// Written without parentheses; ours need them.
const BARE: &[&str] = &[
    "current_user",
    "session_user",
    "user",
    "current_role",
    "current_catalog",
    "current_schema",
    "localtime",
    "localtimestamp",
];

impl Rewriter<'_> {
    pub(super) fn call(&mut self, call: &Call, span: &Span) -> Option<String> {
        if call.bare {
            return BARE.contains(&call.name.as_str()).then(|| format!("pg_{}()", call.name));
        }
        if self.stored
            && ["now", "localtimestamp", "transaction_timestamp", "statement_timestamp"]
                .contains(&call.name.as_str())
        {
            return Some("CURRENT_TIMESTAMP".to_owned());
        }
        if let Some(value) = self.moved_call(call, span) {
            return Some(value);
        }
        if let Some(form) = &call.form {
            return Some(self.special_form(call, form));
        }
        if infer::makes_json(&call.name) {
            self.json_booleans(call);
        }
        self.special_function(call).or_else(|| {
            self.rename(call);
            None
        })
    }

    /// What SQLite would write as 0 and 1.
    fn json_booleans(&mut self, call: &Call) {
        for argument in &call.arguments {
            if self.moments.get(&argument.span) == Some(&oid::BOOL) {
                let value = self.render(&argument.span);
                let text = format!("json(CASE WHEN {value} THEN 'true' WHEN NOT {value} THEN 'false' END)");
                self.replace(argument.span.clone(), text);
            }
        }
    }

    fn arguments(&self, call: &Call) -> Vec<String> {
        call.arguments.iter().map(|argument| self.render(&argument.span)).collect()
    }

    fn special_form(&mut self, call: &Call, form: &Form) -> String {
        let arguments = self.arguments(call);
        match form {
            Form::Extract(field) => {
                format!("pg_extract('{}', {})", field.replace('\'', "''"), arguments.join(", "))
            }
            Form::Position => format!("instr({}, {})", arguments[1], arguments[0]),
            Form::Trim(name) => format!("{name}({})", arguments.join(", ")),
            Form::Overlay => format!("pg_overlay({})", arguments.join(", ")),
            Form::Substring { from: true, length: false }
                if matches!(call.arguments[1].kind, Kind::Text(_)) =>
            {
                format!("pg_regex_substring({})", arguments.join(", "))
            }
            Form::Substring { from: true, .. } => format!("substr({})", arguments.join(", ")),
            Form::Substring { from: false, .. } => format!("substr({}, 1, {})", arguments[0], arguments[1]),
        }
    }

    /// Functions whose call has to be built anew.
    fn special_function(&self, call: &Call) -> Option<String> {
        let arguments = self.arguments(call);
        if let Some(sized) = catalog::size_function(&call.name, &arguments) {
            return Some(sized);
        }
        Some(match (call.name.as_str(), arguments.as_slice()) {
            ("strpos", [text, part]) => format!("instr({text}, {part})"),
            ("substring", [text, pattern]) if matches!(call.arguments[1].kind, Kind::Text(_)) => {
                format!("pg_regex_substring({text}, {pattern})")
            }
            ("substring", arguments) => format!("substr({})", arguments.join(", ")),
            ("row_to_json" | "to_jsonb" | "to_json", [value]) if !self.is_table(&call.arguments[0]) => {
                format!("json(json_quote({value}))")
            }
            _plain => return None,
        })
    }

    fn is_table(&self, argument: &Expr) -> bool {
        match &argument.kind {
            Kind::Column { qualifier: None, name } => self.schema.columns(name).is_some(),
            _value => false,
        }
    }

    /// Schema off, other name on.
    fn rename(&mut self, call: &Call) {
        let renamed = RENAMED.iter().find(|(old, _)| *old == call.name).map(|(_, new)| *new);
        let written = &self.sql[call.name_span.clone()];
        if renamed.is_some() || written.contains('.') {
            self.replace(call.name_span.clone(), renamed.unwrap_or(&call.name).to_owned());
        }
    }
}
