//! What each metric is, in a line: for whoever meets it in Prometheus and has not read the source.

use std::fmt::Write;

/// By the names of `# TYPE`.
const HELP: &[(&str, &str)] = &[
    (
        "flowctl_accept_out_of_descriptors_total",
        "How often no connection could be accepted for want of a descriptor.",
    ),
    (
        "flowctl_accept_pauses_total",
        "How often accepting was paused at a limit.",
    ),
    (
        "flowctl_breaker_degraded_total",
        "Requests that the breaker of a route kept from its handler.",
    ),
    (
        "flowctl_breaker_p95_seconds",
        "95th percentile of the latency of a route, in the breaker's last window.",
    ),
    (
        "flowctl_breaker_passed_total",
        "Requests that the breaker of a route let pass.",
    ),
    (
        "flowctl_breaker_state",
        "State of a route's breaker: 0 closed, 1 half open, 2 open.",
    ),
    (
        "flowctl_connections_accepted_total",
        "Connections that were let in.",
    ),
    (
        "flowctl_connections_cut_total",
        "Connections that the server closed before they had ended, by reason.",
    ),
    ("flowctl_connections_open", "Connections by class."),
    (
        "flowctl_connections_refused_total",
        "Connections that were not let in.",
    ),
    (
        "flowctl_descriptor_leaks_total",
        "Reports of descriptors that nobody owns up to.",
    ),
    (
        "flowctl_descriptors_limit",
        "Descriptors that the process may have.",
    ),
    (
        "flowctl_descriptors_open",
        "Descriptors that the process has.",
    ),
    (
        "flowctl_descriptors_pressure",
        "How near the limit of descriptors is: 0 normal, 1 high, 2 critical.",
    ),
    (
        "flowctl_drain_cut_total",
        "Connections that were reset at the deadline of a drain.",
    ),
    (
        "flowctl_drain_seconds",
        "For how long the server has drained.",
    ),
    ("flowctl_draining", "1 while the server drains."),
    (
        "flowctl_http2_closed_total",
        "HTTP/2 connections closed for what their client did.",
    ),
    (
        "flowctl_http2_connections_total",
        "HTTP/2 connections whose responses are scheduled.",
    ),
    (
        "flowctl_http2_priority_updates_total",
        "Priorities that clients changed while a response was under way.",
    ),
    (
        "flowctl_limiter_accepted_total",
        "Requests that the adaptive limit let in, at once or after a wait.",
    ),
    (
        "flowctl_limiter_in_flight",
        "Requests in flight that count towards the adaptive limit.",
    ),
    (
        "flowctl_limiter_limit",
        "Requests that the adaptive limit lets be in flight, as learned from their latency.",
    ),
    (
        "flowctl_limiter_queue",
        "Requests that wait for the adaptive limit to let them in.",
    ),
    (
        "flowctl_limiter_queued_total",
        "Requests that had to wait for the adaptive limit to let them in.",
    ),
    (
        "flowctl_limiter_rejected_total",
        "Requests that the adaptive limit turned away.",
    ),
    (
        "process_resident_memory_bytes",
        "Resident memory size in bytes.",
    ),
    (
        "server_access_log_dropped_total",
        "Lines of the access log that had no room.",
    ),
    ("server_build_info", "1, with the version of the program."),
    (
        "server_connections_accepted_total",
        "Connections accepted on a port.",
    ),
    ("server_connections_open", "Connections open on a port."),
    (
        "server_files_bytes_total",
        "Bytes of files by where they came from.",
    ),
    (
        "server_files_cache_total",
        "Look-ups in the cache of files.",
    ),
    (
        "server_files_cold_fills_total",
        "Reads of files that were not in the page cache, by a thread that may wait.",
    ),
    (
        "server_files_sendfile_bytes_total",
        "Bytes of files that the kernel sent.",
    ),
    ("server_files_sendfile_calls_total", "Calls of sendfile(2)."),
    (
        "server_http2_receive_promised_bytes",
        "Bytes of HTTP/2 uploads that clients may send at once.",
    ),
    (
        "server_http2_scheduled_requests_total",
        "HTTP/2 responses that were scheduled by their priority.",
    ),
    (
        "server_pool_acquisitions_total",
        "Buffers that were asked for; a miss is one that had to be allocated.",
    ),
    (
        "server_pool_allocated_bytes",
        "Bytes of buffers, in use and idle.",
    ),
    ("server_pool_buffers", "Buffers by size and state."),
    (
        "server_pool_limit_bytes",
        "Bytes of buffers that there may be.",
    ),
    ("server_pool_waiting", "Bodies that wait for a buffer."),
    (
        "server_request_duration_seconds",
        "From a request's head until its response begins, by route.",
    ),
    (
        "server_requests_aborted_total",
        "Requests without the whole of their response, by route and phase: head, body, source (which failed).",
    ),
    (
        "server_requests_in_flight",
        "Requests whose response has not begun.",
    ),
    (
        "server_requests_total",
        "Requests answered, by route and class of status.",
    ),
    (
        "server_settings_info",
        "1, with the version of the settings in force.",
    ),
    (
        "server_spans_dropped_total",
        "Spans that the collector did not get.",
    ),
    (
        "server_spans_exported_total",
        "Spans that the collector got.",
    ),
    (
        "server_store_batches_total",
        "Batches of changes that were saved.",
    ),
    (
        "server_upstream_acquisitions_total",
        "Connections to an upstream that were asked for; a miss is one that had to be made.",
    ),
    (
        "server_upstream_connections",
        "Connections to an upstream by state.",
    ),
    ("server_uploads", "Uploads by state."),
    ("server_uploads_bytes", "Bytes of uploads on the disk."),
    ("server_uptime_seconds", "Seconds since the start."),
    ("server_websockets_open", "WebSockets open."),
];

/// A text of metrics with a line of help before each `# TYPE`, which in OpenMetrics has a counter's name without `_total`.
pub(super) fn with_help(text: &str) -> String {
    let mut helped = String::with_capacity(2 * text.len());
    for line in text.lines() {
        let family = line.strip_prefix("# TYPE ");
        if let Some((name, _)) = family.and_then(|family| family.split_once(' '))
            && let Some(help) = help(name)
        {
            let _ = writeln!(helped, "# HELP {name} {help}");
        }
        helped.push_str(line);
        helped.push('\n');
    }
    helped
}

fn help(name: &str) -> Option<&'static str> {
    let is_named = |known: &str| known == name || known.strip_suffix("_total") == Some(name);
    let found = HELP.iter().find(|(known, _)| is_named(known));
    found.map(|(_, help)| *help)
}
