use super::*;

fn header() -> String {
    let minutes: Vec<String> = (1..=DAY).map(|minute| minute.to_string()).collect();
    format!("HashOwner,HashApp,HashFunction,Trigger,{}\n", minutes.join(","))
}

/// A function whose count in a minute, from 0, is what the closure says.
fn row(application: &str, count: impl Fn(u32) -> u32) -> String {
    let counts: Vec<String> = (0..DAY).map(|minute| count(minute).to_string()).collect();
    format!("owner,{application},function,http,{}\n", counts.join(","))
}

fn read(files: &[String]) -> Result<Recorded, Error> {
    let mut recorded = Recorded::default();
    for file in files {
        recorded.read(file.as_bytes())?;
    }
    Ok(recorded)
}

fn at(recorded: &Recorded, minute: u32) -> Vec<f32> {
    let mut loads = vec![0.0; recorded.databases()];
    recorded.step(minute, &mut loads);
    loads
}

#[test]
fn functions_of_an_application_count_together_and_days_follow_each_other() {
    let first = header() + &row("a", |minute| minute) + &row("b", |_| 7) + &row("a", |_| 100);
    let second = header() + &row("c", |_| 1) + &row("b", |_| 9);
    let recorded = read(&[first, second]).expect("two good files");
    assert_eq!((recorded.databases(), recorded.days()), (3, 2));
    assert_eq!(at(&recorded, 5), [105.0, 7.0, 0.0]);
    assert_eq!(at(&recorded, DAY + 5), [0.0, 9.0, 1.0]);
    assert_eq!(at(&recorded, 2 * DAY + 5), [105.0, 7.0, 0.0], "and it begins again");
}

#[test]
fn the_sample_in_the_repository_is_read() {
    let mut recorded = Recorded::default();
    recorded.read(&include_bytes!("../../tests/azure_sample.csv")[..]).expect("a good file");
    assert_eq!(recorded.databases(), 5);
    assert!(recorded.means().iter().all(|mean| *mean > 0.0));
}

#[test]
fn what_is_wrong_is_told_with_line_and_column() {
    let good = row("a", |_| 1);
    let told = |file: String| read(&[file]).expect_err("a bad file").to_string();
    assert!(told(String::new()).starts_with("line 1 is no header"));
    assert!(told(good.clone()).starts_with("line 1 is no header"));
    assert!(told(header().replace(",1440", "")).starts_with("line 1 is no header"));
    assert_eq!(told(header()), "there is no invocation in it");
    assert_eq!(told(header() + &row("a", |_| 0)), "there is no invocation in it");
    let short = good.trim_end().rsplit_once(',').expect("columns").0.to_owned() + "\n";
    assert_eq!(told(header() + &good + &short), "line 3 has 1443 columns instead of 1444");
    let torn = row("a", |minute| minute).replace(",700,", ",seven,");
    let told_of_count = told(header() + &good + &torn);
    assert!(told_of_count.starts_with("line 3, column 705: \"seven\" is no count"), "{told_of_count}");
    assert!(told(header() + &good.replacen(",1,", ",-1,", 1)).starts_with("line 2, column 5: \"-1\""));
    assert!(told(header() + &"x".repeat(LINE_MAX + 1)).starts_with("line 2 is longer than"));
    let mut recorded = Recorded::default();
    let bytes = [header().as_bytes(), &[0xff, 0xfe, b'\n']].concat();
    assert_eq!(recorded.read(&bytes[..]).expect_err("no text").to_string(), "cannot read line 2");
}
