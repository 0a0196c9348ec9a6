//! Servers that know what is wrong with them, say so, and keep themselves going (R41-R46, R51, R60, R61).

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;
use tests::{Cluster, Process, Role, Session, get, post, until};

const TOKEN: &str = "a-token-of-the-monitors";

/// A cluster of one server with rules of its own, and the file that they are in.
async fn watched(rules: &str) -> (Cluster, std::path::PathBuf) {
    let files = tempfile::tempdir().expect("a directory").keep();
    let (file, token) = (files.join("rules.toml"), files.join("token"));
    std::fs::write(&file, format!("every_ms = 20\n{rules}")).expect("room");
    std::fs::write(&token, TOKEN).expect("room");
    let quoted = |path: &std::path::Path| format!("{:?}", path.display().to_string());
    let cluster = Cluster::builder().handlers(1).servers(1);
    let cluster = cluster.set(Role::Server, "rules_file", quoted(&file));
    let cluster = cluster.set(Role::Server, "monitor_token_file", quoted(&token)).start().await;
    (cluster, file)
}

fn conditions(cluster: &Cluster) -> Vec<(String, String)> {
    let listed: Value = cluster.cli().run(&["servers", "conditions", "--json"]).json();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = listed.as_array().expect("an array");
    rows.iter().map(|row| (text(row, "condition"), text(row, "evidence"))).collect()
}

