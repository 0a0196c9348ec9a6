//! From names to numbers and back: `regclass` and its kin, visibility, who and where.

use rusqlite::types::Value as Sql;
use wire::{Oid, oid, sqlstate};

use super::super::super::sql_error::SqlError;
use super::super::context::{NAMESPACES, OWNER, PG_TEMP};
use super::super::facts::{Facts, oids};
use super::super::sources::relations::sequence_name;
use super::super::{definitions, procs, tables, types};
use super::{Registrar, boolean, number, optional, text};

/// A cast of the second argument to the identifier type with the number of the first.
pub(in super::super) const TO_OID: &str = "pg_reg_oid";
/// What a value (the second argument) of such a type prints as.
pub(in super::super) const TO_NAME: &str = "pg_reg_name";
pub(super) fn register(registrar: &Registrar<'_>) -> rusqlite::Result<()> {
    for (name, ty) in [
        ("to_regclass", oid::REGCLASS),
        ("to_regtype", oid::REGTYPE),
        ("to_regnamespace", oid::REGNAMESPACE),
        ("to_regrole", REGROLE),
        ("to_regproc", oid::REGPROC),
        ("to_regprocedure", REGPROCEDURE),
    ] {
        let (facts, context) = (registrar.facts.clone(), registrar.context.clone());
        registrar.add(name, 1, move |arguments| {
            let name = arguments.text(0);
            number(name.and_then(|name| lookup(&facts.get(), &context.user, ty, &name)))
        })?;
    }
    registrar.constant(&["to_regoper", "to_regoperator"], &[1], &Sql::Null)?;
    registrar.with_facts("pg_table_is_visible", &[1], |facts, arguments| {
        arguments.oid(0).map_or(Sql::Null, |oid| boolean(is_visible(facts, oid)))
    })?;
    registrar.constant(
        &[
            "pg_type_is_visible",
            "pg_function_is_visible",
            "pg_collation_is_visible",
            "pg_conversion_is_visible",
            "pg_opclass_is_visible",
            "pg_operator_is_visible",
            "pg_opfamily_is_visible",
            "pg_statistics_obj_is_visible",
            "pg_ts_config_is_visible",
            "pg_ts_dict_is_visible",
            "pg_ts_parser_is_visible",
            "pg_ts_template_is_visible",
            "pg_relation_is_publishable",
        ],
        &[1],
        &boolean(true),
    )?;
    registrar.constant(&["pg_is_other_temp_schema", "row_security_active"], &[1], &boolean(false))?;
    registrar.with_facts("pg_my_temp_schema", &[0], |facts, _| {
        let temporary = facts.relations.iter().any(|relation| relation.temporary);
        Sql::Integer(if temporary { PG_TEMP.into() } else { 0 })
    })?;
    registrar.with_context("pg_get_userbyid", &[1], |context, arguments| match arguments.oid(0) {
        Some(OWNER) => text(&context.user),
        Some(oid) => text(format!("unknown (OID={oid})")),
        None => Sql::Null,
    })?;
    registrar.with_facts("pg_encoding_to_char", &[1], |_, arguments| {
        text(if arguments.integer(0) == Some(6) { "UTF8" } else { "" })
    })?;
    registrar.with_facts("pg_char_to_encoding", &[1], |_, arguments| {
        let name = arguments.text(0).unwrap_or_default().to_lowercase();
        Sql::Integer(if matches!(name.as_str(), "utf8" | "utf-8" | "unicode") { 6 } else { -1 })
    })?;
    registrar.constant(&["pg_tablespace_location"], &[1], &text(""))?;
    registrar.constant(&["getdatabaseencoding"], &[0], &text("UTF8"))?;
    casts(registrar)
}

/// `regrole`.
pub(in super::super) const REGROLE: Oid = Oid(4096);
/// `regprocedure`: functions with the types of their arguments, which are not looked at.
pub(in super::super) const REGPROCEDURE: Oid = Oid(2202);

