use tokio::io::{AsyncReadExt, AsyncWriteExt};

use server::Environment;

use super::*;

async fn ask(address: std::net::SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream
        .write_all(format!("{head}\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes())
        .await
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer
}

#[tokio::test]
async fn the_admin_port_tells_metrics_life_and_readiness_and_monitors_post_there_r60_r61() {
    let (ready, watched) = watch::channel(Readiness::NotReady("no leader known".into()));
    let metrics = Metrics::start("tester");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let environment = Environment::default();
    let dir = tempfile::tempdir().expect("a directory");
    let monitors = Some(Monitors::new(environment.clone(), Some(token(dir.path()))));
    let server = tokio::spawn(serve(listener, Admin { metrics, ready: watched, monitors }));

    let not_ready = ask(address, "GET /readyz HTTP/1.1").await;
    assert!(not_ready.starts_with("HTTP/1.1 503") && not_ready.ends_with("no leader known\n"), "{not_ready}");
    ready.send_replace(Readiness::Ready);
    assert!(ask(address, "GET /readyz HTTP/1.1").await.starts_with("HTTP/1.1 200"));
    assert!(ask(address, "GET /livez HTTP/1.1").await.starts_with("HTTP/1.1 200"));

    let metrics = ask(address, "GET /metrics HTTP/1.1").await;
    assert!(metrics.contains("stationmaster_build_info{"), "{metrics}");
    assert!(metrics.contains("process_resident_memory_bytes "), "{metrics}");
    assert!(ask(address, "GET /other HTTP/1.1").await.starts_with("HTTP/1.1 404"));
    assert!(ask(address, "POST /metrics HTTP/1.1\r\ncontent-length: 0").await.starts_with("HTTP/1.1 405"));
    let long = format!("GET /{} HTTP/1.1", "x".repeat(100_000));
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    // It may close before everything is written.
    let written = stream.write_all(long.as_bytes()).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 4") || answer.is_empty(), "{written:?} {read:?} {answer}");
    assert!(ask(address, "GET /livez HTTP/1.1").await.starts_with("HTTP/1.1 200"), "it lives on");
    who_has_the_token_can_post_and_nobody_else(address, &environment).await;
    server.abort();
}

const TOKEN: &str = "0123456789abcdef-monitor";

fn token(dir: &std::path::Path) -> monitors::Token {
    let file = dir.join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).expect("room");
    monitors::Token::read(&file).expect("long enough")
}

async fn who_has_the_token_can_post_and_nobody_else(
    address: std::net::SocketAddr,
    environment: &Environment,
) {
    let post = async |path: &str, authorization: &str, body: &str| {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{authorization}content-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        // A refused body need not be read to its end.
        let _written = stream.write_all(format!("{head}{body}").as_bytes()).await;
        let mut answer = Vec::new();
        let _read = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    let right = format!("Authorization: Bearer {TOKEN}\r\n");
    let condition = r#"{"condition": "maintenance", "reason": "new kernel"}"#;
    for wrong in ["", "Authorization: Bearer 0123456789abcdeg-monitor\r\n", "Authorization: Basic eDp5\r\n"] {
        let answer = post("/v1/conditions", wrong, condition).await;
        assert!(
            answer.starts_with("HTTP/1.1 401") && answer.contains("www-authenticate: Bearer"),
            "{answer}"
        );
    }
    assert!(environment.raised().is_empty(), "nothing of it counted");
    let answer = post("/v1/conditions", &right, condition).await;
    assert!(answer.starts_with("HTTP/1.1 202") && answer.ends_with("taken: 1\n"), "{answer}");
    assert_eq!(environment.raised()[0].evidence, "new kernel");
    for (path, body, expected) in [
        ("/v1/events", r#"[{"source": "rack", "value": 40}]"#, "202"),
        ("/v1/alertmanager", r#"{"version": "4", "alerts": []}"#, "202"),
        ("/v1/events", "{", "400"),
        ("/v1/events", r#"{"source": "rack"}"#, "400"),
        ("/v1/other", "", "405"),
        ("/metrics", "", "405"),
    ] {
        let answer = post(path, &right, body).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{path} {body}: {answer}");
    }
    let huge = "x".repeat(300_000);
    let answer = post("/v1/events", &right, &huge).await;
    assert!(answer.starts_with("HTTP/1.1 413") || answer.is_empty(), "{answer}");
    assert!(ask(address, "GET /livez HTTP/1.1").await.starts_with("HTTP/1.1 200"), "it lives on");
}

#[test]
fn a_token_that_could_be_guessed_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("token");
    for text in ["", "short", "0123456789abcdef 0123456789abcdef"] {
        std::fs::write(&file, text).expect("room");
        let refused = monitors::Token::read(&file).map(|_| ()).expect_err(text).to_string();
        assert!(refused.contains("at least 16 bytes"), "{refused}");
    }
}
