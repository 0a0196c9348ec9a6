//! Catalogs about the session and its surroundings, made anew for every statement that reads them.

use super::super::context::{Context, OWNER, database_oid};
use super::super::values::{Rows, row};

/// `pg_settings`.
pub(super) fn settings(context: &Context) -> Rows {
    let mut rows = Rows::new(&[
        "name",
        "setting",
        "category",
        "short_desc",
        "context",
        "vartype",
        "source",
        "boot_val",
        "reset_val",
        "pending_restart",
    ]);
    for (name, value, about) in context.all_settings() {
        let kind = match value.as_str() {
            "on" | "off" => "bool",
            number if number.parse::<i64>().is_ok() => "integer",
            _text => "string",
        };
        rows.push(row![
            &name,
            &value,
            "Stationmaster",
            about,
            "user",
            kind,
            "session",
            &value,
            &value,
            false
        ]);
    }
    rows
}

/// `pg_database`.
pub(super) fn databases(context: &Context) -> Rows {
    let mut rows = Rows::new(&[
        "oid",
        "datname",
        "datdba",
        "encoding",
        "datlocprovider",
        "datallowconn",
        "datconnlimit",
        "dattablespace",
        "datcollate",
        "datctype",
    ]);
    for name in context.database_names() {
        rows.push(row![database_oid(&name), &name, OWNER, 6, "c", true, -1, 1663, "C", "C"]);
    }
    rows
}

/// `pg_roles` and `pg_authid`: the session's user is the only one it knows.
pub(super) fn roles(context: &Context) -> Rows {
    let mut rows = Rows::new(&[
        "oid",
        "rolname",
        "rolsuper",
        "rolinherit",
        "rolcreaterole",
        "rolcreatedb",
        "rolcanlogin",
        "rolreplication",
        "rolconnlimit",
        "rolbypassrls",
    ]);
    rows.push(row![OWNER, &context.user, false, true, false, false, true, false, -1, false]);
    rows
}

/// `pg_user` and `pg_shadow`.
pub(super) fn users(context: &Context) -> Rows {
    let mut rows =
        Rows::new(&["usename", "usesysid", "usecreatedb", "usesuper", "userepl", "usebypassrls", "passwd"]);
    rows.push(row![&context.user, OWNER, false, false, false, false, "********"]);
    rows
}

/// `pg_stat_activity`: this session; others cannot be seen.
pub(super) fn activity(context: &Context) -> Rows {
    let mut rows = Rows::new(&[
        "datid",
        "datname",
        "pid",
        "usesysid",
        "usename",
        "application_name",
        "state",
        "query",
        "backend_type",
    ]);
    let application = context.setting("application_name").unwrap_or_default();
    rows.push(row![
        database_oid(&context.database),
        &context.database,
        context.process_id,
        OWNER,
        &context.user,
        application,
        "active",
        "",
        "client backend",
    ]);
    rows
}

/// `pg_stat_database`.
pub(super) fn database_statistics(context: &Context) -> Rows {
    let mut rows = Rows::new(&["datid", "datname", "numbackends"]);
    for name in context.database_names() {
        rows.push(row![database_oid(&name), &name, i32::from(name == context.database)]);
    }
    rows
}
