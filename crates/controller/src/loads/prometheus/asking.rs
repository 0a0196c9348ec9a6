//! Asks a Prometheus server: one HTTP request for each query, over the host's own connections.

use std::{path::Path, sync::Arc};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Uri,
    body::Bytes,
    client::conn::http1,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use rpc::{ByteStream, Dial};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{task::JoinHandle, time::timeout};
use tokio_rustls::TlsConnector;

use super::{
    PrometheusSettings, Round,
    reading::{Values, read},
};

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// One Prometheus server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    secure: bool,
    host: String,
    port: u16,
    /// In front of `/api/v1`, without a slash at its end.
    path: String,
}

impl Place {
    /// Reads a URL.
    ///
    /// # Errors
    /// What it must be instead, to follow "must be".
    pub fn read(url: &str) -> Result<Self, &'static str> {
        let expected = "a URL like \"http://prometheus:9090\", without a query";
        let uri: Uri = url.parse().map_err(|_| expected)?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) | None => return Err(expected),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        let host = authority.ok_or(expected)?.host();
        if uri.query().is_some() || host.is_empty() {
            return Err(expected);
        }
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Self { secure, host: host.into(), port, path: uri.path().trim_end_matches('/').into() })
    }

    /// Whether it is spoken to by TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// Asks all queries of a round.
#[derive(Clone)]
pub struct Client {
    dial: Arc<dyn Dial>,
    settings: Arc<PrometheusSettings>,
    places: Vec<Place>,
    tls: Option<TlsConnector>,
}

impl Client {
    /// For these settings.
    ///
    /// # Errors
    /// What is wrong with them or with the certificates.
    pub fn new(settings: PrometheusSettings, dial: Arc<dyn Dial>) -> Result<Self, String> {
        let place = |url: &String| Place::read(url).map_err(|expected| format!("{url}: must be {expected}"));
        let places = settings.urls.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        let tls = settings.ca_file.as_deref().map(trusting).transpose()?;
        if tls.is_none() && places.iter().any(Place::is_secure) {
            return Err("https needs ca_file".into());
        }
        Ok(Self { dial, settings: Arc::new(settings), places, tls })
    }

    /// Asks all queries at the same time.
    pub async fn round(&self) -> Round {
        let settings = &self.settings;
        let token = match &settings.token_file {
            None => Ok(None),
            // The disk may hang, too.
            Some(file) => match timeout(settings.timeout, tokio::fs::read_to_string(file)).await {
                Ok(read) => read.map(|token| Some(token.trim().to_string())),
                Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
            },
        };
        let token = match token {
            Ok(token) => token,
            Err(error) => {
                let failed: Result<Values, String> = Err(format!("cannot read token_file: {error}"));
                return Round { load: failed.clone(), age: failed, coverage: None };
            }
        };
        let token = token.as_deref();
        let coverage = async {
            match settings.coverage.is_empty() {
                true => None,
                false => Some(self.ask("coverage", &settings.coverage, token).await),
            }
        };
        let load = self.ask("server_load", &settings.server_load, token);
        let (load, age, coverage) = tokio::join!(load, self.ask("age", &settings.age, token), coverage);
        Round { load, age, coverage }
    }

    /// Asks one after the other until one gives an answer that can be used.
    async fn ask(&self, name: &'static str, query: &str, token: Option<&str>) -> Result<Values, String> {
        let mut reasons = Vec::new();
        for place in &self.places {
            let asked = timeout(self.settings.timeout, self.ask_one(place, query, token)).await;
            let late = || Err(format!("no answer within {:?}", self.settings.timeout));
            match asked.unwrap_or_else(|_| late()) {
                Ok(values) => {
                    crate::meter::prometheus_asked(name, true);
                    return Ok(values);
                }
                Err(reason) => reasons.push(format!("{}: {reason}", place.address())),
            }
        }
        crate::meter::prometheus_asked(name, false);
        Err(reasons.join("; "))
    }

    async fn ask_one(&self, place: &Place, query: &str, token: Option<&str>) -> Result<Values, String> {
        let stream = self.dial.dial(&place.address()).await.map_err(|error| error.to_string())?;
        let stream = self.secured(place, stream).await?;
        let request = request(place, query, token)?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        let _connection = Ended(tokio::spawn(async move {
            // The answer says what became of it.
            drop(connection.await);
        }));
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| format!("the answer cannot be read: {error}"))?;
        read(status, &body.to_bytes())
    }

    async fn secured(
        &self,
        place: &Place,
        stream: Box<dyn ByteStream>,
    ) -> Result<Box<dyn ByteStream>, String> {
        if !place.secure {
            return Ok(stream);
        }
        let tls = self.tls.as_ref().ok_or("https needs ca_file")?;
        let host = place.host.trim_matches(['[', ']']).to_string();
        let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
        Ok(Box::new(tls.connect(name, stream).await.map_err(|error| format!("TLS: {error}"))?))
    }
}

/// Ends a task when dropped.
struct Ended(JoinHandle<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn request(place: &Place, query: &str, token: Option<&str>) -> Result<Request<Full<Bytes>>, String> {
    let body = format!("query={}", encoded(query));
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}/api/v1/query", place.path))
        .header(HOST, place.address())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    if let Some(token) = token {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| "token_file holds what is no token".to_string())?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    Ok(request)
}

/// For a form: everything but letters, digits and a few marks as bytes in hexadecimal.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Trusts whom the certificates in this file are of, and nobody else.
fn trusting(file: &Path) -> Result<TlsConnector, String> {
    let unreadable = |error: rustls::pki_types::pem::Error| format!("ca_file {}: {error}", file.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(unreadable)? {
        roots.add(certificate.map_err(unreadable)?).map_err(|error| format!("ca_file: {error}"))?;
    }
    if roots.is_empty() {
        return Err(format!("ca_file {} has no certificate", file.display()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests;
