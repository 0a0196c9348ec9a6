//! As much of the S3 protocol as the journal's client speaks, with faults on demand.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::AbortHandle, time::sleep};

/// What goes wrong with a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum S3Fault {
    /// It is done, and *503 SlowDown* is answered.
    LandsThenUnavailable,
    /// It is done, and nothing is answered.
    LandsThenHangsUp,
    /// *503 SlowDown*.
    Unavailable,
    /// Nothing is answered.
    HangsUp,
    /// *409 ConditionalRequestConflict*: S3 says so when two puts met, and then perhaps neither landed.
    ConflictWithoutLanding,
}

/// A running server with one bucket, `bucket`; stops when dropped.
pub struct S3Server {
    port: u16,
    bucket: Arc<Bucket>,
    task: AbortHandle,
}

struct Bucket {
    /// Keys in one page of a listing.
    page: usize,
    objects: Mutex<BTreeMap<String, Bytes>>,
    faults: Mutex<VecDeque<S3Fault>>,
    weather: Mutex<Weather>,
}

/// What goes wrong all the time.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    /// This happens to every second put.
    fault: Option<S3Fault>,
    /// Puts so far.
    puts: u64,
    /// Every request takes so much longer.
    delay: Duration,
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("hung up")]
struct HungUp;

type Answer = Result<Response<Full<Bytes>>, HungUp>;

