//! What is typed for a directive, and for whom it is.

use std::time::Duration;

use model::{Name, Targets};
use serde_json::{Map, Value, json};

use crate::failure::Usage;

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
        let with: Value = match &self.with {
            None => json!({}),
            Some(text) => {
                serde_json::from_str(text).map_err(|error| Usage(format!("--with is no JSON: {error}")))?
            }
        };
        if !with.is_object() {
            return Err(Usage("--with must be a JSON object, like {\"spread_ms\":1000}".into()).into());
        }
        let mut scope = Map::new();
        let about = [("server", &self.scope_server), ("database", &self.scope_database)];
        for (what, text) in about {
            scope.extend(text.iter().map(|text| (what.to_owned(), json!(text))));
        }
        let value = json!({
            "v": directive::VERSION,
            "id": self.id.clone().unwrap_or_else(|| format!("a-{number:016x}")),
            "epoch": 0,
            "sequence": 0,
            "lifetime_ms": u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX),
            "reason": self.reason,
            "scope": scope,
            "action": self.action,
            "with": with,
        });
        directive::decode(value.to_string().as_bytes())
            .map_err(|unreadable| self.explain(&unreadable.refusal))
    }

    fn explain(&self, refusal: &directive::Refusal) -> anyhow::Error {
        let kind = directive::Kind::from_name(&self.action);
        let hint = match (kind, refusal.about.as_str()) {
            (None, _) => {
                let names: Vec<_> = directive::Kind::ALL.iter().map(|kind| kind.name()).collect();
                format!("\n  there is no action \"{}\"; there are {}", self.action, names.join(", "))
            }
            (Some(kind), "lifetime_ms") => {
                let longest = directive::limits::lifetime_ms_max(kind) / 1_000;
                format!("\n  --for may be at most {longest}s for {}", self.action)
            }
            (Some(_), _) => "\n  `stationmaster directives send --help` has examples".into(),
        };
        Usage(format!("this is no directive to send: {refusal}{hint}")).into()
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

/// What is said of targets, by name.
pub fn fields(targets: &Targets) -> Vec<(&'static str, String)> {
    let Targets { database, user, application, location, driver, session, share } = targets;
    let fields = [
        ("database", database),
        ("user", user),
        ("application", application),
        ("location", location),
        ("driver", driver),
        ("session", session),
    ];
    let said = fields.into_iter().filter_map(|(what, pattern)| Some((what, pattern.as_ref()?.to_string())));
    said.chain(share.map(|share| ("share", format!("{}%", f64::from(share) / 10.0)))).collect()
}

/// The same in one line.
pub fn shown(targets: &Targets) -> String {
    let fields: Vec<String> =
        fields(targets).into_iter().map(|(what, pattern)| format!("{what}={pattern}")).collect();
    if fields.is_empty() { "all".into() } else { fields.join(" ") }
}

fn share(text: &str) -> Result<u16, String> {
    let percent = text.trim_end_matches('%').trim().parse::<f64>().map_err(|error| error.to_string())?;
    if !(0.0..=100.0).contains(&percent) {
        return Err("a share is 0 to 100 percent".into());
    }
    // In thousandths, which the bounds above keep small.
    Ok((percent * 10.0).round() as u16)
}

fn time(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| "a time is like 30s, 10min or 2h".to_owned())?;
    let unit_ms = match &text[digits..] {
        "ms" => 1,
        "s" | "" => 1_000,
        "min" | "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        unit => return Err(format!("{unit} is no unit of time; there are ms, s, min, h and d")),
    };
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(|| "that is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(action: &str, lifetime: &str, with: Option<&str>) -> Said {
        Said {
            action: action.into(),
            lifetime: time(lifetime).expect("a time"),
            with: with.map(str::to_owned),
            reason: "a test".into(),
            scope_server: None,
            scope_database: Some("shop".into()),
            id: None,
        }
    }

    #[test]
    fn what_is_typed_becomes_a_directive_that_drivers_read_r92() {
        let directive = said("rate", "10min", Some(r#"{"per_second":100}"#)).directive(7).expect("good");
        assert_eq!(directive.id, "a-0000000000000007");
        assert_eq!((directive.lifetime_ms, directive.kind()), (600_000, directive::Kind::Rate));
        assert_eq!(directive.scope.database.as_deref(), Some("shop"));
    }

    #[test]
    fn what_is_wrong_is_said_before_anything_is_sent() {
        let error = |said: Said| said.directive(7).expect_err("wrong").to_string();
        assert!(error(said("jump", "5s", None)).contains("there are hold, resume"));
        assert!(error(said("hold", "2h", None)).contains("at most 600s"));
        assert!(error(said("hold", "5s", Some("{"))).contains("no JSON"));
        assert!(error(said("hold", "5s", Some("[]"))).contains("a JSON object"));
        assert!(error(said("collect", "5s", None)).contains("--help"));
    }

    #[test]
    fn shares_and_times_are_read_as_they_are_typed() {
        assert_eq!([share("10"), share("0.1%"), share("100 %")], [Ok(100), Ok(1), Ok(1_000)]);
        assert!(share("101").is_err() && share("-1").is_err() && share("x").is_err());
        let ms = |text| time(text).map(|time| time.as_millis());
        assert_eq!([ms("5s"), ms("2h"), ms("7"), ms("3ms")], [Ok(5_000), Ok(7_200_000), Ok(7_000), Ok(3)]);
        assert!(time("5 s").is_err() && time("s").is_err() && time("99999999999999999999d").is_err());
    }
}
