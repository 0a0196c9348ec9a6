//! What a client's SQL may not do, whatever its text: SQLite asks while it compiles.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// Pragmas that only read, or that set what is the session's own business.
const PRAGMAS: &[&str] = &[
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "foreign_key_check",
    "database_list",
    "collation_list",
    "function_list",
    "module_list",
    "compile_options",
    "integrity_check",
    "quick_check",
    "defer_foreign_keys",
    "optimize",
];
/// Pragmas that may be read but not set.
const READ_ONLY_PRAGMAS: &[&str] = &[
    "page_count",
    "page_size",
    "freelist_count",
    "schema_version",
    "user_version",
    "application_id",
    "encoding",
    "data_version",
    "foreign_keys",
    "journal_mode",
    "auto_vacuum",
    "max_page_count",
    "cache_size",
];
/// Pragmas that may be set as well: they belong to the file.
const WRITABLE_PRAGMAS: &[&str] = &["user_version", "application_id"];
/// Functions that reach outside the database.
const FUNCTIONS: &[&str] = &["load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"];

/// Switches of a session's authorizer.
#[derive(Debug, Default, Clone)]
pub(super) struct Guard(Arc<Switches>);

#[derive(Debug, Default)]
struct Switches {
    /// Our own statements are running.
    trusted: AtomicBool,
    /// VACUUM attaches its copy.
    attach: AtomicBool,
}

impl Guard {
    /// Our own SQL may do everything until this is called with `false`.
    pub fn trust(&self, trusted: bool) {
        self.0.trusted.store(trusted, Ordering::Relaxed);
    }

    pub fn is_trusted(&self) -> bool {
        self.0.trusted.load(Ordering::Relaxed)
    }

    /// VACUUM attaches the file it builds.
    pub fn allow_attach(&self, allowed: bool) {
        self.0.attach.store(allowed, Ordering::Relaxed);
    }

    /// SQLite's question, answered.
    pub fn decide(&self, context: &AuthContext<'_>) -> Authorization {
        let attach = self.0.attach.load(Ordering::Relaxed);
        if self.is_trusted() || allowed(context, attach) { Authorization::Allow } else { Authorization::Deny }
    }
}

fn allowed(context: &AuthContext<'_>, attach: bool) -> bool {
    match context.action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => attach,
        AuthAction::Pragma { pragma_name, pragma_value } => pragma(pragma_name, pragma_value),
        AuthAction::Function { function_name } => {
            !FUNCTIONS.iter().any(|name| function_name.eq_ignore_ascii_case(name))
        }
        AuthAction::Insert { .. }
        | AuthAction::Update { .. }
        | AuthAction::Delete { .. }
        | AuthAction::CreateTable { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::CreateIndex { .. }
        | AuthAction::DropTable { .. }
        | AuthAction::DropView { .. }
        | AuthAction::DropIndex { .. }
        | AuthAction::AlterTable { .. } => !catalog(context.database_name),
        _reading => true,
    }
}

/// The catalogs are ours.
fn catalog(schema: Option<&str>) -> bool {
    schema.is_some_and(|schema| schema == "pg_catalog" || schema == "information_schema")
}

fn pragma(name: &str, value: Option<&str>) -> bool {
    let named = |list: &[&str]| list.iter().any(|known| name.eq_ignore_ascii_case(known));
    named(PRAGMAS) || (value.is_none() && named(READ_ONLY_PRAGMAS)) || named(WRITABLE_PRAGMAS)
}
