//! Types of functions.

use wire::oid;

use super::super::catalog::rewrite as catalog;
use super::super::sql::{Call, Expr, Form};
use super::super::types::Type;
use super::Inference;
use super::expression::element_of;
use super::scope::Scope;

/// What a function returns.
enum Returns {
    Fixed(wire::Oid),
    /// The common type of its arguments.
    Argument,
    /// An array of its argument.
    ArrayOf,
    /// An element of its argument.
    ElementOf,
    /// PostgreSQL's type of a sum of the argument.
    Sum,
    Average,
}

use Returns::{Argument, ArrayOf, Average, ElementOf, Fixed, Sum};

const FUNCTIONS: &[(&[&str], Returns)] = &[
    (
        &[
            "count",
            "row_number",
            "rank",
            "dense_rank",
            "lastval",
            "currval",
            "nextval",
            "txid_current",
            "pg_database_size",
            "pg_relation_size",
            "pg_total_relation_size",
            "pg_table_size",
            "pg_indexes_size",
            "last_insert_rowid",
            "changes",
            "total_changes",
        ],
        Fixed(oid::INT8),
    ),
    (&["sum"], Sum),
    (&["avg"], Average),
    (
        &[
            "min",
            "max",
            "coalesce",
            "nullif",
            "ifnull",
            "iif",
            "greatest",
            "least",
            "abs",
            "round",
            "ceil",
            "ceiling",
            "floor",
            "trunc",
            "mod",
            "lag",
            "lead",
            "first_value",
            "last_value",
            "nth_value",
            "sign",
            "any_value",
            "array_append",
            "array_remove",
            "array_cat",
            "date_trunc",
        ],
        Argument,
    ),
    (
        &[
            "length",
            "char_length",
            "character_length",
            "octet_length",
            "bit_length",
            "position",
            "strpos",
            "instr",
            "ascii",
            "unicode",
            "ntile",
            "array_length",
            "cardinality",
            "array_position",
            "json_array_length",
            "jsonb_array_length",
            "pg_backend_pid",
            "date_part_int",
            "regexp_count",
            "width_bucket",
            "array_upper",
            "array_lower",
        ],
        Fixed(oid::INT4),
    ),
    (
        &[
            "lower",
            "upper",
            "initcap",
            "substr",
            "substring",
            "replace",
            "trim",
            "ltrim",
            "rtrim",
            "btrim",
            "lpad",
            "rpad",
            "left",
            "right",
            "repeat",
            "reverse",
            "concat",
            "concat_ws",
            "format",
            "printf",
            "to_char",
            "to_hex",
            "hex",
            "md5",
            "encode",
            "chr",
            "char",
            "split_part",
            "translate",
            "overlay",
            "string_agg",
            "group_concat",
            "quote_ident",
            "quote_literal",
            "quote_nullable",
            "regexp_replace",
            "version",
            "current_setting",
            "set_config",
            "typeof",
            "json_typeof",
            "jsonb_typeof",
            "json_extract_path_text",
            "array_to_string",
            "pg_get_expr",
            "pg_get_constraintdef",
            "pg_get_indexdef",
            "pg_get_viewdef",
            "format_type",
            "obj_description",
            "col_description",
            "shobj_description",
            "pg_encoding_to_char",
            "pg_size_pretty",
            "strftime",
            "regexp_substr",
            "sqlite_version",
            "json_array_elements_text",
            "jsonb_array_elements_text",
            "json_object_keys",
            "jsonb_object_keys",
            "regexp_split_to_table",
            "string_to_table",
        ],
        Fixed(oid::TEXT),
    ),
    (
        &[
            "current_user",
            "session_user",
            "user",
            "current_role",
            "current_database",
            "current_catalog",
            "current_schema",
            "pg_get_userbyid",
        ],
        Fixed(oid::NAME),
    ),
    (
        &[
            "now",
            "current_timestamp",
            "clock_timestamp",
            "statement_timestamp",
            "transaction_timestamp",
            "to_timestamp",
            "pg_postmaster_start_time",
        ],
        Fixed(oid::TIMESTAMPTZ),
    ),
    (&["localtimestamp", "datetime", "make_timestamp"], Fixed(oid::TIMESTAMP)),
    (&["current_date", "date", "to_date", "make_date"], Fixed(oid::DATE)),
    (&["current_time", "localtime", "time"], Fixed(oid::TIME)),
    (&["age", "make_interval", "justify_days", "justify_hours"], Fixed(oid::INTERVAL)),
    (
        &[
            "random",
            "sqrt",
            "exp",
            "ln",
            "log10",
            "sin",
            "cos",
            "tan",
            "asin",
            "acos",
            "atan",
            "atan2",
            "pi",
            "power",
            "pow",
            "radians",
            "degrees",
            "percent_rank",
            "cume_dist",
            "date_part",
            "julianday",
            "stddev",
            "stddev_samp",
            "stddev_pop",
            "variance",
            "var_samp",
            "var_pop",
            "total",
            "log",
            "cbrt",
        ],
        Fixed(oid::FLOAT8),
    ),
    (&["extract", "to_number"], Fixed(oid::NUMERIC)),
    (
        &[
            "bool_and",
            "bool_or",
            "every",
            "starts_with",
            "pg_table_is_visible",
            "pg_type_is_visible",
            "pg_function_is_visible",
            "has_table_privilege",
            "has_schema_privilege",
            "has_database_privilege",
            "has_column_privilege",
            "pg_is_in_recovery",
            "pg_cancel_backend",
            "pg_terminate_backend",
            "pg_try_advisory_lock",
            "pg_advisory_unlock",
            "regexp_like",
            "json_valid",
            "isfinite",
            "pg_is_other_temp_schema",
        ],
        Fixed(oid::BOOL),
    ),
    (&["gen_random_uuid", "uuid_generate_v4"], Fixed(oid::UUID)),
    (
        &[
            "json",
            "json_object",
            "json_array",
            "json_build_object",
            "json_build_array",
            "json_agg",
            "json_object_agg",
            "json_group_array",
            "json_group_object",
            "to_json",
            "row_to_json",
            "json_extract_path",
            "json_array_elements",
            "array_to_json",
            "json_set",
            "json_insert",
            "json_remove",
        ],
        Fixed(oid::JSON),
    ),
    (
        &[
            "to_jsonb",
            "jsonb_build_object",
            "jsonb_build_array",
            "jsonb_agg",
            "jsonb_object_agg",
            "jsonb_set",
            "jsonb_array_elements",
            "jsonb_extract_path",
            "jsonb_strip_nulls",
            "jsonb_insert",
        ],
        Fixed(oid::JSONB),
    ),
    (
        &["decode", "randomblob", "zeroblob", "unhex", "sha256", "sha224", "sha384", "sha512"],
        Fixed(oid::BYTEA),
    ),
    (&["array_agg"], ArrayOf),
    (
        &["string_to_array", "regexp_split_to_array", "current_schemas", "regexp_match", "regexp_matches"],
        Fixed(oid::TEXT_ARRAY),
    ),
    (&["unnest"], ElementOf),
    (&["generate_series"], Argument),
    (&["generate_subscripts"], Fixed(oid::INT4)),
    (
        &["pg_sleep", "pg_advisory_lock", "pg_advisory_unlock_all", "setseed", "pg_advisory_xact_lock"],
        Fixed(oid::VOID),
    ),
    (&["pg_typeof", "to_regtype"], Fixed(oid::REGTYPE)),
    (&["to_regclass"], Fixed(oid::REGCLASS)),
];