fn casts(registrar: &Registrar<'_>) -> rusqlite::Result<()> {
    let (facts, context) = (registrar.facts.clone(), registrar.context.clone());
    registrar.fallible(TO_OID, 2, move |arguments| {
        let (Some(ty), Some(value)) = (arguments.oid(0).map(Oid), arguments.text(1)) else {
            return Ok(Sql::Null);
        };
        match value.trim().parse::<i64>() {
            Ok(oid) => Ok(Sql::Integer(oid)),
            Err(_) if value == "-" => Ok(Sql::Integer(0)),
            Err(_) => {
                let found = lookup(&facts.get(), &context.user, ty, &value);
                found.map(|oid| number(Some(oid))).ok_or_else(|| missing(ty, &value))
            }
        }
    })?;
    let (facts, context) = (registrar.facts.clone(), registrar.context.clone());
    registrar.add(TO_NAME, 2, move |arguments| {
        let (Some(ty), Some(value)) = (arguments.oid(0), arguments.oid(1)) else {
            return optional(arguments.text(1));
        };
        text(name(&facts.get(), &context.user, Oid(ty), value).unwrap_or_else(|| value.to_string()))
    })
}

fn missing(ty: Oid, name: &str) -> SqlError {
    let (state, what) = match ty {
        oid::REGTYPE => (sqlstate::UNDEFINED_OBJECT, "type"),
        oid::REGNAMESPACE => (sqlstate::INVALID_SCHEMA_NAME, "schema"),
        oid::REGPROC | REGPROCEDURE => (sqlstate::UNDEFINED_FUNCTION, "function"),
        REGROLE => (sqlstate::UNDEFINED_OBJECT, "role"),
        _relation => (sqlstate::UNDEFINED_TABLE, "relation"),
    };
    SqlError::new(state, format!("{what} \"{name}\" does not exist"))
}

/// The object's number; `None` when there is none of this name.
pub(super) fn lookup(facts: &Facts, user: &str, ty: Oid, name: &str) -> Option<u32> {
    match ty {
        oid::REGTYPE => types::oid_of(name),
        oid::REGNAMESPACE => {
            let name = parts(name).pop()?;
            NAMESPACES.iter().find(|(_, known)| *known == name).map(|(oid, _)| *oid)
        }
        REGROLE => (parts(name).pop()? == user).then_some(OWNER),
        oid::REGPROC | REGPROCEDURE => {
            let name = name.split('(').next().unwrap_or(name);
            procs::oid_of(&parts(name).pop()?)
        }
        _relation => relation(facts, name),
    }
}

/// A relation, an index or a sequence, with or without its schema.
fn relation(facts: &Facts, name: &str) -> Option<u32> {
    let mut parts = parts(name);
    let name = parts.pop()?;
    let schema = parts.pop();
    let user = || user_relation(facts, &name);
    let own = |schema| tables::find(schema, &name).filter(|table| table.kind != "f").map(|table| table.oid);
    match schema.as_deref() {
        None => user().or_else(|| own(None)),
        Some("public" | "pg_temp" | "main" | "temp") => user(),
        Some(schema) => own(Some(schema)),
    }
}

fn user_relation(facts: &Facts, name: &str) -> Option<u32> {
    let relation = facts.named(name).map(|relation| relation.oid);
    let index =
        || facts.indexes.iter().find(|index| index.name.eq_ignore_ascii_case(name)).map(|index| index.oid);
    let sequence = || {
        let mut identities = facts.identities();
        let found = identities.find(|(relation, _, column)| sequence_name(relation, column) == name);
        found.map(|(relation, ..)| oids::sequence(relation.oid))
    };
    relation.or_else(index).or_else(sequence)
}

/// `"a b".c` as its parts, folded unless quoted.
pub(super) fn parts(name: &str) -> Vec<String> {
    let lexer = super::super::super::lexer::Lexer::new(name);
    lexer.filter_map(|token| super::super::super::lexer::name_value(name, token)).collect()
}

