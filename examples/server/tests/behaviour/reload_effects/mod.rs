//! Every setting that reloads does what it says once it was reloaded: a test for each, by its name.

#![cfg(unix)]

mod connections;
mod content;
mod requests;

use std::io::{Read, Write};
use std::net::TcpStream;

use http::Method;
use serde_json::{Value, json};

use crate::admin::event;
use crate::client::Client;
use crate::process::Server;
use crate::reload::Reloadable;
use crate::{raw_http2, tls};

const HELLO: &str = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// The figures of the dashboard, as they are taken next.
fn figures(server: &Server) -> Value {
    event(server.admin(), "/figures", |name, data| {
        (name == "now").then_some(data)
    })
}

/// The sum of a metric over those of its rows that have `label`.
async fn metric(server: &Server, name: &str, label: &str) -> f64 {
    let text = Client::http1(server.admin()).get("/metrics").await.body;
    let rows = text.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']) && rest.contains(label))
    });
    let values = rows.map(|row| {
        let (_, value) = row.rsplit_once(' ').unwrap();
        value.parse::<f64>().unwrap()
    });
    values.sum()
}

/// What is known of a route.
fn route<'a>(routes: &'a Value, pattern: &str) -> &'a Value {
    let mut rows = routes.as_array().unwrap().iter();
    let found = rows.find(|row| row["route"] == pattern);
    found.unwrap_or_else(|| panic!("no {pattern} in {routes}"))
}

/// A request for a connection that is held open.
fn held(server: &Reloadable) -> TcpStream {
    let mut stream = TcpStream::connect(server.server.address).unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    stream
}

#[test]
fn no_setting_that_reloads_is_without_a_test_of_its_effect() {
    let tests = [
        include_str!("connections.rs"),
        include_str!("content.rs"),
        include_str!("requests.rs"),
    ]
    .concat();
    let file = include_str!("../../../server.toml");
    let marked = file.lines().filter(|line| line.contains("# *"));
    let keys: Vec<_> = marked.map(|line| line.split(' ').next().unwrap()).collect();
    assert!(keys.len() > 20, "{keys:?}");
    for key in keys {
        let test = format!("\nfn {}() {{", key.replace('-', "_"));
        let waiting = test.replace("fn ", "async fn ");
        assert!(tests.contains(&test) || tests.contains(&waiting), "{key}");
    }
}
