//! `SEND`, `APPROVE` and `REVOKE DIRECTIVE`.

use directive::draft::{Draft, time_ms};
use model::{Name, SenderRole, Targets};
use wire::sqlstate;

use super::unsupported;
use crate::{
    admin::{Statement, cursor::Cursor},
    failure::Failure,
};

/// After `SEND`: `DIRECTIVE action FOR '30s' [WITH '{…}'] [ON SERVER|DATABASE name] [ID 'id'] [BECAUSE 'text']
/// [TO what 'pattern', …] [DRY RUN]`.
pub(super) fn send(cursor: &mut Cursor<'_>) -> Result<Statement, Failure> {
    cursor.expect_word("directive")?;
    let mut draft = Draft { action: cursor.identifier()?, ..Draft::default() };
    let (mut whom, mut lifetime, mut dry_run) = (Targets::default(), None, false);
    while !cursor.at_end() {
        match cursor.one_of(&["for", "with", "on", "id", "because", "to", "dry"]) {
            Some("for") => lifetime = Some(time_ms(&text(cursor)?).map_err(invalid)?),
            Some("with") => draft.with = Some(cursor.string()?),
            Some("on") if cursor.word("server") => draft.server = Some(text(cursor)?),
            Some("on") => {
                cursor.expect_word("database")?;
                draft.database = Some(text(cursor)?);
            }
            Some("id") => draft.id = Some(text(cursor)?),
            Some("because") => draft.reason = cursor.string()?,
            Some("to") => targets(cursor, &mut whom)?,
            Some("dry") => {
                cursor.expect_word("run")?;
                dry_run = true;
            }
            Some(_) | None => return Err(cursor.unexpected()),
        }
    }
    draft.lifetime_ms =
        lifetime.ok_or_else(|| invalid("how long it stands must be said").hint("Write FOR '30s'."))?;
    Ok(Statement::SendDirective { draft, targets: whom, dry_run })
}

/// After `APPROVE`.
pub(super) fn approve(cursor: &mut Cursor<'_>) -> Result<Statement, Failure> {
    if cursor.one_of(&["directive", "grant"]).is_none() {
        return Err(cursor.unexpected());
    }
    Ok(Statement::ApproveDirective { id: text(cursor)? })
}

/// After `REVOKE`: one, or `ALL DIRECTIVES`.
pub(super) fn revoke(cursor: &mut Cursor<'_>) -> Result<Statement, Failure> {
    if cursor.word("all") {
        cursor.expect_word("directives")?;
        return Ok(Statement::RevokeDirectives { id: None });
    }
    cursor.expect_word("directive")?;
    Ok(Statement::RevokeDirectives { id: Some(text(cursor)?) })
}

/// After `GRANT`: `sender TO user`. Other grants are not for here.
pub(super) fn grant(cursor: &mut Cursor<'_>, whole: &Cursor<'_>) -> Result<Statement, Failure> {
    let role = role(cursor, whole)?;
    cursor.expect_word("to")?;
    Ok(Statement::PutSender { user: cursor.identifier()?, role: Some(role) })
}

/// After `REVOKE`: `sender FROM user`. Whoever had the other right has none after that, either.
pub(super) fn take_away(cursor: &mut Cursor<'_>, whole: &Cursor<'_>) -> Result<Statement, Failure> {
    role(cursor, whole)?;
    cursor.expect_word("from")?;
    Ok(Statement::PutSender { user: cursor.identifier()?, role: None })
}

fn role(cursor: &mut Cursor<'_>, whole: &Cursor<'_>) -> Result<SenderRole, Failure> {
    let role = cursor.one_of(&["sender", "approver"]).and_then(SenderRole::parse);
    role.ok_or_else(|| unsupported(whole))
}