async fn raised(cluster: &Cluster, condition: &str, expected: bool) -> String {
    until(&format!("{condition} is {expected}"), async || {
        let found = conditions(cluster);
        match found.iter().find(|(name, _)| name == condition) {
            Some((_, evidence)) if expected => Ok(evidence.clone()),
            None if !expected => Ok(String::new()),
            Some(_) | None => Err(format!("{found:?}")),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r46_r60_r61_monitors_post_operators_look_and_rules_change_while_it_runs() {
    let rules =
        "[rule.hot_rack]\nwhat = \"the rack is hot\"\nif = [{ source = \"external.rack\", above = 40 }]\n";
    let (cluster, file) = watched(rules).await;
    let server = &cluster.servers[0];
    let send = async |path: &str, token: &str, body: &str| {
        post(server.admin(), path, &format!("Bearer {token}"), body).await.expect("answered").0
    };
    let maintenance = r#"{"condition": "maintenance", "starts_in_s": 600, "reason": "new kernel"}"#;
    assert_eq!(send("/v1/conditions", "a-token-of-somebody", maintenance).await, 401);
    assert_eq!(send("/v1/conditions", TOKEN, r#"{"condition": "maintenance", "starts": 1}"#).await, 400);
    assert_eq!(send("/v1/conditions", TOKEN, maintenance).await, 202);
    assert_eq!(raised(&cluster, "maintenance", true).await, "new kernel; begins in 600 s");
    assert_eq!(send("/v1/events", TOKEN, r#"{"source": "rack", "value": 41.5}"#).await, 202);
    assert_eq!(raised(&cluster, "hot_rack", true).await, "external.rack 41.500 above 40");
    let (_, page) = get(server.admin(), "/metrics").await.expect("answered");
    for line in [
        "stationmaster_server_conditions{condition=\"hot_rack\"} 1",
        "stationmaster_server_environment{source=",
    ] {
        assert!(page.contains(line), "{line} is missing in\n{page}");
    }
    let over = r#"{"condition": "maintenance", "state": "cleared"}"#;
    assert_eq!(send("/v1/conditions", TOKEN, over).await, 202);
    raised(&cluster, "maintenance", false).await;

    let filter = cluster.cli().run(&["servers", "filter", "server-1", "failure", "--json"]).json();
    assert_eq!(filter["filter"], "failure");
    until("more is seen than passed", async || {
        let now = cluster.cli().run(&["servers", "filter", "server-1", "--json"]).json();
        let count =
            |key: &str| now[key].as_u64().unwrap_or_default() - filter[key].as_u64().unwrap_or_default();
        if count("seen") > count("passed") && count("passed") > 0 { Ok(()) } else { Err(now) }
    })
    .await;
    let refused = cluster.cli().run(&["servers", "filter", "server-1", "everything"]);
    assert!(
        refused.code == Some(64) && refused.stderr.contains("\"everything\" is no source"),
        "{refused:?}"
    );

    std::fs::write(&file, "[rule.hot_rack]\nif = [{ source = \"rack\", above = 40 }]\n").expect("room");
    let refused = cluster.cli().run(&["servers", "reload-rules", "server-1"]);
    let told = "rules.toml:2: rule hot_rack: `source`: nothing is called \"rack\"";
    assert!(refused.code == Some(64) && refused.stderr.contains(told), "{refused:?}");
    let checked = cluster.cli().run(&["config", "check", &server.config().display().to_string()]);
    assert!(checked.code == Some(64) && checked.stderr.contains(told), "{checked:?}");
    std::fs::write(&file, "every_ms = 20\n").expect("room");
    let reloaded = cluster.cli().run(&["servers", "reload-rules", "server-1"]);
    assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
    raised(&cluster, "hot_rack", false).await;

    // All of it stands among the fleet's events (S10).
    until("the events tell", async || {
        let events = cluster.cli().run(&["events", "--server", "server-1", "--limit", "200"]).ok().to_owned();
        let lines = ["maintenance: new kernel; begins in 600 s", "hot_rack: external.rack 41.500 above 40"];
        let told =
            |what: &str, line: &str| events.lines().any(|event| event.contains(what) && event.contains(line));
        let all = lines.iter().all(|line| told("condition raised", line) && told("condition cleared", line));
        if all { Ok(()) } else { Err(events) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_that_flaps_is_among_the_events_within_its_budget_s10() {
    let (cluster, _) = watched("").await;
    let server = &cluster.servers[0];
    let declare = async |body: &str| {
        let said = post(server.admin(), "/v1/conditions", &format!("Bearer {TOKEN}"), body).await;
        assert_eq!(said.expect("answered").0, 202);
    };
    let told = || {
        let events = cluster.cli().run(&["events", "--limit", "200", "--json"]).json();
        let events = events.as_array().expect("a list").clone();
        let of = |event: &&Value| event["evidence"].as_str().is_some_and(|text| text.contains("flapping"));
        events.iter().filter(of).count()
    };
    for state in ["raised", "cleared"].repeat(50) {
        declare(&format!(r#"{{"condition": "flapping", "state": "{state}", "reason": "again"}}"#)).await;
    }
    until("its first changes are told", async || match told() {
        0 => Err(0),
        some => Ok(some),
    })
    .await;
    // Another one after it is told: what was to come of the first has come.
    let other = r#"{"condition": "maintenance", "reason": "behind it"}"#;
    declare(other).await;
    until("the next condition is told", async || {
        let events = cluster.cli().run(&["events", "--limit", "200"]).ok().to_owned();
        if events.contains("behind it") { Ok(()) } else { Err(events) }
    })
    .await;
    assert!(told() <= 4, "{} of 100 changes", told());
}

/// Lets a process have so many file handles more than it has now.
fn allow_more_files(process: &Process, more: u64) {
    let pid = Pid::from_raw(process.pid());
    let open = std::fs::read_dir(format!("/proc/{}/fd", process.pid())).expect("it runs").count() as u64;
    let limit = Rlimit { current: Some(open + more), maximum: Some(open + more) };
    prlimit(pid, Resource::Nofile, limit).expect("it is our child");
}

/// Opens sessions until one is refused; how it was refused, and the sessions.
async fn flood(cluster: &Cluster) -> (String, Vec<Session>) {
    let mut sessions = Vec::new();
    loop {
        match cluster.connect(0, "crowded").await {
            Ok(session) => sessions.push(session),
            Err(error) => {
                let code = error.code().map_or_else(|| error.to_string(), |code| code.code().to_owned());
                return (code, sessions);
            }
        }
        assert!(sessions.len() < 300, "it has fewer file handles than that");
    }
}

const FILES: &str = "[rule.too_many_files]\nclear_for_ms = 100\nactions = [\"refuse_sessions\"]\n\
                     if = [{ source = \"files_used_ratio\", above = 0.6, clear = 0.5 }]\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r51_a_server_that_runs_out_of_file_handles_refuses_sessions_and_goes_on() {
    let (cluster, _) = watched(FILES).await;
    cluster.create("crowded").await;
    let first = cluster.session(0, "crowded").await;
    first.batch_execute("CREATE TABLE t (n int)").await.expect("made");
    allow_more_files(&cluster.servers[0], 400);
    let (code, sessions) = flood(&cluster).await;
    assert_eq!(code, "53300", "after {} sessions", sessions.len());
    raised(&cluster, "too_many_files", true).await;
    for session in sessions.iter().chain([&first]) {
        session.batch_execute("INSERT INTO t VALUES (1)").await.expect("who was let in is served");
    }
    drop(sessions);
    raised(&cluster, "too_many_files", false).await;
    until("new sessions are taken again", async || cluster.connect(0, "crowded").await.map(drop)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r51_without_the_action_it_runs_out_and_fails_those_that_come() {
    let (cluster, _) = watched(&format!("dry_run = true\n{FILES}")).await;
    cluster.create("crowded").await;
    let _first = cluster.session(0, "crowded").await;
    allow_more_files(&cluster.servers[0], 400);
    let (code, sessions) = flood(&cluster).await;
    assert_ne!(code, "53300", "after {} sessions", sessions.len());
}
