//! Alertmanager's webhook. Of its fields those are read that say which alert, and how it stands; it may get more of them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{BadPost, Declaration, cut, json, scope};
use crate::{
    Kind,
    limits::{DECLARED_FOR, POSTED_MAX},
};

#[derive(Deserialize)]
struct Webhook {
    version: String,
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    status: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    fingerprint: String,
}

/// Reads a notification. The condition is named by the label `condition`, or else by `alertname`; a label `database` with
/// an id makes it that database's.
///
/// # Errors
/// [`BadPost`]; nothing of the notification counts then.
pub fn alerts(body: &[u8]) -> Result<Vec<Declaration>, BadPost> {
    let webhook: Webhook = json(body)?;
    if webhook.version != "4" {
        let what = format!("this takes version \"4\" of Alertmanager's webhook, not {:?}", webhook.version);
        return Err(BadPost::Form(cut(&what)));
    }
    if webhook.alerts.len() > POSTED_MAX {
        return Err(BadPost::TooMany(webhook.alerts.len()));
    }
    let read = |(number, alert)| {
        declaration(alert).map_err(|what| BadPost::Item { number: number + 1, what: cut(&what) })
    };
    webhook.alerts.iter().enumerate().map(read).collect()
}

fn declaration(alert: &Alert) -> Result<Declaration, String> {
    let label = |name: &str| alert.labels.get(name).map(String::as_str);
    let name = label("condition").or_else(|| label("alertname"));
    let name = name.ok_or("it has neither a label `condition` nor `alertname`")?;
    let kind = Kind::of_foreign(name).ok_or_else(|| format!("{name:?} makes no name of a condition"))?;
    let raised = match &*alert.status {
        "firing" => true,
        "resolved" => false,
        other => return Err(format!("`status` is \"firing\" or \"resolved\"; this is {other:?}")),
    };
    let words = ["summary", "description"].iter().find_map(|name| alert.annotations.get(*name));
    let evidence = words.map_or_else(|| format!("alert {name}"), |words| format!("alert {name}: {words}"));
    let which = if alert.fingerprint.is_empty() { name } else { &alert.fingerprint };
    Ok(Declaration {
        kind,
        scope: scope(label("database"))?,
        raised,
        evidence: cut(&evidence),
        by: cut(&format!("alertmanager {which}")),
        lasts: DECLARED_FOR,
    })
}
