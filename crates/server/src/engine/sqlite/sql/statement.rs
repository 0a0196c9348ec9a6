//! INSERT, UPDATE and DELETE around their queries and expressions.

use super::super::tokens::Tokens;
use super::expression::Parser;
use super::{Assignment, Conflict, Cte, Delete, Insert, Query, Statement, Target, Update};

/// The statement, if it is one of ours and can be read to its end.
pub(in super::super) fn parse(tokens: Tokens<'_>) -> Option<Statement> {
    let mut parser = Parser::new(tokens);
    let statement = parser.statement()?;
    parser.tokens.is_empty().then_some(statement)
}

pub(super) fn parse_inside(parser: &mut Parser<'_>) -> Option<Statement> {
    let start = parser.tokens.offset();
    let ctes = parser.ctes()?;
    if parser.tokens.eat("insert") || parser.tokens.is_word("replace") {
        return insert(parser, ctes).map(|insert| Statement::Insert(Box::new(insert)));
    }
    if parser.tokens.eat("update") {
        return update(parser, ctes).map(|update| Statement::Update(Box::new(update)));
    }
    if parser.tokens.eat_all(&["delete", "from"]) {
        return delete(parser, ctes).map(|delete| Statement::Delete(Box::new(delete)));
    }
    parser.query_after_with(ctes, start).map(|query| Statement::Query(Box::new(query)))
}

fn insert(parser: &mut Parser<'_>, ctes: Vec<Cte>) -> Option<Insert> {
    if !parser.tokens.eat("replace") && parser.tokens.eat("or") {
        parser.tokens.advance()?;
    }
    parser.need_word("into")?;
    let table = target(parser)?;
    let mut insert = Insert { ctes, table, ..Insert::default() };
    if parser.tokens.is("(") && !super::query::starts(&parser.tokens) {
        insert.columns = parser.names()?;
    }
    let start = parser.tokens.offset();
    if parser.tokens.eat("overriding") {
        let _which = parser.tokens.eat("system") || parser.tokens.eat("user");
        parser.need_word("value")?;
        insert.overriding = Some(parser.span_from(start));
    }
    if !parser.tokens.eat_all(&["default", "values"]) {
        insert.query = Some(insert_query(parser)?);
    }
    if parser.tokens.eat_all(&["on", "conflict"]) {
        insert.conflict = Some(conflict(parser)?);
    }
    insert.returning = returning(parser)?;
    Some(insert)
}

fn insert_query(parser: &mut Parser<'_>) -> Option<Query> {
    parser.query()
}

fn conflict(parser: &mut Parser<'_>) -> Option<Conflict> {
    let mut conflict = Conflict::default();
    let start = parser.tokens.offset();
    if parser.tokens.eat_all(&["on", "constraint"]) {
        let name = parser.tokens.name().ok()?;
        conflict.constraint = Some((name, parser.span_from(start)));
    } else if parser.tokens.take("(") {
        conflict.target = parser.sort_list()?;
        parser.need(")")?;
        if parser.tokens.eat("where") {
            conflict.filters.push(parser.expr()?);
        }
    }
    parser.need_word("do")?;
    if parser.tokens.eat("nothing") {
        return Some(conflict);
    }
    parser.need_word("update")?;
    parser.need_word("set")?;
    conflict.sets = assignments(parser)?;
    if parser.tokens.eat("where") {
        conflict.filters.push(parser.expr()?);
    }
    Some(conflict)
}

fn update(parser: &mut Parser<'_>, ctes: Vec<Cte>) -> Option<Update> {
    if parser.tokens.eat("or") {
        parser.tokens.advance()?;
    }
    let _only = parser.tokens.eat("only");
    let table = target(parser)?;
    parser.need_word("set")?;
    let mut update = Update { ctes, table, sets: assignments(parser)?, ..Update::default() };
    if parser.tokens.eat("from") {
        parser.from(&mut update.from, &mut update.conditions)?;
    }
    if parser.tokens.eat("where") {
        update.filter = Some(parser.expr()?);
    }
    update.returning = returning(parser)?;
    Some(update)
}

fn delete(parser: &mut Parser<'_>, ctes: Vec<Cte>) -> Option<Delete> {
    let _only = parser.tokens.eat("only");
    let table = target(parser)?;
    let mut delete = Delete { ctes, table, ..Delete::default() };
    let start = parser.tokens.offset();
    if parser.tokens.eat("using") {
        parser.from(&mut delete.using, &mut delete.conditions)?;
        delete.using_span = Some(parser.span_from(start));
    }
    let start = parser.tokens.offset();
    if parser.tokens.eat("where") {
        delete.filter_keyword = Some(parser.span_from(start));
        delete.filter = Some(parser.expr()?);
    }
    delete.returning = returning(parser)?;
    Some(delete)
}

fn target(parser: &mut Parser<'_>) -> Option<Target> {
    let start = parser.tokens.offset();
    let (_, name) = parser.tokens.qualified_name().ok()?;
    let explicit = parser.tokens.eat("as");
    let word = parser.tokens.peek().map_or("", |token| token.text(parser.tokens.sql));
    let named = explicit
        || !(word.is_empty()
            || word.starts_with('(')
            || super::expression::is_reserved(word)
            || word.eq_ignore_ascii_case("default"));
    let alias = if named { Some(parser.tokens.name().ok()?) } else { None };
    Some(Target { name, alias, span: parser.span_from(start) })
}

fn assignments(parser: &mut Parser<'_>) -> Option<Vec<Assignment>> {
    let mut sets = Vec::new();
    loop {
        let columns = if parser.tokens.is("(") {
            parser.names()?
        } else {
            vec![parser.tokens.qualified_name().ok()?.1]
        };
        parser.need("=")?;
        let value = parser.expr()?;
        sets.push(Assignment { columns, value });
        if !parser.tokens.take(",") {
            return Some(sets);
        }
    }
}

fn returning(parser: &mut Parser<'_>) -> Option<Vec<super::Item>> {
    if parser.tokens.eat("returning") { parser.items() } else { Some(Vec::new()) }
}