/// What the object is called; `None` when there is none.
fn name(facts: &Facts, user: &str, ty: Oid, value: u32) -> Option<String> {
    if value == 0 {
        return Some("-".to_owned());
    }
    match ty {
        oid::REGTYPE => types::sql_name(value, -1),
        oid::REGNAMESPACE => {
            NAMESPACES.iter().find(|(oid, _)| *oid == value).map(|(_, name)| (*name).to_owned())
        }
        REGROLE => (value == OWNER).then(|| definitions::quote_ident(user)),
        oid::REGCLASS => relation_name(facts, value),
        oid::REGPROC | REGPROCEDURE => procs::name_of(value).map(str::to_owned),
        _plain => None,
    }
}

fn relation_name(facts: &Facts, value: u32) -> Option<String> {
    let quote = |name: &str| definitions::quote_ident(name);
    let relation = facts.relation(value).map(|relation| quote(&relation.name));
    let index = || facts.index(value).map(|index| quote(&index.name));
    let sequence = || {
        let found = facts.identities().find(|(relation, ..)| oids::sequence(relation.oid) == value);
        found.map(|(relation, _, column)| quote(&sequence_name(relation, column)))
    };
    let own = || {
        let table = tables::all().iter().find(|table| table.oid == value)?;
        Some(if table.information {
            format!("{}.{}", tables::INFORMATION, table.name)
        } else {
            table.name.to_owned()
        })
    };
    relation.or_else(index).or_else(sequence).or_else(own)
}

/// All but `information_schema` is on the search path.
fn is_visible(facts: &Facts, oid: u32) -> bool {
    relation_name(facts, oid).is_some_and(|name| !name.starts_with("information_schema."))
}

#[cfg(test)]
mod tests {
    use super::super::super::facts::{Relation, RelationKind};
    use super::*;

    fn facts() -> Facts {
        let relation = Relation {
            oid: 16_385,
            name: "Book".to_owned(),
            kind: RelationKind::Table,
            temporary: false,
            columns: Vec::new(),
            sql: String::new(),
            rows: None,
        };
        Facts { relations: vec![relation], ..Facts::default() }
    }

    #[test]
    fn names_are_found_with_and_without_their_schema() {
        let facts = facts();
        for (ty, name, oid) in [
            (oid::REGCLASS, "\"Book\"", Some(16_385)),
            (oid::REGCLASS, "public.\"Book\"", Some(16_385)),
            (oid::REGCLASS, "pg_catalog.pg_class", Some(1259)),
            (oid::REGCLASS, "pg_class", Some(1259)),
            (oid::REGCLASS, "information_schema.tables", Some(13_425)),
            (oid::REGCLASS, "tables", None),
            (oid::REGCLASS, "public.pg_class", None),
            (oid::REGTYPE, "int", Some(23)),
            (oid::REGNAMESPACE, "public", Some(2200)),
            (REGROLE, "me", Some(10)),
            (REGROLE, "you", None),
        ] {
            assert_eq!(lookup(&facts, "me", ty, name), oid, "{name}");
        }
    }

    #[test]
    fn numbers_print_as_names_quoted_where_they_must_be() {
        let facts = facts();
        assert_eq!(name(&facts, "me", oid::REGCLASS, 16_385).as_deref(), Some("\"Book\""));
        assert_eq!(name(&facts, "me", oid::REGCLASS, 13_425).as_deref(), Some("information_schema.tables"));
        assert_eq!(name(&facts, "me", oid::REGTYPE, 1007).as_deref(), Some("integer[]"));
        assert_eq!(name(&facts, "me", oid::REGTYPE, 0).as_deref(), Some("-"));
        assert_eq!(name(&facts, "me", oid::REGCLASS, 9), None);
        assert!(is_visible(&facts, 1259) && !is_visible(&facts, 13_425) && !is_visible(&facts, 9));
    }
}
