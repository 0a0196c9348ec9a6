//! A statement without what it is about: fit for reports, where no value of an application may be.

use super::{Lexer, Token};

/// Longest shape, in bytes. What is longer is cut and ends in `…`.
pub const SHAPE_BYTES_MAX: usize = 1024;

/// The text without literals, comments and the values of settings; lists of literals become one `?`.
///
/// Names stay, those in double quotes as well: PostgreSQL takes them for nothing else.
/// What cannot be read to its end is cut there, as the rest might be a literal.
pub fn shape(sql: &str) -> String {
    let (mut shape, mut lexer) = (String::new(), Lexer::new(sql));
    // In a SET, everything behind the name is a value.
    let (mut first, mut setting) = (true, false);
    loop {
        let Ok(token) = lexer.next() else {
            push(&mut shape, "…");
            return shape;
        };
        let Some((token, _)) = token else { return shape };
        if token == Token::Symbol(';') {
            (first, setting) = (true, false);
            push(&mut shape, ";");
            continue;
        }
        let value = setting && (token == Token::Symbol('=') || is_word(&token, "to"));
        if value {
            skip_statement(&mut lexer);
            push(&mut shape, "= ?");
            continue;
        }
        setting |= first && is_word(&token, "set");
        first = false;
        match token {
            Token::Word(word) => push(&mut shape, word),
            Token::Quoted(name) => push(&mut shape, &format!("\"{}\"", name.replace('"', "\"\""))),
            Token::String(_) | Token::Number(_) => literal(&mut shape),
            Token::Parameter(number) => push(&mut shape, &format!("${number}")),
            Token::Symbol(symbol) => push(&mut shape, symbol.encode_utf8(&mut [0; 4])),
        }
        if shape.len() > SHAPE_BYTES_MAX {
            let mut end = SHAPE_BYTES_MAX - '…'.len_utf8();
            while !shape.is_char_boundary(end) {
                end -= 1;
            }
            shape.truncate(end);
            shape.push('…');
            return shape;
        }
    }
}

/// One `?` for a literal, and none more for the next ones of a list.
fn literal(shape: &mut String) {
    if shape.ends_with("?,") {
        shape.pop();
    } else {
        push(shape, "?");
    }
}

fn push(shape: &mut String, text: &str) {
    let tight = |text: &str| matches!(text, "," | ";" | ")" | "(" | "." | ":");
    let open = shape.ends_with(['(', '.', ':']);
    if !shape.is_empty() && !tight(text) && !open {
        shape.push(' ');
    }
    shape.push_str(text);
}

fn is_word(token: &Token<'_>, wanted: &str) -> bool {
    matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(wanted))
}

/// Up to the semicolon, which is left.
fn skip_statement(lexer: &mut Lexer<'_>) {
    loop {
        let ahead = lexer.clone();
        match lexer.next() {
            Ok(Some((Token::Symbol(';'), _))) => {
                *lexer = ahead;
                return;
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s8_literals_comments_and_values_of_settings_are_gone() {
        for (sql, expected) in [
            ("SELECT * FROM t WHERE a = 'secret' AND b=12", "SELECT * FROM t WHERE a = ? AND b = ?"),
            ("select $1, E'secret\\'', $$secret$$ -- secret", "select $1, ?"),
            ("select a from t where b in (1, 2, 'secret')", "select a from t where b in(?)"),
            ("/* secret */ insert into \"T\" values ('secret')", "insert into \"T\" values(?)"),
            ("SET app.token = secret; select 1", "SET app.token = ?; select ?"),
            ("set app.token to secret", "set app.token = ?"),
            ("select 'secret", "select …"),
            ("select x'5ec2e7'", "select x ?"),
            ("", ""),
        ] {
            let shape = shape(sql);
            assert_eq!(shape, expected, "{sql}");
            assert!(!shape.contains("secret"));
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let shape = shape(&"é ".repeat(2000));
        assert!(shape.len() <= SHAPE_BYTES_MAX && shape.ends_with('…'), "{} bytes", shape.len());
    }
}
