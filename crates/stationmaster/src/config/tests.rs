use std::path::Path;

use super::{origin::Origin, *};

const HANDLER: &str = r#"
[handler]
name = "handler-1"
listen = "127.0.0.1:7432"
controllers = ["127.0.0.1:7101", "127.0.0.1:7102"]
admin_listen = "127.0.0.1:9301"
secret_file = "secret"
"#;

fn read_plain(text: &str) -> Result<Config, Problems> {
    read(None, "some.toml", text, &Overrides::default())
}

fn complaints(text: &str) -> String {
    read_plain(text).err().expect("a configuration with mistakes").to_string()
}

fn handler(config: Config) -> ::handler::Settings {
    match config.settings {
        Settings::Handler(handler) => handler.settings,
        other => panic!("not a handler but a {}", other.role().name()),
    }
}

#[test]
fn a_file_gives_settings_and_defaults() {
    let config = read_plain(HANDLER).expect("sound");
    let shown = show(&config.resolved);
    assert!(shown.contains("name = \"handler-1\""), "{shown}");
    assert!(shown.contains("# some.toml:3\n"), "{shown}");
    assert!(shown.contains("# default\n"), "{shown}");
    let handler = handler(config);
    assert_eq!(handler.address, "127.0.0.1:7432", "where it listens, unless said otherwise");
    assert_eq!(handler.controllers, ["127.0.0.1:7101", "127.0.0.1:7102"]);
}

#[test]
fn environment_overrides_the_file_and_flags_override_both() {
    let environment = [
        ("STATIONMASTER_HANDLER__SESSIONS_MAX", "7"),
        ("STATIONMASTER_HANDLER__LOCATION", "attic"),
        ("STATIONMASTER_LOG__FORMAT", "json"),
        ("STATIONMASTER_SERVER__DATA_DIR", "for another role"),
        ("STATIONMASTER_HANDLER_PORT", "tcp://as-kubernetes-sets-it:1"),
    ];
    let environment = environment.map(|(name, value)| (name.into(), value.into())).to_vec();
    let flags = vec!["sessions_max=9".into(), "log.filter=debug".into(), "controllers=a:1, b:2".into()];
    let overrides = Overrides { environment, flags };
    let config = read(Some(Role::Handler), "some.toml", HANDLER, &overrides).expect("sound");
    assert_eq!(config.process.log, Log { format: LogFormat::Json, filter: LogFilter("debug".into()) });
    let handler = handler(config);
    assert_eq!((handler.sessions_max, &*handler.location), (9, "attic"));
    assert_eq!(handler.controllers, ["a:1", "b:2"]);
}

#[test]
fn all_mistakes_are_named_at_once_with_their_lines() {
    let text = HANDLER.replace("listen = \"127.0.0.1:7432\"", "listn = \"127.0.0.1:7432\"")
        + "sessions_max = \"many\"\nlocation = 7\n";
    let said = complaints(&text);
    assert!(said.starts_with("the configuration has 4 problems"), "{said}");
    for part in [
        "some.toml:4: unknown setting `listn` in [handler]; did you mean `listen`?",
        "some.toml:8: `sessions_max` must be a whole number, not negative; this is \"many\"",
        "some.toml:9: `location` must be a text in quotes; this is 7",
        "some.toml: [handler] needs `listen`; for example `listen = \"127.0.0.1:7432\"`",
    ] {
        assert!(said.contains(part), "{part}\nis not in\n{said}");
    }
}

#[test]
fn a_mistake_in_the_syntax_does_not_hide_the_others() {
    let text = HANDLER.replace("\"handler-1\"", "handler-1") + "sessions_max = 0\n";
    let said = complaints(&text);
    assert!(said.contains("some.toml:3: not TOML"), "{said}");
    assert!(said.contains("some.toml:8: `sessions_max` must be a whole number from 1"), "{said}");
}

#[test]
fn a_file_is_for_one_role() {
    assert!(complaints("").contains("none of the tables"));
    assert!(complaints(&format!("{HANDLER}\n[server]\n")).contains("some.toml:9: [handler] and [server]"));
    assert!(complaints(&format!("{HANDLER}\n[sever]\n")).contains("some.toml:9: table [sever]"));
    assert!(complaints(&format!("name = \"x\"\n{HANDLER}")).contains("some.toml:1: \"name\" stands outside"));
    let wrong = read(Some(Role::Server), "some.toml", HANDLER, &Overrides::default());
    let said = wrong.err().expect("a handler's file").to_string();
    assert!(said.contains("table [handler] has no place in the configuration of a server"), "{said}");
}

#[test]
fn settings_are_checked_against_each_other() {
    let everywhere = HANDLER.replace("127.0.0.1:7432", "0.0.0.0:7432");
    assert!(complaints(&everywhere).contains("`address` is missing"));
    let controller = r#"
[controller]
id = 4
listen = "127.0.0.1:7101"
members = { 1 = "127.0.0.1:7101", 2 = "127.0.0.1:7102" }
data_dir = "data"
lease_ms = 600
admin_listen = "127.0.0.1:9101"
secret_file = "secret"
"#;
    let said = complaints(controller);
    assert!(said.contains("some.toml:3: `id` is 4, but `members` lists no such controller"), "{said}");
    assert!(said.contains("some.toml:7: `lease_ms` must be at least twice heartbeat_ms (500)"), "{said}");
}