impl S3Server {
    /// Starts one that is empty, and lists so many keys at a time: S3 does 1,000, and with few every test pages.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start(page: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (objects, faults, weather) = Default::default();
        let bucket = Arc::new(Bucket { page, objects, faults, weather });
        let served = Arc::clone(&bucket);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let bucket = Arc::clone(&served);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&bucket), request));
                    // A connection that a fault has closed ends with an error.
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { port, bucket, task: task.abort_handle() }
    }

    /// Its endpoint.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What is in the bucket.
    pub fn keys(&self) -> Vec<String> {
        self.bucket.objects().keys().cloned().collect()
    }

    /// Lets this happen to the next put for which nothing is planned yet.
    pub fn fail_next_put(&self, fault: S3Fault) {
        self.bucket.faults.lock().expect("BUG: a holder panicked").push_back(fault);
    }

    /// From now on this happens to every second put, and every request takes so much longer.
    pub fn weather(&self, fault: Option<S3Fault>, delay: Duration) {
        let mut weather = self.bucket.weather();
        *weather = Weather { fault, delay, ..*weather };
    }

    /// Faults that are planned and have not happened.
    pub fn faults_left(&self) -> usize {
        self.bucket.faults.lock().expect("BUG: a holder panicked").len()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn status(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    for (name, value) in [(header::ETAG, "\"e\""), (header::LAST_MODIFIED, "Wed, 01 Jan 2025 00:00:00 GMT")] {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    response
}

fn error(code: StatusCode, text: &str) -> Response<Full<Bytes>> {
    status(code, format!("<Error><Code>{text}</Code><Message>{text}</Message></Error>"))
}

async fn answer(bucket: Arc<Bucket>, request: Request<Incoming>) -> Answer {
    let delay = bucket.weather().delay;
    if !delay.is_zero() {
        sleep(delay).await;
    }
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| HungUp)?.to_bytes();
    let query = parts.uri.query().unwrap_or("");
    let key = parts.uri.path().trim_start_matches("/bucket").trim_start_matches('/').to_owned();
    match parts.method {
        Method::PUT => {
            let if_absent = parts.headers.get(header::IF_NONE_MATCH).is_some_and(|value| value == "*");
            assert!(if_absent, "the journal never overwrites");
            bucket.put(key, body)
        }
        Method::GET if key.is_empty() => Ok(bucket.list(query)),
        Method::GET => Ok(bucket.get(&key, parts.headers.get(header::RANGE))),
        Method::DELETE => {
            bucket.objects().remove(&key);
            Ok(status(StatusCode::NO_CONTENT, ""))
        }
        Method::POST => Ok(bucket.delete_many(&String::from_utf8_lossy(&body))),
        other => Ok(error(StatusCode::METHOD_NOT_ALLOWED, other.as_str())),
    }
}

impl Bucket {
    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.objects.lock().expect("BUG: a holder panicked")
    }

    fn weather(&self) -> MutexGuard<'_, Weather> {
        self.weather.lock().expect("BUG: a holder panicked")
    }

    fn fault(&self) -> Option<S3Fault> {
        let mut weather = self.weather();
        weather.puts += 1;
        let planned = self.faults.lock().expect("BUG: a holder panicked").pop_front();
        planned.or(weather.fault.filter(|_| weather.puts.is_multiple_of(2)))
    }

    fn put(&self, key: String, body: Bytes) -> Answer {
        let fault = self.fault();
        let unavailable = error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown");
        match fault {
            None => Ok(self.create(key, body)),
            Some(S3Fault::LandsThenUnavailable) => {
                self.create(key, body);
                Ok(unavailable)
            }
            Some(S3Fault::LandsThenHangsUp) => {
                self.create(key, body);
                Err(HungUp)
            }
            Some(S3Fault::Unavailable) => Ok(unavailable),
            Some(S3Fault::HangsUp) => Err(HungUp),
            Some(S3Fault::ConflictWithoutLanding) => {
                Ok(error(StatusCode::CONFLICT, "ConditionalRequestConflict"))
            }
        }
    }

    fn create(&self, key: String, body: Bytes) -> Response<Full<Bytes>> {
        let mut objects = self.objects();
        if objects.contains_key(&key) {
            return error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
        }
        objects.insert(key, body);
        status(StatusCode::OK, "")
    }

    fn get(&self, key: &str, range: Option<&header::HeaderValue>) -> Response<Full<Bytes>> {
        let Some(body) = self.objects().get(key).cloned() else {
            return error(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let Some(range) =
            range.and_then(|value| value.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'))
        else {
            return status(StatusCode::OK, body);
        };
        let from: usize = range.0.parse().expect("a number");
        let to = range.1.parse::<usize>().expect("a number").min(body.len().saturating_sub(1));
        if from >= body.len() {
            return error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange");
        }
        let mut response = status(StatusCode::PARTIAL_CONTENT, body.slice(from..=to));
        let content_range = format!("bytes {from}-{to}/{}", body.len());
        response.headers_mut().insert(header::CONTENT_RANGE, content_range.parse().expect("a header"));
        response
    }

    fn list(&self, query: &str) -> Response<Full<Bytes>> {
        let parameter = |name: &str| {
            let found =
                query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
            found.map_or(String::new(), |(_, value)| value.replace("%2F", "/"))
        };
        let (prefix, after) = (parameter("prefix"), parameter("continuation-token"));
        let delimiter = !parameter("delimiter").is_empty();
        let objects = self.objects();
        let mut entries: Vec<String> = Vec::new();
        for (key, body) in objects.iter().filter(|(key, _)| key.starts_with(&prefix) && **key > after) {
            let inside = &key[prefix.len()..];
            let entry = match inside.split_once('/') {
                Some((folder, _)) if delimiter => {
                    format!("<CommonPrefixes><Prefix>{prefix}{folder}/</Prefix></CommonPrefixes>")
                }
                _ => format!(
                    "<Contents><Key>{key}</Key><Size>{}</Size><ETag>e</ETag>\
                     <LastModified>2025-01-01T00:00:00.000Z</LastModified></Contents>",
                    body.len()
                ),
            };
            if entries.last() == Some(&entry) {
                continue;
            }
            if entries.len() == self.page {
                break;
            }
            entries.push(entry);
        }
        let last = objects.keys().filter(|key| key.starts_with(&prefix) && **key > after).nth(self.page - 1);
        let rest = last.filter(|last| objects.keys().any(|key| key.starts_with(&prefix) && key > *last));
        let more = rest.filter(|_| !delimiter).map_or(String::new(), |last| {
            format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>")
        });
        let body = format!("<ListBucketResult>{more}{}</ListBucketResult>", entries.concat());
        status(StatusCode::OK, body)
    }

    fn delete_many(&self, body: &str) -> Response<Full<Bytes>> {
        let keys = body.split("<Key>").skip(1).filter_map(|part| part.split("</Key>").next());
        let deleted = keys.map(|key| {
            self.objects().remove(key);
            format!("<Deleted><Key>{key}</Key></Deleted>")
        });
        let body = format!("<DeleteResult>{}</DeleteResult>", deleted.collect::<String>());
        status(StatusCode::OK, body)
    }
}
