//! A process's admin port: `/metrics`, `/livez`, `/readyz`.

use std::{collections::BTreeMap, io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::process::LOOK_TIMEOUT;

/// Gets a page: its status and body.
///
/// # Errors
/// When nobody answers within a few seconds, or not in HTTP.
pub async fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    ask(address, format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")).await
}

/// Posts something: the answer's status and body.
///
/// # Errors
/// As [`get`].
pub async fn post(
    address: SocketAddr,
    path: &str,
    authorization: &str,
    body: &str,
) -> io::Result<(u16, String)> {
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: {authorization}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    ask(address, request).await
}

async fn ask(address: SocketAddr, request: String) -> io::Result<(u16, String)> {
    let work = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        let (head, body) = response.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.to_owned()))
    };
    timeout(LOOK_TIMEOUT, work).await.map_err(|_| io::ErrorKind::TimedOut)?
}

/// One line of a metrics page.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The metric, `_bucket`, `_sum` and `_count` included.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// Reads Prometheus's text format, strictly (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
///
/// # Errors
/// The first line that does not fit.
pub fn parse(text: &str) -> Result<Vec<Sample>, String> {
    let mut samples = Vec::new();
    let mut types = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(comment) = line.strip_prefix("# ") {
            let typed = comment.strip_prefix("TYPE ").and_then(|rest| rest.split_once(' '));
            if let Some((name, kind)) = typed
                && types.insert(name.to_owned(), kind.to_owned()).is_some()
            {
                return Err(format!("a second TYPE line of {name}"));
            }
            continue;
        }
        let sample = sample(line).ok_or_else(|| format!("not a sample: {line}"))?;
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| sample.name.strip_suffix(suffix));
        let typed = types.contains_key(&sample.name)
            || base.is_some_and(|base| {
                types.get(base).is_some_and(|kind| kind == "histogram" || kind == "summary")
            });
        if !typed {
            return Err(format!("no TYPE line before {line}"));
        }
        samples.push(sample);
    }
    Ok(samples)
}

fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, rest)) => (name, labels(rest.strip_suffix('}')?)?),
        None => (series, BTreeMap::new()),
    };
    let legal =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':');
    let valid = !name.is_empty() && !name.as_bytes()[0].is_ascii_digit() && legal(name);
    valid.then_some(Sample { name: name.into(), labels, value: value.parse().ok()? })
}

fn labels(mut text: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = rest.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => match chars.next()?.1 {
                    'n' => value.push('\n'),
                    c @ ('\\' | '"') => value.push(c),
                    _ => return None,
                },
                (_, c) => value.push(c),
            }
        };
        labels.insert(name.to_owned(), value);
        text = rest[end + 1..].strip_prefix(',').unwrap_or(&rest[end + 1..]);
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_metrics_is_read_with_its_labels() {
        let page = "# HELP a_total x\n# TYPE a_total counter\na_total{x=\"1\",y=\"a\\\"b\"} 3\n\n\
                    # TYPE b histogram\nb_bucket{le=\"+Inf\"} 2\nb_sum 0.5\nb_count 2\n";
        let samples = parse(page).expect("a good page");
        assert_eq!(samples.len(), 4);
        assert_eq!(samples[0].labels["y"], "a\"b");
        assert_eq!(samples[2].value, 0.5);
    }

    #[test]
    fn what_is_no_page_of_metrics_is_refused() {
        for page in [
            "a_total 1\n",
            "# TYPE a counter\na{x=1} 1\n",
            "# TYPE a counter\na one\n",
            "# TYPE 1a counter\n1a 1\n",
        ] {
            assert!(parse(page).is_err(), "{page}");
        }
    }
}
