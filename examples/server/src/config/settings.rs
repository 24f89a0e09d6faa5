//! The one list of settings. Flags, environment variables, keys of the file, `--help` and `--print-config`
//! are all read off it, so none can be forgotten in one of them.

/// One setting, whose names follow from its key: `--body-limit`, `SERVER_BODY_LIMIT`, `body-limit`.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) key: &'static str,
    pub(crate) value_name: &'static str,
    pub(crate) default: &'static str,
    pub(crate) help: &'static str,
    pub(crate) reload: Reload,
}

/// When a changed value takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reload {
    /// At the next reload of the file, while the server runs.
    Live,
    /// When the server is started again.
    Restart,
}

impl Setting {
    const fn live(
        key: &'static str,
        value_name: &'static str,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        Setting {
            key,
            value_name,
            default,
            help,
            reload: Reload::Live,
        }
    }

    const fn fixed(
        key: &'static str,
        value_name: &'static str,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        Setting {
            reload: Reload::Restart,
            ..Setting::live(key, value_name, default, help)
        }
    }

    pub(crate) fn flag(&self) -> String {
        format!("--{}", self.key)
    }

    pub(crate) fn variable(&self) -> String {
        format!("SERVER_{}", self.key.replace('-', "_").to_uppercase())
    }
}

// Where to listen.

pub(crate) const LISTEN: Setting = Setting::fixed(
    "listen",
    "ADDRESS:PORT",
    "127.0.0.1:3000",
    "Where to listen; port 0 picks a free one.\nThe default is reachable from this machine only",
);

pub(crate) const TLS_LISTEN: Setting = Setting::fixed(
    "tls-listen",
    "ADDRESS:PORT|off",
    "127.0.0.1:3443",
    "Where to listen for TLS",
);

pub(crate) const ADMIN_LISTEN: Setting = Setting::fixed(
    "admin-listen",
    "ADDRESS:PORT|off",
    "127.0.0.1:3001",
    "Where the dashboard, the metrics and the admin API listen",
);

pub(crate) const ADMIN_TOKEN: Setting = Setting::fixed(
    "admin-token",
    "TOKEN|random",
    "random",
    "What a change through the admin API must bear;\na random one is printed at the start",
);

pub(crate) const TLS_CERTIFICATE: Setting = Setting::live(
    "tls-certificate",
    "FILE|self-signed",
    "self-signed",
    "The certificate chain, as PEM",
);

pub(crate) const TLS_KEY: Setting = Setting::live(
    "tls-key",
    "FILE|self-signed",
    "self-signed",
    "The certificate's private key, as PEM",
);

pub(crate) const TLS_TICKET_KEYS: Setting = Setting::fixed(
    "tls-ticket-keys",
    "FILE|random",
    "random",
    "The keys of session tickets, one of 64 hex digits a line;\nservers that share them resume each other's sessions",
);

// How to run.

pub(crate) const RUN_MODE: Setting = Setting::fixed(
    "run-mode",
    "multi-thread|thread-per-core",
    "multi-thread",
    "One runtime that shares its work among threads,\nor one pinned runtime a core with its own listening socket",
);

pub(crate) const THREADS: Setting = Setting::fixed(
    "threads",
    "COUNT",
    "0",
    "Threads that serve requests; 0 is one a core",
);

pub(crate) const DRAIN_TIMEOUT: Setting = Setting::fixed(
    "drain-timeout",
    "DURATION",
    "10s",
    "After SIGINT or SIGTERM, for requests in flight to finish",
);

// Which connections may come in (tower-flowctl).

pub(crate) const MAX_CONNECTIONS: Setting = Setting::live(
    "max-connections",
    "COUNT|unlimited",
    "unlimited",
    "Connections in total; descriptors are a limit anyway",
);

pub(crate) const MAX_PER_ADDRESS: Setting = Setting::live(
    "max-connections-per-address",
    "COUNT|unlimited",
    "256",
    "Connections of one client",
);

pub(crate) const MAX_PER_PREFIX: Setting = Setting::live(
    "max-connections-per-prefix",
    "COUNT|unlimited",
    "1024",
    "Connections of one network, /24 of IPv4 or /64 of IPv6",
);

pub(crate) const ACCEPT_RATE: Setting = Setting::live(
    "accept-rate",
    "COUNT|unlimited",
    "unlimited",
    "Connections accepted in a second",
);

pub(crate) const AT_LIMIT: Setting = Setting::live(
    "at-limit",
    "pause|unavailable|reset",
    "unavailable",
    "What becomes of a connection for which there is no room:\nit waits in the kernel's queue, is told 503, or is reset",
);

