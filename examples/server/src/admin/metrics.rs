//! `/metrics` for Prometheus.
//!
//! Whatever the server keeps count of anyway is set in the recorder of the `metrics` facade when it is asked for,
//! which costs a request nothing; the crates' own metrics arrive there too. The durations are written here, as
//! histograms of an octave a bucket: a recorder would keep every single one until the next scrape.
//!
//! Who asks for OpenMetrics gets that, with exemplars where requests are traced.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue};
use metrics::{counter, gauge};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

use super::help::with_help;
use crate::app::App;
use crate::live;
use crate::observe::{
    Abort, AccessLogger, BUCKETS, Counts, Exemplar, Traffic, octave, upper_bound,
};
use crate::serve::Port;
use crate::system;

/// The recorder of this process.
#[derive(Clone)]
pub(crate) struct Exposition(PrometheusHandle);

impl std::fmt::Debug for Exposition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exposition")
    }
}

impl Exposition {
    /// Takes all metrics of the process from now on.
    ///
    /// # Errors
    /// When something else does already.
    pub(crate) fn install() -> Result<Self, BuildError> {
        PrometheusBuilder::new().install_recorder().map(Exposition)
    }

    /// `settings` is the version in force.
    pub(super) fn render(&self, app: &App, settings: &str, format: Format) -> String {
        set(app);
        self.0.run_upkeep();
        let mut text = self.0.render();
        // Here, as a recorder would keep the versions before as well.
        let _ = writeln!(
            text,
            "# TYPE server_settings_info gauge\nserver_settings_info{{version=\"{}\"}} 1\n",
            escape(settings)
        );
        write_requests(&mut text, &app.traffic, format);
        match format {
            Format::Text => with_help(&text),
            Format::OpenMetrics => with_help(&open_metrics(&text)),
        }
    }
}

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// What the scraper asks for; Prometheus asks for OpenMetrics if it is to have it.
    pub(super) fn asked(headers: &HeaderMap) -> Self {
        let mut accepted = headers.get_all(ACCEPT).iter();
        let is_open = |value: &HeaderValue| {
            let text = value.to_str().unwrap_or_default();
            text.contains("application/openmetrics-text")
        };
        match accepted.any(is_open) {
            true => Format::OpenMetrics,
            false => Format::Text,
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The text format as OpenMetrics: a counter's family is named without `_total`, no line is empty, and the last one says
/// that it is the last.
fn open_metrics(text: &str) -> String {
    let mut open = String::with_capacity(text.len());
    for line in text.lines().filter(|line| !line.is_empty()) {
        let family = line.strip_prefix("# TYPE ");
        match family.and_then(|family| family.strip_suffix("_total counter")) {
            Some(family) => _ = writeln!(open, "# TYPE {family} counter"),
            None => _ = writeln!(open, "{line}"),
        }
    }
    open.push_str("# EOF\n");
    open
}

fn set(app: &App) {
    gauge!("server_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    gauge!("server_uptime_seconds").set(app.started.elapsed().as_secs_f64());
    gauge!("process_resident_memory_bytes").set(system::resident_bytes() as f64);
    let in_flight = app.traffic.in_flight.load(Ordering::Relaxed);
    gauge!("server_requests_in_flight").set(in_flight as f64);
    for port in Port::ALL {
        gauge!("server_connections_open", "port" => port.name())
            .set(app.connections.open(port) as f64);
        counter!("server_connections_accepted_total", "port" => port.name())
            .absolute(app.connections.accepted(port));
    }
    gauge!("server_websockets_open").set(live::open_sockets() as f64);
    counter!("server_access_log_dropped_total").absolute(AccessLogger::dropped());
    let http2 = app.http2.snapshot();
    counter!("server_http2_scheduled_requests_total").absolute(http2.requests);
    if let Some(budget) = &app.receive_budget {
        gauge!("server_http2_receive_promised_bytes").set(budget.promised() as f64);
    }
    if let Some(tracer) = &app.tracer {
        counter!("server_spans_exported_total").absolute(tracer.exported());
        counter!("server_spans_dropped_total").absolute(tracer.dropped());
    }
    app.limiter.publish();
    set_pool(app);
    set_files(app);
    if let Some(batches) = app.store.saved_batches() {
        counter!("server_store_batches_total").absolute(batches);
    }
    let uploads = app.uploads.figures();
    gauge!("server_uploads", "state" => "whole").set(uploads.whole as f64);
    gauge!("server_uploads", "state" => "partial").set(uploads.partial as f64);
    gauge!("server_uploads_bytes").set(uploads.bytes as f64);
    for (address, stats) in app.proxies.figures() {
        let address = address.to_string();
        gauge!("server_upstream_connections", "upstream" => address.clone(), "state" => "idle")
            .set(stats.idle as f64);
        gauge!("server_upstream_connections", "upstream" => address.clone(), "state" => "in_use")
            .set(stats.in_use as f64);
        counter!("server_upstream_acquisitions_total", "upstream" => address.clone(), "result" => "hit")
            .absolute(stats.hits);
        counter!("server_upstream_acquisitions_total", "upstream" => address, "result" => "miss")
            .absolute(stats.misses);
    }
}

fn set_pool(app: &App) {
    let stats = app.pool.stats();
    gauge!("server_pool_allocated_bytes").set(stats.allocated as f64);
    gauge!("server_pool_limit_bytes").set(stats.limit as f64);
    gauge!("server_pool_waiting").set(stats.waiting as f64);
    for class in &stats.classes {
        let size = class.size.to_string();
        gauge!("server_pool_buffers", "size" => size.clone(), "state" => "idle")
            .set(class.idle as f64);
        gauge!("server_pool_buffers", "size" => size.clone(), "state" => "in_use")
            .set(class.in_use as f64);
        counter!("server_pool_acquisitions_total", "size" => size.clone(), "result" => "hit")
            .absolute(class.hits);
        counter!("server_pool_acquisitions_total", "size" => size, "result" => "miss")
            .absolute(class.misses);
    }
}

fn set_files(app: &App) {
    let files = app.files.snapshot();
    for (tier, bytes) in [
        ("heap", files.heap_bytes),
        ("sealed", files.sealed_bytes),
        ("window", files.window_bytes),
        ("read", files.read_bytes),
    ] {
        counter!("server_files_bytes_total", "tier" => tier).absolute(bytes);
    }
    counter!("server_files_cache_total", "result" => "hit").absolute(files.cache_hits);
    counter!("server_files_cache_total", "result" => "miss").absolute(files.cache_misses);
    counter!("server_files_sendfile_calls_total").absolute(files.sendfile_calls);
    counter!("server_files_sendfile_bytes_total").absolute(files.sendfile_bytes);
    counter!("server_files_cold_fills_total").absolute(files.cold_fills);
}

fn write_requests(text: &mut String, traffic: &Traffic, format: Format) {
    let routes = traffic.counts();
    text.push_str("# TYPE server_requests_total counter\n");
    for (pattern, counts) in &routes {
        let route = escape(pattern);
        for (class, count) in (1..).zip(counts.statuses) {
            let _ = writeln!(
                text,
                "server_requests_total{{route=\"{route}\",status=\"{class}xx\"}} {count}"
            );
        }
    }
    text.push_str("\n# TYPE server_requests_aborted_total counter\n");
    for (pattern, counts) in &routes {
        let route = escape(pattern);
        for (abort, count) in Abort::ALL.into_iter().zip(counts.aborts) {
            let phase = abort.name();
            let _ = writeln!(
                text,
                "server_requests_aborted_total{{route=\"{route}\",phase=\"{phase}\"}} {count}"
            );
        }
    }
    text.push_str("\n# TYPE server_request_duration_seconds histogram\n");
    for (pattern, counts) in &routes {
        let exemplars = match format {
            Format::Text => Vec::new(),
            Format::OpenMetrics => traffic.exemplars(pattern),
        };
        write_durations(text, &escape(pattern), counts, &exemplars);
    }
}

fn write_durations(
    text: &mut String,
    route: &str,
    counts: &Counts,
    exemplars: &[Option<Exemplar>],
) {
    let name = "server_request_duration_seconds";
    let mut below = 0;
    for (bucket, count) in counts.durations.iter().enumerate() {
        below += count;
        let bound = match bucket {
            _ if bucket == BUCKETS - 1 => "+Inf".to_owned(),
            _ if bucket % 4 == 0 => upper_bound(bucket).to_string(),
            _ => continue,
        };
        let _ = write!(
            text,
            "{name}_bucket{{route=\"{route}\",le=\"{bound}\"}} {below}"
        );
        if let Some(Some(exemplar)) = exemplars.get(octave(bucket)) {
            let Exemplar {
                trace,
                seconds,
                when,
            } = exemplar;
            let _ = write!(text, " # {{trace_id=\"{trace:032x}\"}} {seconds} {when:.3}");
        }
        text.push('\n');
    }
    let _ = writeln!(text, "{name}_sum{{route=\"{route}\"}} {}", counts.seconds);
    let _ = writeln!(text, "{name}_count{{route=\"{route}\"}} {below}");
}

/// A label's value in the text format.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
