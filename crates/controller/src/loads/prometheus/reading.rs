//! Reads what a Prometheus server answers to an instant query, and believes nothing of it unseen.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Most series in an answer. One for each server is expected; more than this is another query's answer.
pub const SERIES_MAX: usize = 5_000;

/// The label whose value is a server's name.
pub const SERVER: &str = "server";

/// What a query said: a value for each server, or what is wrong with that server's.
pub type Values = BTreeMap<String, Result<f64, String>>;

#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: serde_json::Value,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

/// Reads an answer with this status.
///
/// # Errors
/// Why none of it can be used.
pub fn read(status: u16, body: &[u8]) -> Result<Values, String> {
    let answer: Result<Answer, _> = serde_json::from_slice(body);
    let answer = match (status, answer) {
        (401 | 403, _) => return Err(format!("HTTP {status}: the token is missing or wrong")),
        (_, Ok(Answer { error: Some(error), .. })) => return Err(format!("HTTP {status}: {error}")),
        (200, Ok(answer)) => answer,
        (200, Err(_)) => return Err("the answer is not the JSON of Prometheus's HTTP API".into()),
        (status, _) => return Err(format!("HTTP {status}")),
    };
    let data = answer.data.filter(|_| answer.status == "success").ok_or("the answer has no data")?;
    if data.result_type != "vector" {
        return Err(format!("the query gives a {}, and must give a vector", data.result_type));
    }
    let rows = data.result.as_array().map_or(0, Vec::len);
    if rows > SERIES_MAX {
        return Err(format!(
            "the query gives {rows} series; one for each server is wanted: sum by ({SERVER})"
        ));
    }
    let series: Vec<Series> =
        serde_json::from_value(data.result).map_err(|_| "the answer's series cannot be read")?;
    by_server(series)
}

fn by_server(series: Vec<Series>) -> Result<Values, String> {
    let all = series.len();
    let mut values = Values::new();
    for Series { mut metric, value: (_, value) } in series {
        let Some(server) = metric.remove(SERVER).filter(|server| !server.is_empty()) else { continue };
        let value = value.parse::<f64>().map_err(|_| format!("its value {value:?} is no number"));
        let value = match values.contains_key(&server) {
            true => Err(format!("there are several series of it; one is wanted: sum by ({SERVER})")),
            false => value,
        };
        values.insert(server, value);
    }
    if values.is_empty() && all > 0 {
        return Err(format!("no series has the label `{SERVER}`, with a server's name"));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(series: &str) -> String {
        format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"vector\",\"result\":[{series}]}}}}")
    }

    fn one(server: &str, value: &str) -> String {
        format!("{{\"metric\":{{\"server\":\"{server}\"}},\"value\":[1700000000.1,\"{value}\"]}}")
    }

    #[test]
    fn a_vector_gives_a_value_for_each_server_c18() {
        let body = vector(&[one("s1", "0.5"), one("s2", "1e-3")].join(","));
        let values = read(200, body.as_bytes()).expect("a good answer");
        assert_eq!(values["s1"], Ok(0.5));
        assert_eq!(values["s2"], Ok(0.001));
        assert_eq!(read(200, vector("").as_bytes()), Ok(Values::new()), "nobody is known: that is an answer");
    }

    #[test]
    fn whatever_is_no_such_vector_is_refused_with_its_reason_c18() {
        let many: Vec<String> = (0..10_000).map(|n| one(&format!("s{n}"), "0.5")).collect();
        let matrix = "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}";
        let bad_query = "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"parse error\"}";
        for (status, body, reason) in [
            (401, "Unauthorized".into(), "token"),
            (403, String::new(), "token"),
            (200, "<html>Please log in</html>".into(), "not the JSON"),
            (200, "{}".into(), "not the JSON"),
            (200, "{\"status\":\"success\"}".into(), "no data"),
            (502, "<html>".into(), "HTTP 502"),
            (400, bad_query.into(), "parse error"),
            (200, matrix.into(), "gives a matrix"),
            (200, vector(&many.join(",")), "10000 series"),
            (200, vector("{\"metric\":{\"instance\":\"a:1\"},\"value\":[1,\"0.5\"]}"), "label `server`"),
            (200, vector("{\"metric\":{},\"value\":\"0.5\"}"), "cannot be read"),
            (200, String::from_utf8_lossy(&[0xff, 0xfe]).into_owned(), "not the JSON"),
        ] {
            let refused = read(status, body.as_bytes()).expect_err(reason);
            assert!(refused.contains(reason), "{refused:?} should say {reason:?}");
        }
    }

    #[test]
    fn one_bad_series_spoils_only_its_server_c18() {
        let series =
            [one("s1", "0.5"), one("s2", "oops"), one("s3", "0.1"), one("s3", "0.2"), one("s4", "NaN")];
        let values = read(200, vector(&series.join(",")).as_bytes()).expect("a good answer");
        assert_eq!(values["s1"], Ok(0.5));
        assert!(values["s2"].as_ref().is_err_and(|why| why.contains("no number")));
        assert!(values["s3"].as_ref().is_err_and(|why| why.contains("several series")));
        assert!(
            values["s4"].as_ref().is_ok_and(|value| value.is_nan()),
            "what is finite is judged elsewhere"
        );
    }
}
