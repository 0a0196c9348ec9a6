//! The admin port of a process: `/metrics`, `/livez`, `/readyz`. Open to whoever reaches it, for reading, and bounded; what
//! monitors post to a server takes a token (`monitors`).

pub mod monitors;

use std::{convert::Infallible, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rpc::Readiness;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use self::monitors::Monitors;
use crate::metrics::Metrics;

/// Connections at a time; one more waits in the socket's queue.
const CONNECTIONS_MAX: usize = 64;
/// How long a request's head may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may last, however busy.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause after the system refused a connection, as when file handles have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Largest head of a request, in bytes; hyper's smallest.
const HEAD_BYTES_MAX: usize = 8192;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const PROMETHEUS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// What the admin port shows.
#[derive(Clone)]
pub struct Admin {
    /// For `/metrics`.
    pub metrics: Metrics,
    /// For `/readyz`.
    pub ready: watch::Receiver<Readiness>,
    /// Takes what monitors post; a server's only.
    pub monitors: Option<Monitors>,
}

type Answer = Response<Full<Bytes>>;

/// Answers until the task is dropped.
pub async fn serve(listener: TcpListener, admin: Admin) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let permit =
            Arc::clone(&connections).acquire_owned().await.expect("BUG: nobody closes the semaphore");
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, admin.clone(), permit));
            }
            Err(error) => {
                warn!(%error, "the admin port cannot take a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, admin: Admin, permit: OwnedSemaphorePermit) {
    let service = service_fn(|request: Request<Incoming>| {
        let admin = admin.clone();
        async move {
            let form = Monitors::form(request.uri().path()).filter(|_| request.method() == Method::POST);
            Ok::<_, Infallible>(match (&admin.monitors, form) {
                (Some(monitors), Some(form)) => monitors.take(form, request).await,
                (Some(_), None) | (None, _) => answer(request.method(), request.uri().path(), &admin),
            })
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(CONNECTION_TIMEOUT, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "an admin connection broke"),
        Err(_) => debug!("an admin connection lasted too long"),
    }
    drop(permit);
}

fn answer(method: &Method, path: &str, admin: &Admin) -> Answer {
    if method != Method::GET && method != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n".into());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match path {
        "/metrics" => {
            let mut response = text(StatusCode::OK, admin.metrics.render());
            response.headers_mut().insert(CONTENT_TYPE, PROMETHEUS);
            response
        }
        // Whoever gets this answer has proved that the process works: it depends on nobody else.
        "/livez" => text(StatusCode::OK, "ok\n".into()),
        "/readyz" => match &*admin.ready.borrow() {
            Readiness::Ready => text(StatusCode::OK, "ok\n".into()),
            Readiness::NotReady(reason) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        },
        "/" => text(StatusCode::OK, "/metrics\n/livez\n/readyz\n".into()),
        _ => text(StatusCode::NOT_FOUND, "there are /metrics, /livez and /readyz\n".into()),
    }
}

fn text(status: StatusCode, body: String) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

#[cfg(test)]
mod tests;
