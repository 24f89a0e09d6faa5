//! What a browser sees of priorities: headless Chromium over TLS and HTTP/2, on a link of 20 Mbit/s.
//!
//! Two cases, the same application and the same bytes for every server:
//! - `urgent`: ten background fetches of 500 KB with `priority: "low"`, and after 500 ms one of 50 KB with
//!   `priority: "high"`;
//! - `page`: a page with blocking style sheets and scripts, images, prefetches, and data that a script fetches late. What
//!   the server wrote is recorded frame by frame, so that the order on the wire stands beside the browser's
//!   priorities.
//!
//! The link is the loopback interface of a network namespace of our own, shaped by `tc`: the kernel's send buffers and
//! their standing queue are part of what is measured. The suite starts itself again in there.

mod chromium;
mod link;
mod record;
mod server;
mod site;
mod wire;

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    report::{Better, Report, Table},
    rounds::{self, Sample, Series},
    suite::{Options, Suite},
};

use self::{server::Server, site::Visit};

pub(super) const SUITE: Suite = Suite::new(
    "browser",
    "A page and an urgent fetch in headless Chromium, over TLS and a link of 20 Mbit/s",
    run,
)
.cases(&["urgent", "page"]);

/// How long a visit may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is measured in each case.
const URGENT: &[&str] = &["urgent ms", "all ms"];
const PAGE: &[&str] = &["first paint ms", "data ms", "load ms", "out of order %"];

fn run(options: &Options) -> Result<(), String> {
    let Some(chromium) = chromium::find() else {
        return Ok(());
    };
    if !link::is_shaped() {
        return link::again_when_shaped();
    }
    let mut servers = Vec::new();
    for name in server::NAMES {
        servers.push((name.to_owned(), Server::start(name)?));
    }
    let mut report = Report::new("browser");
    report.note(format!(
        "Headless Chromium with a new profile a visit; TLS by rustls, HTTP/2 by ALPN. The link: {}. Times are the page's own, by its `performance` entries.",
        link::DESCRIPTION
    ));
    let rounds = options.pick(2, 11);
    if options.wants_case("urgent") {
        let all = urgent(&chromium, &mut servers, rounds)?;
        report.series("urgent", &all)?;
        report.table(Table::of_series(
            "Ten fetches of 500 KB in the background, and an urgent one of 50 KB",
            "server",
            URGENT,
            &all,
            "axum",
        ));
        compare(&mut report, &all, "urgent", URGENT);
    }
    if options.wants_case("page") {
        let (all, last) = page(&chromium, &mut servers, rounds)?;
        report.series("page", &all)?;
        report.table(Table::of_series(
            "A page with blocking styles and scripts, images, prefetches, and data fetched late",
            "server",
            PAGE,
            &all,
            "axum",
        ));
        report.note("`out of order` is the share of bytes that left while something that the browser had asked for more urgently was waiting; the browser's own `priority` headers count, without what it said later.");
        for (name, resources) in last {
            report.table(wire::table(&name, &resources));
            report.rows(&[
                json!({ "case": "wire order", "subject": name, "resources": resources }),
            ])?;
        }
        compare(&mut report, &all, "page", PAGE);
    }
    report.finish(options)
}

fn urgent(
    chromium: &chromium::Chromium,
    servers: &mut [(String, Server)],
    rounds: usize,
) -> Result<Vec<Series>, String> {
    rounds::interleave("urgent", servers, rounds, |_, server, _| {
        let visit = server.visit(chromium, "/urgent", PATIENCE)?;
        Ok(Sample::new()
            .with("urgent ms", number(&visit, "urgent")?)
            .with("all ms", number(&visit, "all")?))
    })
}

type Wire = Vec<(String, Vec<wire::Resource>)>;

fn page(
    chromium: &chromium::Chromium,
    servers: &mut [(String, Server)],
    rounds: usize,
) -> Result<(Vec<Series>, Wire), String> {
    let mut last: Wire = Vec::new();
    let all = rounds::interleave("page", servers, rounds, |name, server, _| {
        let visit = server.visit(chromium, "/page", PATIENCE)?;
        let resources = wire::resources(&visit)?;
        let sample = Sample::new()
            .with("first paint ms", number(&visit, "paint")?)
            .with("data ms", number(&visit, "data")?)
            .with("load ms", number(&visit, "load")?)
            .with("out of order %", wire::out_of_order(&visit, &resources));
        last.retain(|(other, _)| other != name);
        last.push((name.to_owned(), resources));
        Ok(sample)
    })?;
    Ok((all, last))
}

fn compare(report: &mut Report, all: &[Series], case: &str, metrics: &[&str]) {
    let of = |name: &str| all.iter().find(|series| series.name == name);
    if let (Some(ours), Some(axum)) = (of("flowctl"), of("axum")) {
        for metric in metrics {
            report.figure(
                format!("{case}: {metric}, of axum's"),
                ours.ratio(axum, metric),
                "x",
                Better::Lower,
            );
        }
    }
}

/// A number of what the page reported.
fn number(visit: &Visit, name: &str) -> Result<f64, String> {
    visit
        .report
        .get(name)
        .and_then(Value::as_f64)
        .ok_or_else(|| format!("the page reported no `{name}`: {}", visit.report))
}
