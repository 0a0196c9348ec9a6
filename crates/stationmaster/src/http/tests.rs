use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
async fn the_admin_port_tells_metrics_life_and_readiness() {
    let (ready, watched) = watch::channel(Readiness::NotReady("no leader known".into()));
    let metrics = Metrics::start("tester");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let server = tokio::spawn(serve(listener, Admin { metrics, ready: watched }));

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
    server.abort();
}
