//! Which layers are on, and what they say.

use super::Setting;

pub(crate) const POOLED_BODIES: Setting = Setting::live(
    "pooled-bodies",
    "on|off",
    "on",
    "Collect request bodies in pooled memory (tower-pool)",
);

pub(crate) const BREAKER: Setting = Setting::live(
    "breaker",
    "on|off",
    "on",
    "Relieve routes that have become slow, or all of them when\nmemory runs short; what is urgent passes (tower-flowctl)",
);

pub(crate) const BREAKER_BASELINES: Setting = Setting::live(
    "breaker-baselines",
    "FILE|learned",
    "learned",
    "How fast routes are when all is well, as benches writes it",
);

pub(crate) const ADAPTIVE_LIMIT: Setting = Setting::live(
    "adaptive-limit",
    "on|off",
    "on",
    "Limit requests in flight by how latency follows their\nnumber (tower-flowctl)",
);

pub(crate) const ZERO_COPY: Setting = Setting::live(
    "zero-copy",
    "on|off",
    "on",
    "Send files by sendfile(2) where it can be (tower-zerocopy-fs)",
);

pub(crate) const PRIORITY_RULES: Setting = Setting::live(
    "priority-rules",
    "on|off",
    "on",
    "Rank HTTP/2 responses by their type, and only then as the\nclient asks (tower-flowctl)",
);

pub(crate) const SECURITY_HEADERS: Setting = Setting::live(
    "security-headers",
    "on|off",
    "on",
    "Tell browsers to sniff, frame and refer nothing",
);

pub(crate) const ACCESS_LOG: Setting = Setting::live(
    "access-log",
    "off|common|json",
    "off",
    "A line on standard error for each request",
);

pub(crate) const ACCESS_LOG_SAMPLE: Setting = Setting::live(
    "access-log-sample",
    "COUNT",
    "1",
    "Log one in so many requests; server errors always",
);

pub(crate) const OTLP_COLLECTOR: Setting = Setting::fixed(
    "otlp-collector",
    "ADDRESS:PORT|off",
    "off",
    "Where a span for each request is sent, by OTLP over HTTP;\na collector that is away delays nothing",
);

pub(crate) const LOG: Setting = Setting::live(
    "log",
    "FILTER",
    "info",
    "What to log: error, warn, info, debug, trace,\nor by module (warn,server=debug)",
);

pub(crate) const LOG_FORMAT: Setting = Setting::fixed(
    "log-format",
    "text|json",
    "text",
    "How to log: for people, or one JSON object a line",
);