#[test]
fn a_journal_is_at_a_directory_or_at_a_url_of_a_known_form() {
    let server = |journal: &str| {
        format!(
            r#"
[server]
name = "server-1"
data_listen = "127.0.0.1:7201"
control_listen = "127.0.0.1:7301"
controllers = ["127.0.0.1:7101"]
journal = "{journal}"
data_dir = "data"
admin_listen = "127.0.0.1:9201"
secret_file = "secret"
"#
        )
    };
    read_plain(&server("some/dir")).expect("a directory");
    for journal in ["http://bucket/path", "s3://", ""] {
        let said = complaints(&server(journal));
        assert!(
            said.contains("some.toml:7: `journal` must be") && said.contains("s3://bucket/path"),
            "{said}"
        );
    }
    #[cfg(not(feature = "cloud"))]
    {
        let said = complaints(&server("s3://bucket/path"));
        assert!(said.contains("some.toml:7: `journal`") && said.contains("the feature `cloud`"), "{said}");
    }
    #[cfg(feature = "cloud")]
    read_plain(&server("s3://bucket/path")).expect("a URL");
}

#[test]
fn flags_and_variables_that_do_not_fit_are_named_too() {
    let overrides = Overrides {
        environment: vec![("STATIONMASTER_HANDLER__SESSION_MAX".into(), "7".into())],
        flags: vec!["nonsense".into(), "sessions_max=-1".into(), "contrllers=a:1".into()],
    };
    let problems = read(None, "some.toml", HANDLER, &overrides).err().expect("four mistakes");
    assert_eq!(problems.problems.len(), 4, "{problems}");
    let said = problems.to_string();
    assert!(said.contains("environment STATIONMASTER_HANDLER__SESSION_MAX: unknown setting"), "{said}");
    assert!(said.contains("flag contrllers=a:1: unknown setting `contrllers`"), "{said}");
}

#[test]
fn every_sample_loads_and_names_every_setting_and_its_default() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("the samples' folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        // No configuration of a process: `conditions` reads it, and tests that it does.
        if name == "rules.toml" {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a readable sample");
        let config =
            read(None, &name, &text, &Overrides::default()).unwrap_or_else(|error| panic!("{error}"));
        for Resolved { key, value, origin, .. } in &config.resolved {
            let line = match origin {
                Origin::Default => format!("\n# {key} = {value}\n"),
                Origin::File { .. } | Origin::Environment(_) | Origin::Flag(_) => {
                    format!("\n{key} = {value}\n")
                }
            };
            assert!(text.contains(&line), "{name} has no line{line}");
        }
        seen.push(name);
    }
    seen.sort();
    assert_eq!(seen, ["controller.toml", "handler.toml", "server.toml"]);
}

const CONTROLLER: &str = r#"
[controller]
id = 1
members = { 1 = "127.0.0.1:7101" }
data_dir = "data"
admin_listen = "127.0.0.1:9101"
secret_file = "secret"
"#;

fn balance(text: &str) -> ::controller::BalanceSettings {
    match read_plain(&format!("{CONTROLLER}{text}")).expect("sound").settings {
        Settings::Controller(controller) => controller.settings.balance,
        other => panic!("not a controller but a {}", other.role().name()),
    }
}

#[test]
fn balancing_has_a_table_of_its_own_with_defaults() {
    assert_eq!(balance(""), ::controller::BalanceSettings::default());
    let said = "[balance]\nmode = \"recommend\"\nband_high_percent = 30\nmove_cost_millionths = 250\n";
    let settings = balance(said);
    assert_eq!(settings.mode, ::controller::Mode::Recommend);
    assert_eq!((settings.policy.band_high, settings.policy.move_cost), (0.3, 0.000_25));
}

#[test]
fn mistakes_in_balance_are_named_at_once() {
    let text =
        "[balance]\nmode = \"on\"\nband_hihg_percent = 1\nurgent_limit_percent = 90\nband_low_percent = 15\n";
    let said = complaints(&format!("{CONTROLLER}{text}"));
    for part in [
        "`mode` must be \"auto\", \"recommend\" or \"off\"; this is \"on\"",
        "unknown setting `band_hihg_percent` in [balance]; did you mean `band_high_percent`?",
        "`urgent_limit_percent` must be at most hard_limit_percent",
        "`band_low_percent` must be less than band_high_percent",
    ] {
        assert!(said.contains(part), "{part}\nis not in\n{said}");
    }
    let said = complaints(&format!("{HANDLER}[balance]\n"));
    assert!(said.contains("table [balance] has no place in the configuration of a handler"), "{said}");
}
