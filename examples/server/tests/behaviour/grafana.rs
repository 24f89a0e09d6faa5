//! The queries of the Grafana dashboard ask for metrics and labels that the server has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::client::Client;
use crate::process::Server;
use crate::raw_http2;
use crate::waiting::until;

/// Every query of every panel.
fn queries() -> Vec<String> {
    let text = include_str!("../../deploy/grafana/dashboard.json");
    let dashboard: Value = serde_json::from_str(text).expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().expect("with queries"));
    targets
        .map(|target| target["expr"].as_str().expect("in PromQL").to_owned())
        .collect()
}

/// The labels of each metric, by the text format.
fn exposed(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut metrics: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let labels = metrics.entry(name.to_owned()).or_default();
        // A label's name stands before `="`; its value may have anything but an unescaped quote.
        let pieces: Vec<&str> = line.split("=\"").collect();
        for piece in &pieces[..pieces.len() - 1] {
            let name = piece
                .rsplit(|c: char| !c.is_alphanumeric() && c != '_')
                .next();
            labels.insert(name.unwrap_or_default().to_owned());
        }
    }
    metrics
}

/// The words of a query: identifiers, without what stands in quotes.
fn words(query: &str) -> Vec<String> {
    let outside: String = query.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    outside
        .split(|c| !is_part(c))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn every_query_asks_for_what_there_is() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    client.get("/proxy/hello").await;
    let admin = Client::http1(server.admin());
    // Admission sets its own at its first beat, which a scrape can be ahead of.
    let metrics = until("admission's figures", async || {
        let metrics = exposed(&admin.get("/metrics").await.body);
        match metrics.contains_key("flowctl_connections_refused_total") {
            true => Ok(metrics),
            false => Err(format!("{:?}", metrics.keys())),
        }
    })
    .await;
    let functions = [
        "sum",
        "by",
        "rate",
        "increase",
        "histogram_quantile",
        "topk",
        "count",
        "$__rate_interval",
    ];
    let mut asked = 0;
    for query in queries() {
        let words = words(&query);
        let named: Vec<_> = words
            .iter()
            .filter(|word| metrics.contains_key(*word))
            .collect();
        assert!(!named.is_empty(), "{query} asks for nothing");
        for word in &words {
            let known = metrics.contains_key(word)
                || functions.contains(&word.as_str())
                || word.starts_with(|c: char| c.is_ascii_digit())
                // Prometheus adds this one.
                || word == "instance"
                || named.iter().any(|metric| metrics[*metric].contains(word));
            assert!(
                known,
                "the server has no metric or label {word:?}, of {query}"
            );
        }
        asked += 1;
    }
    assert!(asked >= 20, "{asked} queries");
}

/// The metrics that there is help for, by the source of it.
fn explained() -> BTreeSet<&'static str> {
    let quoted = include_str!("../../src/admin/help.rs").split('"').skip(1);
    let texts = quoted.step_by(2);
    let is_name = |text: &&str| {
        let mut parts = text.split('_');
        let first = parts.next().unwrap_or_default();
        ["flowctl", "process", "server"].contains(&first)
            && parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    texts.filter(is_name).collect()
}

/// The families of a text of metrics, each of which has help.
fn families(text: &str) -> BTreeSet<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut families = BTreeSet::new();
    for pair in lines.windows(2) {
        let family = pair[1].strip_prefix("# TYPE ");
        let Some((name, kind)) = family.and_then(|family| family.split_once(' ')) else {
            continue;
        };
        let help = format!("# HELP {name} ");
        assert!(pair[0].starts_with(&help), "{name}: {}", pair[0]);
        // As the text format has a counter.
        let total = kind == "counter" && !name.ends_with("_total");
        families.insert(format!("{name}{}", if total { "_total" } else { "" }));
    }
    families
}

#[tokio::test]
async fn every_metric_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    // Nobody takes the spans: they are counted all the same.
    let server = Server::start(&["--data", data, "--otlp-collector", "127.0.0.1:9"]);
    Client::http1(server.address).get("/proxy/hello").await;
    // What is counted of HTTP/2 is there when there is something to count: a priority, and a connection that is closed for one
    // that has no stream in it.
    let mut http2 = raw_http2::Connection::open(server.address);
    http2.get(&[(1, "/events")]);
    http2.begin();
    http2.update_priority(b"\x00\x00\x00\x01u=1");
    http2.update_priority(b"");
    let admin = Client::http1(server.admin());
    let explained = explained();
    assert!(explained.len() > 50, "{explained:?}");
    for accept in ["text/plain", "application/openmetrics-text"] {
        let accept = [("accept", accept)];
        // The breaker's come at the end of its first window, and admission's at its first beat.
        until("the metrics that there is help for", async || {
            let text = admin.send(http::Method::GET, "/metrics", &accept, None);
            let families = families(&text.await.body);
            let missing: Vec<_> = explained
                .iter()
                .filter(|name| !families.contains(**name))
                .collect();
            match missing.is_empty() && families.len() == explained.len() {
                true => Ok(()),
                false => Err(format!("{families:?} without {missing:?}")),
            }
        })
        .await;
    }
}