pub(crate) const HANDSHAKE_TIMEOUT: Setting = Setting::live(
    "handshake-timeout",
    "DURATION",
    "10s",
    "For a client to finish the TLS handshake",
);

pub(crate) const HEADER_TIMEOUT: Setting = Setting::live(
    "header-timeout",
    "DURATION",
    "20s",
    "For a client to send a request's head",
);

pub(crate) const IDLE_TIMEOUT: Setting = Setting::live(
    "idle-timeout",
    "DURATION",
    "75s",
    "For a connection to stay without a request",
);

pub(crate) const MIN_RATE: Setting = Setting::live(
    "min-rate",
    "BYTES|unlimited",
    "240",
    "The least that a client sends of a body, or takes of a\nresponse, in a second",
);

pub(crate) const PROXY_PROTOCOL: Setting = Setting::fixed(
    "proxy-protocol",
    "NETWORKS|off",
    "off",
    "The proxies whose PROXY protocol header is believed,\nsuch as 10.0.0.0/8,127.0.0.1",
);

// What a request may take.

pub(crate) const REQUEST_TIMEOUT: Setting = Setting::live(
    "request-timeout",
    "DURATION",
    "10s",
    "From a request's head until its response's head; then 408",
);

pub(crate) const BODY_LIMIT: Setting = Setting::live(
    "body-limit",
    "BYTES",
    "256KiB",
    "The largest request body; more is answered by 413",
);

pub(crate) const BODY_BUDGET: Setting = Setting::fixed(
    "body-budget",
    "BYTES",
    "64MiB",
    "Memory for all bodies in flight together;\nwhat finds none in time is answered by 503",
);

// Which layers are on.

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
    "Rank HTTP/2 responses by their type where the client has\nnot said what goes first (tower-flowctl)",
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

// What is served.

pub(crate) const DATA: Setting = Setting::fixed(
    "data",
    "FOLDER|memory",
    "memory",
    "Where the shop and the uploads are kept;\nin memory they end with the process",
);

pub(crate) const DEMO_DATA: Setting = Setting::fixed(
    "demo-data",
    "on|off",
    "on",
    "Fill an empty shop with a few authors, books,\nreviews and customers",
);

pub(crate) const SITE: Setting = Setting::live(
    "site",
    "FOLDER|built-in",
    "built-in",
    "The folder served under /site/, such as target/doc",
);

pub(crate) const UPLOAD_LIMIT: Setting = Setting::live(
    "upload-limit",
    "BYTES",
    "1GiB",
    "The largest upload; more is answered by 413",
);

pub(crate) const UPLOAD_QUOTA: Setting = Setting::live(
    "upload-quota",
    "BYTES",
    "4GiB",
    "The most that all uploads take; more is answered by 507",
);

pub(crate) const PROXY_UPSTREAM: Setting = Setting::live(
    "proxy-upstream",
    "ADDRESS:PORT|self|off",
    "self",
    "What answers under /proxy/",
);

/// Every setting, in the order of `--help`.
pub(crate) const ALL: [&Setting; 41] = [
    &LISTEN,
    &TLS_LISTEN,
    &ADMIN_LISTEN,
    &ADMIN_TOKEN,
    &TLS_CERTIFICATE,
    &TLS_KEY,
    &TLS_TICKET_KEYS,
    &RUN_MODE,
    &THREADS,
    &DRAIN_TIMEOUT,
    &MAX_CONNECTIONS,
    &MAX_PER_ADDRESS,
    &MAX_PER_PREFIX,
    &ACCEPT_RATE,
    &AT_LIMIT,
    &HANDSHAKE_TIMEOUT,
    &HEADER_TIMEOUT,
    &IDLE_TIMEOUT,
    &MIN_RATE,
    &PROXY_PROTOCOL,
    &REQUEST_TIMEOUT,
    &BODY_LIMIT,
    &BODY_BUDGET,
    &POOLED_BODIES,
    &BREAKER,
    &BREAKER_BASELINES,
    &ADAPTIVE_LIMIT,
    &ZERO_COPY,
    &PRIORITY_RULES,
    &SECURITY_HEADERS,
    &ACCESS_LOG,
    &ACCESS_LOG_SAMPLE,
    &OTLP_COLLECTOR,
    &LOG,
    &LOG_FORMAT,
    &DATA,
    &DEMO_DATA,
    &SITE,
    &UPLOAD_LIMIT,
    &UPLOAD_QUOTA,
    &PROXY_UPSTREAM,
];
