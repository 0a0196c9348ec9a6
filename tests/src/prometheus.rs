//! A real Prometheus server, and something for it to scrape whose values a test sets.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::reaper::Reaper;

/// Where `.ci/run` unpacks Debian's package.
const UNPACKED: &str = "target/prometheus/usr/bin/prometheus";

/// The server. Ends with it.
pub struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts one that scrapes these every second, with its data in a directory.
    ///
    /// # Panics
    /// When there is none on this machine.
    pub fn start(directory: &Path, address: SocketAddr, targets: &[SocketAddr]) -> Self {
        let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
        let config = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\n\
             scrape_configs:\n  - {{ job_name: tests, static_configs: [ {{ targets: {targets:?} }} ] }}\n"
        );
        let file = directory.join("prometheus.yml");
        std::fs::write(&file, config).expect("the configuration can be written");
        let log = std::fs::File::create(directory.join("prometheus.log")).expect("a log");
        let child = Command::new(program())
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", directory.join("prometheus").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file handle"))
            .stderr(log)
            .process_group(Reaper::get().group())
            .spawn()
            .expect("Prometheus starts");
        Self { child, address }
    }

    /// Where its API is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn program() -> PathBuf {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(UNPACKED);
    if unpacked.exists() {
        return unpacked;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|folder| folder.join("prometheus")).find(|file| file.exists());
    found.unwrap_or_else(|| panic!("no prometheus in the path, nor {UNPACKED}, which .ci/run makes"))
}

/// A process with metrics, as far as Prometheus can see: the gauge `fleet_load` for each server.
pub struct Exporter {
    address: SocketAddr,
    loads: Arc<Mutex<Option<BTreeMap<String, f64>>>>,
}

impl Exporter {
    /// With these loads.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start(loads: &[(&str, f64)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shown = Arc::new(Mutex::new(Some(owned(loads))));
        let served = shown.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let page = served.lock().expect("nothing panics with it").as_ref().map(page);
                let mut request = [0; 4096];
                // Whatever is asked, there is one page only; a broken connection is the other end's business.
                drop(stream.read(&mut request).await);
                if let Some(page) = page {
                    drop(stream.write_all(page.as_bytes()).await);
                }
            }
        });
        Self { address, loads: shown }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shows these loads from now on.
    ///
    /// # Panics
    /// Never.
    pub fn show(&self, loads: &[(&str, f64)]) {
        *self.loads.lock().expect("nothing panics with it") = Some(owned(loads));
    }

    /// Answers nothing from now on.
    ///
    /// # Panics
    /// Never.
    pub fn fall_silent(&self) {
        *self.loads.lock().expect("nothing panics with it") = None;
    }
}

fn owned(loads: &[(&str, f64)]) -> BTreeMap<String, f64> {
    loads.iter().map(|(server, load)| ((*server).into(), *load)).collect()
}

fn page(loads: &BTreeMap<String, f64>) -> String {
    let series = loads.iter().map(|(server, load)| format!("fleet_load{{server={server:?}}} {load}\n"));
    let body: String = series.collect();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}
