use super::*;

fn tokens(sql: &str) -> Vec<(Kind, &str)> {
    Lexer::new(sql).map(|token| (token.kind, token.text(sql))).collect()
}

#[test]
fn tokens_are_cut_as_postgresql_cuts_them() {
    use Kind::{Blob, Dollar, Escaped, Number, Operator, Parameter, Punctuation, Quoted, String, Word};
    let table: &[(&str, &[(Kind, &str)])] = &[
        ("select 'it''s'", &[(Word, "select"), (String, "'it''s'")]),
        (r"E'a\'b'", &[(Escaped, r"E'a\'b'")]),
        ("$$a;b$$ $x$ $$ $x$", &[(Dollar, "$$a;b$$"), (Dollar, "$x$ $$ $x$")]),
        (
            "a::int[]",
            &[(Word, "a"), (Punctuation, "::"), (Word, "int"), (Punctuation, "["), (Punctuation, "]")],
        ),
        ("$1+$22", &[(Parameter, "$1"), (Operator, "+"), (Parameter, "$22")]),
        (
            "1.5e-3 .5 1e 0xff",
            &[(Number, "1.5e-3"), (Number, ".5"), (Number, "1"), (Word, "e"), (Number, "0xff")],
        ),
        ("a->>'b'", &[(Word, "a"), (Operator, "->>"), (String, "'b'")]),
        ("1-- x\n-2", &[(Number, "1"), (Operator, "-"), (Number, "2")]),
        ("a /* b /* c */ d */ e", &[(Word, "a"), (Word, "e")]),
        ("\"a\"\"b\" `c`", &[(Quoted, "\"a\"\"b\""), (Quoted, "`c`")]),
        (
            "x'00' !~* =-1",
            &[(Blob, "x'00'"), (Operator, "!~*"), (Operator, "="), (Operator, "-"), (Number, "1")],
        ),
        ("größe", &[(Word, "größe")]),
    ];
    for (sql, expected) in table {
        assert_eq!(tokens(sql), *expected, "{sql}");
    }
}

#[test]
fn what_has_no_end_is_one_broken_token() {
    for sql in ["'abc", "\"abc", "/* abc", "$a$ abc", "E'abc\\'"] {
        assert_eq!(tokens(sql), [(Kind::Broken, sql)], "{sql}");
    }
    assert_eq!(tokens("\u{7f}")[0].0, Kind::Broken);
}

#[test]
fn string_values_are_unescaped_by_their_kind() {
    let table = [
        ("'it''s'", Some("it's")),
        (r"E'a\n\x41\u00e9\101''\\'", Some("a\nAéA'\\")),
        (r"E'\xff'", None),
        ("$t$ 'x' $t$", Some(" 'x' ")),
        ("$$$$", Some("")),
        ("word", None),
    ];
    for (sql, expected) in table {
        let token = Lexer::new(sql).next().expect("a token");
        assert_eq!(string_value(sql, token).as_deref(), expected, "{sql}");
    }
}

#[test]
fn any_text_is_cut_without_gaps_in_progress() {
    let mut seed = 1u64;
    for _ in 0..20_000 {
        let sql: String = (0..12)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                ['a', '\'', '"', '$', '1', '-', '*', '/', '\\', 'E', 'é', ' ', ';', ':', '.', '(']
                    [(seed >> 33) as usize % 16]
            })
            .collect();
        let mut at = 0;
        for token in Lexer::new(&sql) {
            assert!(token.start >= at && token.end > token.start, "{sql:?}");
            at = token.end;
        }
    }
}
