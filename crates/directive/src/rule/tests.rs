use super::*;
use crate::action::Operations;

const FAILURE: Failure<'static> =
    Failure { sqlstate: "40001", attempts: 1, harmless: true, of: Operations::Write, table: "orders" };

fn holds(expression: &str) -> bool {
    evaluate(expression, &FAILURE, &Target { servers: &["s2"], databases: &["shop"] })
}

#[test]
fn r90_a_rule_sees_the_facts_of_an_error() {
    for yes in [
        "true",
        r#"class == "40" && table == "orders""#,
        r#"sqlstate == "40001" && operation == "write" && harmless && attempts < 2"#,
        r#"database == "shop" && server == "s2""#,
        r#"if class == "40" { attempts < 3 } else { false }"#,
        r#"switch table { "orders" => true, _ => false }"#,
    ] {
        assert_eq!(check(yes), Ok(()), "{yes}");
        assert!(holds(yes), "{yes}");
    }
    for no in [r#"class == "53""#, "attempts > 1", "!harmless", "class == 40"] {
        assert!(!holds(no), "{no}");
    }
}

#[test]
fn r90_there_is_no_way_to_loop_to_name_or_to_reach_outside() {
    for wrong in [
        "loop {}",
        "while true {}",
        "do {} while true",
        "if true { loop {} } else { true }",
        "switch 1 { _ => { loop {} } }",
        "`${loop {}}` == \"\"",
        "`${let x = 1; x}` == \"1\"",
        "let x = 1",
        "class = \"41\"",
        "fn f() { f() }",
        "(|x| x)",
        "eval(\"true\")",
        "Fn(\"x\") == 1",
        "call(1) == 1",
        "import \"file\"",
        "print(1)",
        "throw 1",
        "return true",
        "[1, 2] == 1",
        "#{a: 1} == 1",
        "class.len == 2",
        "std::fs::read(1)",
        "",
        "\u{0}",
    ] {
        let refused = check(wrong).is_err();
        assert!(refused || !holds(wrong), "{wrong}");
        // What compiles although it looks like a call finds nothing to call.
        assert!(refused || wrong.starts_with("print"), "{wrong}");
    }
}

#[test]
fn r90_a_hostile_rule_ends_soon_and_stays_small() {
    let long = |part: &str, last: &str| {
        let times = (crate::limits::EXPRESSION_BYTES_MAX - last.len()) / part.len();
        part.repeat(times) + last
    };
    let table = "t".repeat(256);
    let failure = Failure { table: &table, ..FAILURE };
    for hostile in [
        long("(", "true"),
        long("!", "true"),
        long("-", "1"),
        long("table+", "table"),
        long("true||", "true"),
        long("1+", "1"),
        long("`${", "1"),
        long("if true {", "true"),
        long("switch 1 {_=>", "true"),
        long("/*", "true"),
        "9223372036854775807 * 9223372036854775807 == 1".to_owned(),
        "2 ** 9223372036854775807 == 1".to_owned(),
        "(0..9223372036854775807) == (0..9223372036854775807)".to_owned(),
        "1 << 9223372036854775807 == 1".to_owned(),
        "-9223372036854775808 / -1 == 1".to_owned(),
    ] {
        // That this returns is the point; of a bounded length, it can neither loop nor grow.
        let yes = evaluate(&hostile, &failure, &Target::default());
        assert!(!yes || hostile.starts_with('(') || hostile.contains("(0.."), "{hostile}");
    }
}

#[test]
fn r90_operations_are_counted() {
    // Wide and flat, so that depth does not stop it first: texts in a switch.
    let cases: Vec<_> = (0..100).map(|number| format!("{number}=>true")).collect();
    let expression = format!("switch attempts {{{},_=>false}}", cases.join(","));
    assert!(holds(&expression));
    let mut engine = engine();
    engine.set_max_operations(1);
    let spent = engine.eval_expression::<bool>("1 + 1 + 1 == 3").expect_err("too much for one operation");
    assert!(spent.to_string().contains("operations"), "{spent}");
}
