//! Whether a text is known to change nothing, so that doing it twice is the same as doing it once.

use super::{Lexer, Token};

/// Functions that change nothing, whatever is done with their names elsewhere; a few dozen that most reads make do with.
const FUNCTIONS: &[&str] = &[
    "abs",
    "array_agg",
    "avg",
    "bool_and",
    "bool_or",
    "ceil",
    "char_length",
    "coalesce",
    "concat",
    "concat_ws",
    "count",
    "current_schema",
    "date_part",
    "date_trunc",
    "dense_rank",
    "extract",
    "first_value",
    "floor",
    "format",
    "greatest",
    "json_agg",
    "jsonb_agg",
    "lag",
    "last_value",
    "lead",
    "least",
    "left",
    "length",
    "lower",
    "ltrim",
    "max",
    "md5",
    "min",
    "now",
    "nullif",
    "octet_length",
    "position",
    "rank",
    "replace",
    "right",
    "round",
    "row_number",
    "rtrim",
    "string_agg",
    "substr",
    "substring",
    "sum",
    "to_char",
    "trim",
    "unnest",
    "upper",
    "version",
];

/// Words that may stand before a parenthesis without being functions.
const KEYWORDS: &[&str] = &[
    "all",
    "and",
    "any",
    "array",
    "as",
    "between",
    "by",
    "case",
    "cast",
    "char",
    "cross",
    "distinct",
    "else",
    "except",
    "exists",
    "filter",
    "from",
    "group",
    "having",
    "in",
    "intersect",
    "is",
    "join",
    "lateral",
    "like",
    "materialized",
    "not",
    "numeric",
    "on",
    "or",
    "order",
    "over",
    "partition",
    "row",
    "select",
    "some",
    "then",
    "union",
    "using",
    "values",
    "varchar",
    "when",
    "where",
    "with",
    "within",
];

/// Words that make a read into something else, wherever they stand.
const WRITES: &[&str] =
    &["analyze", "delete", "insert", "into", "merge", "nextval", "setval", "update", "share"];

/// Whether all statements of the text only read. Says no where it is in doubt: a function that is not on a short list
/// may do anything. What a view or an operator does behind its name is not seen.
pub fn only_reads(sql: &str) -> bool {
    let (mut lexer, mut first, mut any) = (Lexer::new(sql), true, false);
    let mut named: Option<String> = None;
    loop {
        let token = match lexer.next() {
            Ok(Some((token, _))) => token,
            Ok(None) => return any,
            Err(_) => return false,
        };
        let called = token == Token::Symbol('(');
        if called && named.as_deref().is_some_and(|name| !is(FUNCTIONS, name) && !is(KEYWORDS, name)) {
            return false;
        }
        named = None;
        match token {
            Token::Symbol(';') => first = true,
            Token::Word(word) => {
                let word = word.to_ascii_lowercase();
                let begins = ["select", "show", "values", "table", "with", "explain"];
                if (first && !begins.contains(&word.as_str())) || is(WRITES, &word) {
                    return false;
                }
                (first, any) = (false, true);
                named = Some(word);
            }
            // A function by its name in quotes is one that nobody has on a list.
            Token::Quoted(name) => named = Some(format!("\"{name}")),
            Token::Symbol('(') if first => {}
            Token::String(_) | Token::Number(_) | Token::Parameter(_) | Token::Symbol(_) => {
                if first {
                    return false;
                }
            }
        }
    }
}

fn is(list: &[&str], word: &str) -> bool {
    list.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r72_reads_are_told_from_everything_else() {
        for sql in [
            "SELECT 1",
            "select count(*), max(a) from t where b in (1, 2) and c = lower($1);",
            "(select a from t) union (select 'delete' from u)",
            "with x as (select 1) select * from x",
            "SHOW work_mem; select 1",
            "values (1), (2)",
            "explain select 1",
        ] {
            assert!(only_reads(sql), "{sql}");
        }
        for sql in [
            "",
            "insert into t values (1)",
            "select nextval('s')",
            "select my_function(1)",
            "select \"count\"(1)",
            "select schema.f (1)",
            "select * into u from t",
            "select * from t for update",
            "with x as (delete from t returning *) select * from x",
            "explain analyze select 1",
            "select 1; drop table t",
            "select 'open",
            "begin",
            "pragma user_version",
        ] {
            assert!(!only_reads(sql), "{sql}");
        }
    }
}