/// `what 'pattern', what 'pattern' …`: all must hold.
fn targets(cursor: &mut Cursor<'_>, targets: &mut Targets) -> Result<(), Failure> {
    loop {
        let before = cursor.clone();
        let place = match cursor.one_of(&WHOM) {
            Some("database") => &mut targets.database,
            Some("user") => &mut targets.user,
            Some("application") => &mut targets.application,
            Some("location") => &mut targets.location,
            Some("driver") => &mut targets.driver,
            Some("session") => &mut targets.session,
            Some("share") => {
                let percent = cursor.number()?;
                if percent > 100 {
                    return Err(invalid("a share is 0 to 100 percent"));
                }
                targets.share = Some(u16::try_from(percent * 10).expect("BUG: at most 1,000"));
                if cursor.symbol(',') {
                    continue;
                }
                return Ok(());
            }
            Some(_) | None => return Err(before.unexpected()),
        };
        let pattern = text(cursor)?;
        *place = Some(Name::new(&pattern).map_err(|error| invalid(error.to_string()))?);
        if !cursor.symbol(',') {
            return Ok(());
        }
    }
}

const WHOM: [&str; 7] = ["database", "user", "application", "location", "driver", "session", "share"];

/// A string or an identifier.
fn text(cursor: &mut Cursor<'_>) -> Result<String, Failure> {
    cursor.string().or_else(|_| cursor.identifier())
}

fn invalid(what: impl Into<String>) -> Failure {
    Failure::new(sqlstate::INVALID_PARAMETER_VALUE, what)
}

#[cfg(test)]
mod tests {
    use crate::admin::parse;

    use super::*;

    fn read(sql: &str) -> Statement {
        parse(sql).unwrap_or_else(|failure| panic!("{sql}: {failure:?}")).remove(0)
    }

    #[test]
    fn a_directive_is_read_with_all_that_is_said_of_it_r92() {
        let sql = "SEND DIRECTIVE rate FOR '10min' WITH '{\"per_second\":100}' ON DATABASE shop ID r1 \
                   BECAUSE 'too much' TO location 'west*', application till, share 10 DRY RUN";
        let Statement::SendDirective { draft, targets, dry_run } = read(sql) else { panic!("{sql}") };
        assert_eq!(
            (draft.action.as_str(), draft.lifetime_ms, draft.reason.as_str()),
            ("rate", 600_000, "too much")
        );
        assert_eq!(
            (draft.database.as_deref(), draft.id.as_deref(), dry_run),
            (Some("shop"), Some("r1"), true)
        );
        assert_eq!(targets.to_string(), "application=till location=west* share=10%");
        assert_eq!(draft.directive(1).expect("a directive").id, "r1");
        assert_eq!(read("revoke directive r1"), Statement::RevokeDirectives { id: Some("r1".into()) });
        assert_eq!(read("revoke all directives;"), Statement::RevokeDirectives { id: None });
        assert_eq!(read("approve grant g1"), Statement::ApproveDirective { id: "g1".into() });
        assert_eq!(
            [read("GRANT approver TO bob"), read("revoke sender from bob")],
            [Some(SenderRole::Approver), None].map(|role| Statement::PutSender { user: "bob".into(), role })
        );
        assert_eq!(read("approve directive 'r1'"), Statement::ApproveDirective { id: "r1".into() });
    }

    #[test]
    fn what_is_wrong_is_said_r92() {
        let code = |sql: &str| parse(sql).expect_err(sql).code;
        for sql in [
            "send directive",
            "send directive hold for",
            "send directive hold for 5 to x 'y'",
            "revoke all",
            "approve x",
            "grant sender bob",
        ] {
            assert_eq!(code(sql), sqlstate::SYNTAX_ERROR, "{sql}");
        }
        for sql in ["grant select on t to bob", "revoke select on t from bob"] {
            assert_eq!(code(sql), sqlstate::FEATURE_NOT_SUPPORTED, "{sql}");
        }
        for sql in [
            "send directive hold",
            "send directive hold for '5 years'",
            "send directive hold for '5s' to share 101",
            "send directive hold for '5s' to user ''",
        ] {
            assert_eq!(code(sql), sqlstate::INVALID_PARAMETER_VALUE, "{sql}");
        }
    }
}
