//! Asks a process whether it is ready, over its admin port.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Most that is read of an answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 4096;

/// Whether it is ready; if not, why.
pub async fn ready(admin: &str) -> Result<(), String> {
    match timeout(TIMEOUT, ask(admin)).await {
        Ok(Ok(answer)) => verdict(&answer),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Err("not listening yet".into()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {TIMEOUT:?}")),
    }
}

async fn ask(admin: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(admin).await?;
    stream
        .write_all(format!("GET /readyz HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n").as_bytes())
        .await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn verdict(answer: &str) -> Result<(), String> {
    if answer.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body.trim());
    Err(if body.is_empty() { "its answer makes no sense".into() } else { body.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_ready_or_says_why_not() {
        assert_eq!(verdict("HTTP/1.1 200 OK\r\n\r\nok\n"), Ok(()));
        let busy = "HTTP/1.1 503 Service Unavailable\r\nx: y\r\n\r\nno leader\n";
        assert_eq!(verdict(busy), Err("no leader".into()));
        assert!(verdict("").is_err());
    }
}
