//! Function calls, plain and in SQL's special forms.

use super::expression::Parser;
use super::{Call, Expr, Form, Kind, Span, query};

/// Functions that are called without parentheses.
const BARE: &[&str] = &[
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "current_user",
    "session_user",
    "user",
    "current_role",
    "current_catalog",
    "current_schema",
];

pub(super) fn is_bare(name: &str) -> bool {
    BARE.contains(&name)
}

pub(super) fn bare(name: String, span: Span) -> Expr {
    let inside = span.end..span.end;
    let call = Call { bare: true, ..empty(name, span.clone(), inside) };
    Expr { kind: Kind::Call(Box::new(call)), span }
}

fn empty(name: String, name_span: Span, inside: Span) -> Call {
    Call {
        name,
        name_span,
        arguments: Vec::new(),
        star: false,
        form: None,
        order_by: Vec::new(),
        filter: None,
        over: Vec::new(),
        inside,
        bare: false,
    }
}

/// The opening parenthesis is next.
pub(super) fn parse(parser: &mut Parser<'_>, name: String, name_span: Span) -> Option<Expr> {
    let start = name_span.start;
    parser.need("(")?;
    let inside = parser.tokens.offset();
    let mut call = empty(name, name_span, inside..inside);
    if !parser.tokens.is(")") {
        arguments(parser, &mut call)?;
    }
    call.inside.end = parser.tokens.offset().max(inside);
    parser.need(")")?;
    if parser.tokens.eat_all(&["within", "group"]) {
        parser.need("(")?;
        parser.need_word("order")?;
        parser.need_word("by")?;
        call.order_by = parser.sort_list()?;
        parser.need(")")?;
    }
    if parser.tokens.eat("filter") {
        parser.need("(")?;
        parser.need_word("where")?;
        call.filter = Some(Box::new(parser.expr()?));
        parser.need(")")?;
    }
    if parser.tokens.eat("over") {
        window(parser, &mut call)?;
    }
    Some(Expr { kind: Kind::Call(Box::new(call)), span: parser.span_from(start) })
}

fn arguments(parser: &mut Parser<'_>, call: &mut Call) -> Option<()> {
    match call.name.as_str() {
        "extract" => return extract(parser, call),
        "substring" => return substring(parser, call),
        "position" => return position(parser, call),
        "trim" => return trim(parser, call),
        "overlay" => return overlay(parser, call),
        _plain => {}
    }
    if parser.tokens.is("*") && parser.tokens.peek_at(1).is_some_and(|next| next.is(parser.sql(), ")")) {
        parser.tokens.advance();
        call.star = true;
        return Some(());
    }
    let _quantifier =
        parser.tokens.eat("distinct") || parser.tokens.eat("all") || parser.tokens.eat("variadic");
    if query::starts_here(&parser.tokens) {
        let query = parser.query()?;
        let span = query.span.clone();
        call.arguments.push(Expr { kind: Kind::Subquery(Box::new(query)), span });
        return Some(());
    }
    call.arguments = parser.exprs()?;
    if parser.tokens.eat_all(&["order", "by"]) {
        call.order_by = parser.sort_list()?;
    }
    Some(())
}

/// `EXTRACT(field FROM x)`; the field may be a word or a string.
fn extract(parser: &mut Parser<'_>, call: &mut Call) -> Option<()> {
    let field = match parser.tokens.string() {
        Some(field) => field.to_lowercase(),
        None => parser.tokens.name().ok()?,
    };
    parser.need_word("from")?;
    call.form = Some(Form::Extract(field));
    call.arguments.push(parser.expr()?);
    Some(())
}

fn substring(parser: &mut Parser<'_>, call: &mut Call) -> Option<()> {
    call.arguments.push(parser.expr()?);
    if parser.tokens.take(",") {
        call.arguments.extend(parser.exprs()?);
        return Some(());
    }
    let from = parser.tokens.eat("from");
    if from {
        call.arguments.push(parser.expr()?);
    }
    let length = parser.tokens.eat("for");
    if length {
        call.arguments.push(parser.expr()?);
    }
    call.form = Some(Form::Substring { from, length });
    Some(())
}

fn position(parser: &mut Parser<'_>, call: &mut Call) -> Option<()> {
    let needle = parser.operand()?;
    parser.need_word("in")?;
    call.form = Some(Form::Position);
    call.arguments = vec![needle, parser.expr()?];
    Some(())
}

fn trim(parser: &mut Parser<'_>, call: &mut Call) -> Option<()> {
    let leading = parser.tokens.eat("leading");
    let trailing = !leading && parser.tokens.eat("trailing");
    let both = !leading && !trailing && parser.tokens.eat("both");
    let name = if leading {
        "ltrim"
    } else if trailing {
        "rtrim"
    } else {
        "trim"
    };
    if parser.tokens.eat("from") {
        call.form = Some(Form::Trim(name));
        call.arguments = parser.exprs()?;
        return Some(());
    }
    let first = parser.expr()?;
    if parser.tokens.eat("from") {
        call.form = Some(Form::Trim(name));
        call.arguments = vec![parser.expr()?, first];
    } else {
        call.arguments.push(first);
        while parser.tokens.take(",") {
            call.arguments.push(parser.expr()?);
        }
        call.form = (leading || trailing || both).then_some(Form::Trim(name));
    }
    Some(())
}

fn overlay(parser: &mut Parser<'_>, call: &mut Call) -> Option<()> {
    call.arguments.push(parser.expr()?);
    parser.need_word("placing")?;
    call.arguments.push(parser.expr()?);
    parser.need_word("from")?;
    call.arguments.push(parser.expr()?);
    if parser.tokens.eat("for") {
        call.arguments.push(parser.expr()?);
    }
    call.form = Some(Form::Overlay);
    Some(())
}

/// `OVER name` or `OVER (PARTITION BY … ORDER BY … frame)`; the frame is skipped.
fn window(parser: &mut Parser<'_>, call: &mut Call) -> Option<()> {
    if !parser.tokens.take("(") {
        return parser.tokens.name().ok().map(|_| ());
    }
    let named = !parser.tokens.is_word("partition")
        && !parser.tokens.is_word("order")
        && !is_frame(parser)
        && !parser.tokens.is(")");
    if named {
        parser.tokens.name().ok()?;
    }
    if parser.tokens.eat_all(&["partition", "by"]) {
        call.over.extend(parser.exprs()?);
    }
    if parser.tokens.eat_all(&["order", "by"]) {
        call.over.extend(parser.sort_list()?);
    }
    while !parser.tokens.is(")") {
        parser.tokens.advance()?;
    }
    parser.need(")")
}

fn is_frame(parser: &Parser<'_>) -> bool {
    ["rows", "range", "groups"].iter().any(|word| parser.tokens.is_word(word))
}
