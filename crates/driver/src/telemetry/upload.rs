//! Reports on their way: to the server of a session, to a file, or to a collector (R78, R79).
//! Destinations are the owner's; a directive only names one.

use std::{io, time::Duration};

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes};
use hyper_util::rt::TokioIo;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use super::Report;
use crate::{Destination, driver::Shared};

/// How long one report may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How much of a collector's answer is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends one.
pub(super) async fn send(shared: &Shared, report: &Report) -> io::Result<()> {
    let sending = async {
        match shared.config.destinations.get(&report.destination) {
            Some(Destination::File(path)) => {
                let mut file = tokio::fs::OpenOptions::new().create(true).append(true).open(path).await?;
                file.write_all(format!("{}\n", report.body).as_bytes()).await?;
                file.flush().await
            }
            Some(Destination::Http(url)) => post(url, &report.body).await,
            None => to_server(shared, &report.body).await,
        }
    };
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the destination did not answer");
    timeout(LIMIT, sending).await.map_err(late)?
}

/// In some idle session, as a setting: whoever does not know it has no harm from it.
async fn to_server(shared: &Shared, body: &str) -> io::Result<()> {
    let sql = directive::postgres::report(body);
    for link in shared.links() {
        if link.report(&sql).await {
            return Ok(());
        }
    }
    Err(io::Error::new(io::ErrorKind::WouldBlock, "no session is idle"))
}

async fn post(url: &str, body: &str) -> io::Result<()> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("{what} in {url}"));
    let uri: hyper::Uri = url.parse().map_err(|_| wrong("no address"))?;
    if uri.scheme_str() != Some("http") {
        return Err(wrong("only http"));
    }
    let host = uri.host().ok_or_else(|| wrong("no host"))?;
    let socket = TcpStream::connect((host.trim_matches(['[', ']']), uri.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let request = Request::post(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header("host", uri.authority().map_or(host, |authority| authority.as_str()))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .map_err(io::Error::other)?;
    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = answer.status();
    // Read so that the collector sees a client that was polite; its length is of no use.
    let _ = http_body_util::Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    connection.abort();
    if status.is_success() { Ok(()) } else { Err(io::Error::other(format!("the collector said {status}"))) }
}
