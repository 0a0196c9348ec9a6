use conditions::{Action, Kind};

use super::*;

/// Remembers what it was told.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Sink for Heard {
    fn changed(&self, change: &Change) {
        let sign = if change.raised { '+' } else { '-' };
        lock(&self.0).push(format!("{sign}{}", change.kind));
    }
}

impl Heard {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.0))
    }
}

fn listened(rules: Rules) -> (Environment, Arc<Heard>) {
    let (environment, heard) = (Environment::new(rules), Arc::new(Heard::default()));
    environment.tell(heard.clone());
    (environment, heard)
}

#[tokio::test(start_paused = true)]
async fn r45_a_database_that_leaves_is_told_at_once_and_until_it_has_left() {
    let (environment, heard) = listened(Rules::built_in());
    let leaving = environment.leaving(DatabaseId(7));
    assert_eq!(heard.take(), ["+failover"], "nobody had to look");
    let raised = environment.raised();
    assert_eq!((raised.len(), raised[0].scope), (1, Scope::Database(DatabaseId(7))));
    drop(leaving);
    assert_eq!(heard.take(), ["-failover"]);
}

#[tokio::test(start_paused = true)]
async fn r51_memory_that_runs_out_asks_for_its_actions() {
    let (environment, heard) = listened(Rules::built_in());
    for _ in 0..5 {
        environment.take([Reading::server("memory_used_ratio", 0.95)]);
        environment.evaluate();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(heard.take(), ["+memory_pressure"]);
    assert_eq!(environment.raised()[0].actions, [Action::UnloadIdle]);
}

#[tokio::test(start_paused = true)]
async fn r60_r61_posts_raise_and_clear_conditions() {
    let (environment, heard) = listened(Rules::built_in());
    let post = |form, body: &str| environment.post(form, body.as_bytes());
    assert_eq!(post(Form::Conditions, r#"{"condition": "maintenance", "reason": "kernel"}"#), Ok(Posted(1)));
    assert_eq!(heard.take(), ["+maintenance"]);
    let alert = |status: &str| {
        let labels = r#"{"alertname": "RackHot"}"#;
        format!(r#"{{"version": "4", "alerts": [{{"status": "{status}", "labels": {labels}}}]}}"#)
    };
    assert_eq!(post(Form::Alertmanager, &alert("firing")), Ok(Posted(1)));
    assert_eq!(post(Form::Alertmanager, &alert("resolved")), Ok(Posted(1)));
    assert_eq!(heard.take(), ["+rack_hot", "-rack_hot"]);
    let refused = post(Form::Events, "[1]").expect_err("no event");
    assert!(refused.starts_with("number 1:"), "{refused}");
    let kinds: Vec<Kind> = environment.raised().into_iter().map(|raised| raised.kind).collect();
    assert_eq!(kinds, ["maintenance".parse::<Kind>().expect("a name")]);
}

#[tokio::test(start_paused = true)]
async fn r60_a_monitors_event_is_judged_by_the_rules() {
    let rules = "[rule.hot]\nif = [{ source = \"external.rack\", above = 40 }]\n";
    let (environment, heard) = listened(Rules::parse("x", rules).expect("sound"));
    environment.post(Form::Events, br#"{"source": "rack", "value": 30}"#).expect("taken");
    assert_eq!(heard.take(), [""; 0]);
    environment.post(Form::Events, br#"{"source": "rack", "value": 41.5}"#).expect("taken");
    assert_eq!(heard.take(), ["+hot"]);
}

#[test]
fn r46_a_file_of_rules_is_read_again_and_a_bad_one_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("rules.toml");
    assert!(Environment::of_file(file.clone()).is_err(), "it is not there");
    std::fs::write(&file, "every_ms = 50\n").expect("room");
    let environment = Environment::of_file(file.clone()).expect("sound");
    assert_eq!(environment.every(), Duration::from_millis(50));
    std::fs::write(&file, "every_ms = \"often\"\n").expect("room");
    let told = environment.reload().expect_err("no number").to_string();
    assert!(told.contains("rules.toml:1: ") && told.contains("`every_ms` must be"), "{told}");
    assert_eq!(environment.every(), Duration::from_millis(50));
    std::fs::write(&file, "every_ms = 70\nfilter = \"failure\"\n").expect("room");
    environment.reload().expect("sound");
    assert_eq!((environment.every(), environment.passage().0), (Duration::from_millis(70), Filter::Failure));
}

/// Tells a value that the test chooses.
struct Chosen(Arc<Mutex<f64>>);

impl Sensor for Chosen {
    fn sources(&self) -> &'static [&'static str] {
        &["memory_used_ratio", "cpu_pressure_ratio"]
    }

    fn read(&mut self) -> Vec<Reading> {
        vec![Reading::server("memory_used_ratio", *lock(&self.0))]
    }
}

#[tokio::test(start_paused = true)]
async fn r41_a_sensor_is_read_again_and_again_and_what_it_lacks_is_noted() {
    let (environment, heard) = listened(Rules::built_in());
    let value = Arc::new(Mutex::new(0.5));
    let sensor = Box::new(Chosen(Arc::clone(&value)));
    let reading = tokio::spawn(environment.clone().read_on(sensor, crate::Workers::inline()));
    let look = async |seconds: u64| {
        for _ in 0..seconds {
            tokio::time::sleep(Duration::from_secs(1)).await;
            environment.evaluate();
        }
    };
    look(4).await;
    assert_eq!((heard.take(), environment.absent()), (vec![], vec!["cpu_pressure_ratio"]));
    *lock(&value) = 0.99;
    look(6).await;
    assert_eq!(heard.take(), ["+memory_pressure"]);
    *lock(&value) = 0.5;
    look(20).await;
    assert_eq!(heard.take(), ["-memory_pressure"]);
    reading.abort();
}
