//! The word of CommandComplete, from a statement's first words.

use super::super::super::tokens::Tokens;
use super::super::plan::Tag;

pub(super) fn of(mut tokens: Tokens<'_>) -> Tag {
    if tokens.is_word("with") {
        skip_to_verb(&mut tokens);
    }
    let word = tokens.name().unwrap_or_default();
    match word.as_str() {
        "select" | "values" | "table" | "with" | "" => Tag::Select,
        "insert" | "replace" => Tag::Insert,
        "update" => Tag::Changes("UPDATE"),
        "delete" => Tag::Changes("DELETE"),
        "create" | "drop" | "alter" => {
            let noise =
                ["or", "replace", "temp", "temporary", "unique", "virtual", "unlogged", "local", "global"];
            while noise.iter().any(|word| tokens.eat(word)) {}
            let object = tokens.name().unwrap_or_default();
            Tag::Word(format!("{word} {object}").to_uppercase())
        }
        _other => Tag::Word(word.to_uppercase()),
    }
}

/// To the verb after the common table expressions.
fn skip_to_verb(tokens: &mut Tokens<'_>) {
    let start = tokens.position();
    while !tokens.is_empty() {
        if tokens.is("(") {
            if tokens.skip_group().is_err() {
                break;
            }
            continue;
        }
        if ["select", "values", "insert", "replace", "update", "delete"]
            .iter()
            .any(|word| tokens.is_word(word))
        {
            return;
        }
        tokens.advance();
    }
    tokens.rewind(start);
}
