//! Asking, against HTTP servers of a few lines that do what they should not.

use std::{path::PathBuf, time::Duration};

use rpc::TcpDial;
use rustls::pki_types::PrivateKeyDer;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

use super::*;

const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
    {\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":\
    [{\"metric\":{\"server\":\"s1\"},\"value\":[1700000000,\"0.5\"]}]}}";

/// Answers every connection with these bytes; tells what it was asked. Without bytes it never answers.
async fn server(answer: Option<String>) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (heard, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answering(stream, answer.clone(), heard.clone()));
        }
    });
    (url, asked)
}

/// The same by TLS, with the certificate for 127.0.0.1.
async fn secure_server(answer: String) -> (String, mpsc::UnboundedReceiver<String>) {
    let chain = CertificateDer::from_pem_file(certificate("server.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(certificate("server.key")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .expect("they belong together");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    let (heard, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who does not trust it breaks off.
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(answering(stream, Some(answer.clone()), heard.clone()));
            }
        }
    });
    (url, asked)
}

/// Hears one request and answers it.
async fn answering(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: Option<String>,
    heard: mpsc::UnboundedSender<String>,
) {
    let mut request = vec![0; 4096];
    let mut len = 0;
    while !String::from_utf8_lossy(&request[..len]).contains("query=") {
        match stream.read(&mut request[len..]).await {
            Ok(0) | Err(_) => return,
            Ok(more) => len += more,
        }
    }
    drop(heard.send(String::from_utf8_lossy(&request[..len]).into_owned()));
    match answer {
        Some(answer) => {
            drop(stream.write_all(answer.as_bytes()).await);
            drop(stream.shutdown().await);
        }
        None => std::future::pending().await,
    }
}

fn certificate(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/loads/prometheus/asking/certificates").join(name)
}

fn client(urls: Vec<String>, change: impl FnOnce(&mut PrometheusSettings)) -> Client {
    let mut settings = PrometheusSettings::new(urls);
    change(&mut settings);
    Client::new(settings, Arc::new(TcpDial)).expect("good settings")
}

fn nobody() -> String {
    // The discard port of this machine: nobody listens there.
    "http://127.0.0.1:9".into()
}

#[tokio::test]
async fn all_queries_are_asked_with_the_token_c18() {
    let (url, mut asked) = server(Some(GOOD.into())).await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "top-secret\n").expect("a token");
    let path = file.path().to_path_buf();
    let client = client(vec![format!("{url}/prefix/")], |settings| settings.token_file = Some(path));
    let round = client.round().await;
    let expected: Values = [("s1".to_string(), Ok(0.5))].into();
    assert_eq!(round.load, Ok(expected.clone()));
    assert_eq!((round.age, round.coverage), (Ok(expected.clone()), Some(Ok(expected))));
    for _ in 0..3 {
        let request = asked.recv().await.expect("three requests").to_lowercase();
        assert!(request.starts_with("post /prefix/api/v1/query http/1.1\r\n"), "{request}");
        assert!(request.contains("authorization: bearer top-secret\r\n"), "{request}");
        assert!(request.contains("stationmaster_server_cpu_"), "{request}");
    }
}

#[tokio::test]
async fn the_next_one_is_asked_when_one_does_not_answer_c18() {
    let (hanging, _) = server(None).await;
    let (html, _) = server(Some("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<html>".into())).await;
    let (good, _) = server(Some(GOOD.into())).await;
    let within = |ms| move |settings: &mut PrometheusSettings| settings.timeout = Duration::from_millis(ms);
    let round = client(vec![nobody(), hanging.clone(), html.clone(), good], within(3_000)).round().await;
    assert!(round.load.is_ok(), "{:?}", round.load);
    let round = client(vec![nobody(), hanging, html], within(200)).round().await;
    let reason = round.load.expect_err("none is good");
    for part in ["refused", "no answer within 200ms", "not the JSON"] {
        assert!(reason.contains(part), "{reason:?} should say {part:?}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_c18() {
    let endless = "x".repeat(ANSWER_BYTES_MAX + 1);
    let (url, _) = server(Some(format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{endless}"))).await;
    let long = |settings: &mut PrometheusSettings| settings.timeout = Duration::from_secs(60);
    let reason = client(vec![url], long).round().await.load.expect_err("too long");
    assert!(reason.contains("cannot be read"), "{reason}");
}

#[tokio::test]
async fn a_token_that_cannot_be_read_is_said() {
    let missing = |settings: &mut PrometheusSettings| settings.token_file = Some("/nowhere/token".into());
    let round = client(vec![nobody()], missing).round().await;
    assert!(round.load.is_err_and(|reason| reason.contains("token_file")));
}

#[test]
fn a_url_says_how_to_get_there() {
    let place = Place::read("https://prom.example/team/").expect("a URL");
    assert_eq!(
        (place.is_secure(), place.address(), place.path.as_str()),
        (true, "prom.example:443".into(), "/team")
    );
    assert_eq!(Place::read("http://[::1]:9090").expect("a URL").address(), "[::1]:9090");
    for bad in ["prometheus:9090", "ftp://a", "http://", "http://a/?q=1", "http://u:p@a", "", "/x"] {
        assert!(Place::read(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_query_is_sent_as_it_is() {
    assert_eq!(encoded("a{b=\"ü\"}[1m] + 1"), "a%7Bb%3D%22%C3%BC%22%7D%5B1m%5D%20%2B%201");
}

#[test]
fn https_needs_certificates_to_trust() {
    let make = |ca_file| {
        let settings = PrometheusSettings { ca_file, ..PrometheusSettings::new(vec!["https://a".into()]) };
        Client::new(settings, Arc::new(TcpDial)).err().unwrap_or_default()
    };
    assert!(make(None).contains("https needs ca_file"));
    assert!(make(Some("/nowhere".into())).contains("ca_file /nowhere"));
    let empty = tempfile::NamedTempFile::new().expect("a file");
    assert!(make(Some(empty.path().into())).contains("has no certificate"));
}

#[tokio::test]
async fn only_whom_the_certificates_are_of_is_asked_by_tls_c18() {
    let (url, mut asked) = secure_server(GOOD.into()).await;
    let trusting = |name: &str| {
        let file = certificate(name);
        client(vec![url.clone()], |settings| settings.ca_file = Some(file))
    };
    let round = trusting("ca.pem").round().await;
    assert_eq!(round.load, Ok([("s1".to_string(), Ok(0.5))].into()));
    assert!(asked.recv().await.is_some_and(|request| request.contains("query=")));
    while asked.try_recv().is_ok() {}
    let reason = trusting("other.pem").round().await.load.expect_err("not trusted");
    assert!(reason.contains("TLS:") && reason.contains("certificate"), "{reason}");
    // Nor is one that shows another name's certificate.
    let elsewhere = url.replace("127.0.0.1", "localhost");
    let file = certificate("ca.pem");
    let round = client(vec![elsewhere], |settings| settings.ca_file = Some(file)).round().await;
    let reason = round.load.expect_err("not its name");
    assert!(reason.contains("TLS:") && reason.contains("not valid for name"), "{reason}");
    assert!(asked.try_recv().is_err(), "nobody else heard a query, or the token");
}
