use super::*;
use crate::{Action, Combine, Per};

fn problems(text: &str) -> String {
    Rules::parse("my.toml", text).expect_err(text).to_string()
}

#[test]
fn the_sample_is_what_is_built_in() {
    let built_in = Rules::built_in();
    assert_eq!(Rules::parse("config/rules.toml", BUILT_IN), Ok(built_in.clone()));
    assert!(built_in.rules.len() >= 15, "{:?}", built_in.rules.keys());
    assert!(built_in.rules.values().all(|rule| !rule.what.is_empty()), "each says what it means");
    let maintenance = &built_in.rules["maintenance"];
    assert!(maintenance.clauses.is_empty(), "it is only declared");
}

#[test]
fn r46_a_file_adds_rules_replaces_rules_and_takes_rules_away() {
    let text = r#"
        filter = ["cpu_used_ratio", "external.*"]
        every_ms = 50
        off = ["overload"]
        [rule.hot_rack]
        what = "the rack is hot"
        combine = "any"
        per = "database"
        for_ms = 100
        clear_for_ms = 200
        actions = ["cancel_worst", "refuse_sessions"]
        dry_run = true
        if = [{ source = "external.rack", take = "mean", over_ms = 1000, samples_min = 3, above = 40, clear = 35.5 }]
        [rule.memory_pressure]
        if = [{ source = "memory_used_ratio", above = 0.5 }]
    "#;
    let rules = Rules::parse("my.toml", text).expect("sound");
    assert_eq!(rules.every, Duration::from_millis(50));
    assert_eq!(rules.filter.to_string(), "cpu_used_ratio,external.*");
    assert!(!rules.rules.contains_key("overload") && rules.rules.contains_key("slow_storage"));
    let hot = &rules.rules["hot_rack"];
    assert_eq!((hot.combine, hot.per, hot.dry_run), (Combine::Any, Per::Database, true));
    assert_eq!(hot.actions, [Action::CancelWorst, Action::RefuseSessions]);
    assert_eq!((hot.held_for, hot.clear_for), (Duration::from_millis(100), Duration::from_millis(200)));
    assert_eq!((hot.clauses[0].samples_min, hot.clauses[0].over), (3, Duration::from_secs(1)));
    assert!(rules.rules["memory_pressure"].actions.is_empty(), "replaced as a whole");
    let dry = Rules::parse("my.toml", "dry_run = true").expect("sound");
    assert!(dry.rules.values().all(|rule| rule.dry_run));
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_file_line_and_what_is_allowed() {
    let text = "filter = \"some\"\nevery_ms = 5\ncolour = 1\noff = [\"overlod\"]\n[rule.a]\nfor_ms = -1\nactions = [\"reboot\"]\nwhen = 1\n\
                [[rule.a.if]]\nsource = \"cpu\"\nabove = 1\nbelow = 2\n[[rule.a.if]]\nsource = \"cpu_used_ratio\"\n\
                take = \"median\"\nabove = \"much\"\n[rule.B]\n";
    let told = problems(text);
    for part in [
        "my.toml:1: the file: `filter`",
        "my.toml:2: the file: `every_ms` must be a whole number from 10 to 86400000",
        "my.toml:3: the file: unknown key `colour`; there are `filter`",
        "my.toml:4: the file: `off`: there is no rule \"overlod\"; there are",
        "my.toml:6: rule a: `for_ms` must be a whole number from 0",
        "my.toml:7: rule a: `actions`: there is no \"reboot\"; there are \"unload_idle\", \"refuse_sessions\"",
        "my.toml:8: rule a: unknown key `when`; there are `what`",
        "my.toml:10: rule a: `source`: nothing is called \"cpu\"; there are memory_used_ratio",
        "my.toml:9: rule a: a clause needs either `above` or `below`, a number",
        "my.toml:15: rule a: `take` must be one of \"last\", \"mean\"",
        "my.toml:16: rule a: `above` must be a number",
        "my.toml:17: \"B\" is no name of a condition",
    ] {
        assert!(told.contains(part), "{part:?} is missing in\n{told}");
    }
}

#[test]
fn clauses_that_make_no_sense_are_refused() {
    let clause =
        |clause: &str| problems(&format!("[rule.a]\nif = [{{ source = \"journal_seconds\", {clause} }}]"));
    assert!(clause("above = 1, clear = 2").contains("`clear` must be on the good side"));
    assert!(clause("below = 1, clear = 0.5").contains("`clear` must be on the good side"));
    assert!(clause("above = 1, take = \"mean\"").contains("needs `over_ms`"));
    assert!(clause("above = 1, over_ms = 5").contains("need a `take`"));
    assert!(clause("above = nan").contains("`above` must be a number"));
    assert!(clause("above = 1, samples_min = 0, take = \"max\", over_ms = 9").contains("from 1 to"));
    assert!(problems("rule = 3").contains("must be tables"));
    assert!(problems("[rule.a]\nif = 3").contains("`if` must be"));
    assert!(problems("[rule.a").contains("my.toml:1: not TOML"));
}

#[test]
fn r46_what_clients_are_told_is_data_and_what_they_would_refuse_is_refused_here() {
    let text = "[rule.a]\n[[rule.a.tell]]\ndirective = \"rate\"\nper_second = 7\n[[rule.a.tell]]\n\
                directive = \"hold\"\nspread_ms = 9\nlifetime_ms = 5\n";
    let rules = Rules::parse("my.toml", text).expect("sound");
    let tells = &rules.rules["a"].tells;
    assert_eq!(tells[0].action.kind(), directive::Kind::Rate);
    assert_eq!(
        (tells[1].action.kind(), tells[1].lifetime),
        (directive::Kind::Hold, Duration::from_millis(5))
    );
    let tell = |tell: &str| problems(&format!("[rule.a]\n[[rule.a.tell]]\n{tell}"));
    assert!(
        tell("directive = \"reboot\"")
            .contains("my.toml:3: rule a: `directive` must be one of \"information\"")
    );
    assert!(tell("lifetime_ms = 5").contains("needs its `directive`"));
    assert!(tell("directive = \"rate\"\nper_second = 0").contains("a client would refuse this"));
    assert!(tell("directive = \"hold\"\nper_second = 1").contains("unknown key `per_second`"));
    assert!(tell("directive = \"hold\"\nlifetime_ms = 99999999999").contains("a client would refuse this"));
}

mod any_text {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_text_makes_it_panic(text in "([a-z_]{1,8}( = |\\.|\\[\\[rule\\.a\\.if\\]\\]|\\[rule|\n|\\]|\"|[-0-9.e]{1,5}|\\{|\\})){0,30}") {
            let _read_or_told = Rules::parse("x", &text);
        }
    }
}