/// Functions all of whose arguments are text.
const TEXT_ARGUMENTS: &[&str] = &[
    "lower",
    "upper",
    "initcap",
    "replace",
    "trim",
    "ltrim",
    "rtrim",
    "btrim",
    "concat",
    "concat_ws",
    "split_part",
    "translate",
    "md5",
    "starts_with",
    "strpos",
    "char_length",
    "length",
    "reverse",
    "current_setting",
    "set_config",
    "regexp_replace",
    "string_to_array",
    "quote_ident",
];

impl Inference<'_> {
    pub(super) fn call(&mut self, call: &Call, expected: Option<Type>, scope: &Scope<'_>) -> Option<Type> {
        for expr in call.order_by.iter().chain(&call.over) {
            self.expr(expr, None, scope);
        }
        if let Some(filter) = &call.filter {
            self.expr(filter, Some(Type::BOOL), scope);
        }
        let returns = FUNCTIONS
            .iter()
            .find(|(names, _)| names.contains(&call.name.as_str()))
            .map(|(_, returns)| returns);
        let argument = self.arguments(call, returns, expected, scope);
        let Some(returns) = returns else { return catalog::returns(&call.name).map(Type::new) };
        match returns {
            Fixed(oid) => Some(Type::new(*oid)),
            Argument => argument.map(|ty| {
                if ty.oid == oid::DATE && call.name == "date_trunc" {
                    Type::new(oid::TIMESTAMPTZ)
                } else {
                    ty
                }
            }),
            ArrayOf => {
                argument.and_then(|ty| ty.oid.array()).map(Type::new).or(Some(Type::new(oid::TEXT_ARRAY)))
            }
            ElementOf => argument.and_then(element_of).or(Some(Type::TEXT)),
            Sum => argument.map(sum).or(Some(Type::INT8)),
            Average => Some(
                argument
                    .filter(|ty| matches!(ty.oid, oid::FLOAT4 | oid::FLOAT8))
                    .map_or(Type::NUMERIC, |_| Type::FLOAT8),
            ),
        }
    }

    /// Booleans are numbers in SQLite, but not in JSON.
    fn note_booleans(&mut self, parts: &[&Expr], types: &[Option<Type>]) {
        for (part, _) in parts.iter().zip(types).filter(|(_, ty)| **ty == Some(Type::BOOL)) {
            self.moments.insert(part.span.clone(), oid::BOOL);
        }
    }

    /// Looks into the arguments; the type that matters for the result.
    fn arguments(
        &mut self,
        call: &Call,
        returns: Option<&Returns>,
        expected: Option<Type>,
        scope: &Scope<'_>,
    ) -> Option<Type> {
        let arguments: Vec<_> = call.arguments.iter().collect();
        if let Some(Form::Extract(_)) = call.form {
            return self.expr(arguments.first()?, Some(Type::new(oid::TIMESTAMPTZ)), scope);
        }
        match (call.name.as_str(), arguments.as_slice()) {
            ("coalesce" | "nullif" | "ifnull" | "greatest" | "least" | "mod" | "min" | "max", parts) => {
                self.common(parts, expected, scope)
            }
            ("iif", [condition, parts @ ..]) => {
                self.expr(condition, Some(Type::BOOL), scope);
                self.common(parts, expected, scope)
            }
            ("date_trunc", [unit, moment, ..]) => {
                self.expr(unit, Some(Type::TEXT), scope);
                self.expr(moment, Some(Type::new(oid::TIMESTAMPTZ)), scope)
            }
            ("lag" | "lead" | "nth_value" | "round" | "trunc", [value, rest @ ..]) => {
                rest.iter().take(1).for_each(|count| {
                    self.expr(count, Some(Type::INT4), scope);
                });
                self.expr(value, expected, scope)
            }
            ("substr" | "substring" | "left" | "right" | "repeat" | "lpad" | "rpad", [text, rest @ ..]) => {
                rest.iter().take(2).for_each(|count| {
                    self.expr(count, Some(Type::INT4), scope);
                });
                self.expr(text, Some(Type::TEXT), scope)
            }
            ("generate_series", parts) => self.common(parts, Some(Type::INT4), scope),
            ("pg_sleep", [seconds]) => self.expr(seconds, Some(Type::FLOAT8), scope),
            (name, parts) => {
                let wanted = match returns {
                    Some(Argument) => expected,
                    Some(_) | None if TEXT_ARGUMENTS.contains(&name) => Some(Type::TEXT),
                    Some(_) | None => None,
                };
                let types: Vec<Option<Type>> =
                    parts.iter().map(|part| self.expr(part, wanted, scope)).collect();
                if makes_json(name) {
                    self.note_booleans(parts, &types);
                }
                types.first().copied().flatten()
            }
        }
    }
}

/// Whether a function makes JSON out of values.
pub(in super::super) fn makes_json(function: &str) -> bool {
    matches!(
        function,
        "json_build_object"
            | "jsonb_build_object"
            | "json_build_array"
            | "jsonb_build_array"
            | "json_agg"
            | "jsonb_agg"
            | "json_object_agg"
            | "jsonb_object_agg"
            | "to_json"
            | "to_jsonb"
    )
}

fn sum(ty: Type) -> Type {
    match ty.oid {
        oid::INT2 | oid::INT4 => Type::INT8,
        oid::INT8 | oid::NUMERIC => Type::NUMERIC,
        other => Type::new(other),
    }
}
