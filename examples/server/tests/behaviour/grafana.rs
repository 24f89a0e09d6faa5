//! The queries of the Grafana dashboard ask for metrics and labels that the server has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::client::Client;
use crate::process::Server;

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
    let metrics = loop {
        let metrics = exposed(&admin.get("/metrics").await.body);
        if metrics.contains_key("flowctl_connections_refused_total") {
            break metrics;
        }
    };
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

#[tokio::test]
async fn every_metric_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    // Nobody takes the spans: they are counted all the same.
    let server = Server::start(&["--data", data, "--otlp-collector", "127.0.0.1:9"]);
    Client::http1(server.address).get("/proxy/hello").await;
    let admin = Client::http1(server.admin());
    for accept in ["text/plain", "application/openmetrics-text"] {
        let text = admin
            .send(http::Method::GET, "/metrics", &[("accept", accept)], None)
            .await
            .body;
        let lines: Vec<&str> = text.lines().collect();
        let mut families = 0;
        for pair in lines.windows(2) {
            let Some((name, _)) = pair[1]
                .strip_prefix("# TYPE ")
                .and_then(|family| family.split_once(' '))
            else {
                continue;
            };
            let help = format!("# HELP {name} ");
            assert!(pair[0].starts_with(&help), "{accept}: {name}: {}", pair[0]);
            families += 1;
        }
        assert!(families > 30, "{text}");
    }
}
