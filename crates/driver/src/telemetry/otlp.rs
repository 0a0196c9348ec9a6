//! Reports in OTLP's JSON form for logs, so that any collector takes them: one log record for each measurement.

use serde_json::{Value, json};

use super::collection::Record;
use crate::Config;

/// Records as one request to `/v1/logs`, in at most so many bytes; the last ones are left out where they do not fit.
/// `None` for nothing at all.
pub(crate) fn body(config: &Config, instance: u64, records: Vec<Record>, bytes_max: usize) -> Option<String> {
    let service = config.postgres.get_application_name().unwrap_or("unnamed");
    let mut resource =
        vec![text("service.name", service), text("telemetry.sdk.name", "stationmaster-driver")];
    resource.push(text("service.instance.id", &format!("{instance:016x}")));
    resource.extend(config.location.as_deref().map(|location| text("stationmaster.location", location)));
    let whole = |records: &[Value]| {
        json!({"resourceLogs": [{
            "resource": {"attributes": resource},
            "scopeLogs": [{"scope": {"name": "stationmaster.driver"}, "logRecords": records}],
        }]})
        .to_string()
    };
    let mut left = bytes_max.checked_sub(whole(&[]).len())?;
    let mut fitting = Vec::new();
    for record in records {
        let value = log_record(&record);
        let bytes = value.to_string().len() + 1;
        let Some(rest) = left.checked_sub(bytes) else { break };
        left = rest;
        fitting.push(value);
    }
    (!fitting.is_empty()).then(|| whole(&fitting))
}

fn log_record(record: &Record) -> Value {
    let Record { at_ns, subject, numbers, texts } = record;
    // 64-bit integers are texts in OTLP's JSON.
    let numbers =
        numbers.iter().map(|(key, value)| json!({"key": key, "value": {"intValue": value.to_string()}}));
    let attributes: Vec<_> = texts.iter().map(|(key, value)| text(key, value)).chain(numbers).collect();
    json!({"timeUnixNano": at_ns.to_string(), "body": {"stringValue": subject}, "attributes": attributes})
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r76_a_report_is_never_longer_than_its_directive_says() {
        let config = "host=a application_name=shop".parse().expect("a connection string");
        let record = Record {
            at_ns: 7,
            subject: "query",
            numbers: vec![("rows", 1)],
            texts: vec![("query", "x".repeat(50))],
        };
        let records = vec![record; 40];
        for bytes_max in [0, 10, 256, 1_000, 5_000, 1_000_000] {
            let body = body(&config, 7, records.clone(), bytes_max);
            assert!(body.as_ref().is_none_or(|body| body.len() <= bytes_max), "{bytes_max}");
        }
        let body = body(&config, 7, records, 1_000_000).expect("it fits");
        let value: Value = serde_json::from_str(&body).expect("JSON");
        let logs = &value["resourceLogs"][0];
        assert_eq!(logs["resource"]["attributes"][0]["value"]["stringValue"], "shop");
        assert_eq!(logs["scopeLogs"][0]["logRecords"].as_array().map(Vec::len), Some(40));
    }
}
