use super::*;

#[test]
fn what_is_written_is_read_again() {
    let value = Edn::Map(vec![
        (Edn::keyword("type"), Edn::keyword("ok")),
        (Edn::keyword("error"), Edn::Text("a \"b\"\n\\c\tü".into())),
        (Edn::keyword("value"), Edn::Vector(vec![Edn::Nil, Edn::Bool(true), Edn::Int(-7)])),
    ]);
    assert_eq!(
        value.to_string(),
        r#"{:type :ok, :error "a \"b\"\n\\c	ü", :value [nil true -7]}"#.replace('\t', "\\t")
    );
    assert_eq!(read(&value.to_string()), Ok(vec![value]));
}

#[test]
fn what_jepsen_writes_is_read() {
    let text =
        "; a comment\n#jepsen.history.Op{:index 0, :f :txn :value [[:r 1 nil] (:append 1 2)] :x #{1.5}}\n7";
    let values = read(text).expect("it can be read");
    assert_eq!(values[0].get("f").and_then(Edn::name), Some("txn"));
    assert_eq!(
        values[0].get("value").map(ToString::to_string).as_deref(),
        Some("[[:r 1 nil] [:append 1 2]]")
    );
    assert_eq!(values[0].get("x").map(ToString::to_string).as_deref(), Some("[1.5]"));
    assert_eq!(values[1], Edn::Int(7));
}

#[test]
fn what_cannot_be_read_is_refused_with_its_line() {
    for (text, line) in
        [("[1", 1), ("\n]", 2), ("{:a}", 1), ("\n\n\"a", 3), ("\"\\", 1), ("#", 1), ("(1 2]", 1)]
    {
        assert_eq!(read(text).map_err(|error| error.line), Err(line), "{text}");
    }
    assert!(read(&"[".repeat(100_000)).is_err());
}
