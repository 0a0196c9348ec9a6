//! From the words of a column's declaration to a type.

use wire::oid;

use super::{Type, names};

impl Type {
    /// The type that `declared` (as in CREATE TABLE) means; `None` for an empty declaration.
    /// A name PostgreSQL does not know gets the type nearest to SQLite's affinity for it.
    pub fn declared(declared: &str) -> Option<Type> {
        let (name, arguments, array) = split(declared);
        if name.is_empty() {
            return None;
        }
        let ty = match names::by_name(&name) {
            Some(oid) => Type { oid, modifier: modifier(oid, &arguments) },
            None => Type::new(by_affinity(&name)),
        };
        if !array {
            return Some(ty);
        }
        Some(Type { oid: ty.oid.array().unwrap_or(oid::TEXT_ARRAY), modifier: ty.modifier })
    }
}

/// `NUMERIC (10, 2) []` becomes `numeric`, `[10, 2]`, true. Words after the parenthesis belong to the name.
fn split(declared: &str) -> (String, Vec<i32>, bool) {
    let lower = declared.to_ascii_lowercase();
    let array = lower.contains('[') || lower.split_whitespace().any(|word| word == "array");
    let lower = lower.split('[').next().unwrap_or_default();
    let (before, rest) = lower.split_once('(').unwrap_or((lower, ")"));
    let (inside, after) = rest.split_once(')').unwrap_or((rest, ""));
    let words = before.split_whitespace().chain(after.split_whitespace()).filter(|word| *word != "array");
    let mut words: Vec<&str> = words.collect();
    // `JSON TEXT`: the second word is for SQLite, which would take some text for numbers otherwise.
    if words.len() > 1 && words.last() == Some(&"text") {
        words.pop();
    }
    let name = words.join(" ");
    let arguments = inside.split(',').filter_map(|argument| argument.trim().parse().ok()).collect();
    (name, arguments, array)
}

fn modifier(oid: wire::Oid, arguments: &[i32]) -> i32 {
    match (oid, arguments) {
        (oid::VARCHAR, [length]) if (1..=10_485_760).contains(length) => length + 4,
        (oid::BPCHAR, [length]) if (1..=10_485_760).contains(length) => length + 4,
        (oid::BPCHAR, []) => 5,
        (oid::NUMERIC, [precision]) if (1..=1000).contains(precision) => (precision << 16) + 4,
        (oid::NUMERIC, [precision, scale])
            if (1..=1000).contains(precision) && (0..=1000).contains(scale) =>
        {
            ((precision << 16) | scale) + 4
        }
        (oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ, [digits])
            if (0..=6).contains(digits) =>
        {
            *digits
        }
        _none => -1,
    }
}

/// SQLite's rules (<https://www.sqlite.org/datatype3.html> section 3.1), in their order.
fn by_affinity(name: &str) -> wire::Oid {
    let has = |part: &str| name.contains(part);
    if has("int") {
        oid::INT8
    } else if has("char") || has("clob") || has("text") {
        oid::TEXT
    } else if has("blob") {
        oid::BYTEA
    } else if has("real") || has("floa") || has("doub") {
        oid::FLOAT8
    } else {
        oid::TEXT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_mean_what_they_mean_in_postgresql() {
        let table: &[(&str, wire::Oid, i32)] = &[
            ("INTEGER", oid::INT4, -1),
            ("bigint", oid::INT8, -1),
            ("character varying(20)", oid::VARCHAR, 24),
            ("VARCHAR", oid::VARCHAR, -1),
            ("char(84)", oid::BPCHAR, 88),
            ("char", oid::BPCHAR, 5),
            ("numeric(10, 2)", oid::NUMERIC, ((10 << 16) | 2) + 4),
            ("timestamp(3) with time zone", oid::TIMESTAMPTZ, 3),
            ("timestamp without time zone", oid::TIMESTAMP, -1),
            ("DOUBLE PRECISION", oid::FLOAT8, -1),
            ("integer[]", oid::INT4_ARRAY, -1),
            ("text []", oid::TEXT_ARRAY, -1),
            ("jsonb", oid::JSONB, -1),
            ("mood", oid::TEXT, -1),
            ("UNSIGNED INT", oid::INT8, -1),
        ];
        for (declared, oid, modifier) in table {
            assert_eq!(Type::declared(declared), Some(Type { oid: *oid, modifier: *modifier }), "{declared}");
        }
        assert_eq!(Type::declared(""), None);
        assert_eq!(Type::declared(" "), None);
    }
}
