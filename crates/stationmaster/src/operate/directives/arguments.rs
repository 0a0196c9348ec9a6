//! What is typed for a directive, and for whom it is.

use std::time::Duration;

use crate::failure::Usage;
use directive::draft::{BadDraft, Draft, time_ms};
use model::{Name, Targets};

/// Shown by `--help`.
pub const EXAMPLES: &str = "Examples:
  Nobody connects to database shop for 5 s, then spread over 2 s:
    stationmaster directives send hold --scope-database shop --for 5s --with '{\"spread_ms\":2000}' --database shop
  A tenth of the clients in zone west-1 measures for 30 s; then all of them, by the same id:
    stationmaster directives send collect --id look --for 30s --location west-1 --share 10 \\
      --with '{\"name\":\"look\",\"of\":[\"client\",\"query\"],\"interval_ms\":1000}'
    (the same again without --share)
  At most 100 operations a second from the application reports:
    stationmaster directives send rate --for 10min --application reports --with '{\"per_second\":100}'

The actions and their parameters stand in the README of the crate `directive`.";

/// What is said.
#[derive(clap::Args)]
pub struct Said {
    /// What to do: hold, resume, retry, switch, error_policy, information, collect, stop_collecting, upload, rate, flush,
    /// refresh, fan_out, data_source, update, activate, deactivate, rule or revoke
    action: String,
    /// How long it stands, like 30s, 10min or 2h
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    lifetime: Duration,
    /// Parameters of the action, as a JSON object
    #[arg(long, value_name = "JSON")]
    with: Option<String>,
    /// Why, for people; at most 256 bytes
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// The server or handler that it is about, by name or host:port
    #[arg(long, value_name = "SERVER")]
    scope_server: Option<String>,
    /// The database that it is about, by name or id
    #[arg(long, value_name = "DATABASE")]
    scope_database: Option<String>,
    /// Its id; one that stands is sent to others by repeating it with other targets. Without it, a new one
    #[arg(long, value_name = "ID")]
    id: Option<String>,
}

/// For whom it is: all that is given must hold. A pattern that ends in * stands for everything that begins like it.
#[derive(clap::Args)]
#[command(next_help_heading = "For whom")]
pub struct Whom {
    /// Sessions on this database, as the client named it
    #[arg(long, value_name = "PATTERN")]
    database: Option<Name>,
    /// Sessions of this user
    #[arg(long, value_name = "PATTERN")]
    user: Option<Name>,
    /// Sessions with this application_name
    #[arg(long, value_name = "PATTERN")]
    application: Option<Name>,
    /// Clients that say that they are there
    #[arg(long, value_name = "PATTERN")]
    location: Option<Name>,
    /// Clients with this driver and version
    #[arg(long, value_name = "PATTERN")]
    driver: Option<Name>,
    /// One session, by its token
    #[arg(long, value_name = "TOKEN")]
    session: Option<Name>,
    /// Only this share of them, in percent; who is in a share is in every larger one
    #[arg(long, value_name = "PERCENT", value_parser = share)]
    share: Option<u16>,
}

impl Said {
    /// As a directive. `number` makes its id when none was given.
    pub fn directive(&self, number: u64) -> anyhow::Result<directive::Directive> {
        let draft = Draft {
            action: self.action.clone(),
            lifetime_ms: u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX),
            with: self.with.clone(),
            reason: self.reason.clone(),
            server: self.scope_server.clone(),
            database: self.scope_database.clone(),
            id: self.id.clone(),
        };
        draft.directive(number).map_err(|bad| {
            let hint = match &bad {
                BadDraft::Json(_) | BadDraft::NoObject => "\n  they are given by --with",
                BadDraft::Lifetime { .. } => "\n  it is given by --for",
                BadDraft::Action(_) => "",
                BadDraft::Refused(_) => "\n  `stationmaster directives send --help` has examples",
            };
            Usage(format!("{bad}{hint}")).into()
        })
    }
}

impl Whom {
    /// As targets.
    pub fn targets(&self) -> Targets {
        let Self { database, user, application, location, driver, session, share } = self;
        Targets {
            database: database.clone(),
            user: user.clone(),
            application: application.clone(),
            location: location.clone(),
            driver: driver.clone(),
            session: session.clone(),
            share: *share,
        }
    }
}

fn share(text: &str) -> Result<u16, String> {
    let percent = text.trim_end_matches('%').trim().parse::<f64>().map_err(|error| error.to_string())?;
    if !(0.0..=100.0).contains(&percent) {
        return Err("a share is 0 to 100 percent".into());
    }
    // In thousandths, which the bounds above keep small.
    Ok((percent * 10.0).round() as u16)
}

/// A time as people type it.
pub fn time(text: &str) -> Result<Duration, String> {
    time_ms(text).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_as_they_are_typed() {
        assert_eq!([share("10"), share("0.1%"), share("100 %")], [Ok(100), Ok(1), Ok(1_000)]);
        assert!(share("101").is_err() && share("-1").is_err() && share("x").is_err());
    }

    #[test]
    fn what_is_wrong_is_said_with_the_flag_that_it_is_about() {
        let said = |action: &str, with: &str| Said {
            action: action.into(),
            lifetime: Duration::from_secs(7_200),
            with: Some(with.into()),
            reason: String::new(),
            scope_server: None,
            scope_database: None,
            id: None,
        };
        let error = |said: Said| said.directive(7).expect_err("wrong").to_string();
        assert!(error(said("hold", "{}")).contains("--for"));
        assert!(error(said("flush", "[]")).contains("--with"));
        assert!(error(said("jump", "{}")).contains("there are hold"));
    }
}
