//! The one list of settings. Flags, environment variables, keys of the file, `--help` and `--print-config`
//! are all read off it, so none can be forgotten in one of them.

/// One setting, whose names follow from its key: `--body-limit`, `SERVER_BODY_LIMIT`, `body-limit`.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) key: &'static str,
    pub(crate) value_name: &'static str,
    pub(crate) default: &'static str,
    pub(crate) help: &'static str,
}

impl Setting {
    const fn new(
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

pub(crate) const LISTEN: Setting = Setting::new(
    "listen",
    "ADDRESS:PORT",
    "127.0.0.1:3000",
    "Where to listen; port 0 picks a free one.\nThe default is reachable from this machine only",
);

pub(crate) const TLS_LISTEN: Setting = Setting::new(
    "tls-listen",
    "ADDRESS:PORT|off",
    "127.0.0.1:3443",
    "Where to listen for TLS",
);

pub(crate) const ADMIN_LISTEN: Setting = Setting::new(
    "admin-listen",
    "ADDRESS:PORT|off",
    "127.0.0.1:3001",
    "Where the dashboard, the metrics and the admin API listen",
);

pub(crate) const TLS_CERTIFICATE: Setting = Setting::new(
    "tls-certificate",
    "FILE|self-signed",
    "self-signed",
    "The certificate chain, as PEM",
);

pub(crate) const TLS_KEY: Setting = Setting::new(
    "tls-key",
    "FILE|self-signed",
    "self-signed",
    "The certificate's private key, as PEM",
);

// How to run.

pub(crate) const RUN_MODE: Setting = Setting::new(
    "run-mode",
    "multi-thread|thread-per-core",
    "multi-thread",
    "One runtime that shares its work among threads,\nor one pinned runtime a core with its own listening socket",
);

pub(crate) const THREADS: Setting = Setting::new(
    "threads",
    "COUNT",
    "0",
    "Threads that serve requests; 0 is one a core",
);

pub(crate) const DRAIN_TIMEOUT: Setting = Setting::new(
    "drain-timeout",
    "DURATION",
    "10s",
    "After SIGINT or SIGTERM, for requests in flight to finish",
);

// What a request may take.

pub(crate) const REQUEST_TIMEOUT: Setting = Setting::new(
    "request-timeout",
    "DURATION",
    "10s",
    "From a request's head until its response's head; then 408",
);

pub(crate) const HEADER_TIMEOUT: Setting = Setting::new(
    "header-timeout",
    "DURATION",
    "30s",
    "For a client to send a request's head,\nidle time on a kept connection included",
);

pub(crate) const BODY_LIMIT: Setting = Setting::new(
    "body-limit",
    "BYTES",
    "256KiB",
    "The largest request body; more is answered by 413",
);

pub(crate) const BODY_BUDGET: Setting = Setting::new(
    "body-budget",
    "BYTES",
    "64MiB",
    "Memory for all bodies in flight together;\nwhat finds none in time is answered by 503",
);

// Which layers are on.

pub(crate) const POOLED_BODIES: Setting = Setting::new(
    "pooled-bodies",
    "on|off",
    "on",
    "Collect request bodies in pooled memory (tower-pool)",
);

pub(crate) const ZERO_COPY: Setting = Setting::new(
    "zero-copy",
    "on|off",
    "on",
    "Send files by sendfile(2) where it can be (tower-zerocopy-fs)",
);

pub(crate) const SECURITY_HEADERS: Setting = Setting::new(
    "security-headers",
    "on|off",
    "on",
    "Tell browsers to sniff, frame and refer nothing",
);

pub(crate) const ACCESS_LOG: Setting = Setting::new(
    "access-log",
    "off|common|json",
    "off",
    "A line on standard error for each request",
);

pub(crate) const ACCESS_LOG_SAMPLE: Setting = Setting::new(
    "access-log-sample",
    "COUNT",
    "1",
    "Log one in so many requests; server errors always",
);

pub(crate) const LOG: Setting = Setting::new(
    "log",
    "FILTER",
    "info",
    "What to log: error, warn, info, debug, trace,\nor by module (warn,server=debug)",
);

pub(crate) const LOG_FORMAT: Setting = Setting::new(
    "log-format",
    "text|json",
    "text",
    "How to log: for people, or one JSON object a line",
);

// What is served.

pub(crate) const DATA: Setting = Setting::new(
    "data",
    "FOLDER|memory",
    "memory",
    "Where the shop and the uploads are kept;\nin memory they end with the process",
);

pub(crate) const DEMO_DATA: Setting = Setting::new(
    "demo-data",
    "on|off",
    "on",
    "Fill an empty shop with a few authors, books,\nreviews and customers",
);

pub(crate) const SITE: Setting = Setting::new(
    "site",
    "FOLDER|built-in",
    "built-in",
    "The folder served under /site/, such as target/doc",
);

pub(crate) const UPLOAD_LIMIT: Setting = Setting::new(
    "upload-limit",
    "BYTES",
    "1GiB",
    "The largest upload; more is answered by 413",
);

pub(crate) const UPLOAD_QUOTA: Setting = Setting::new(
    "upload-quota",
    "BYTES",
    "4GiB",
    "The most that all uploads take; more is answered by 507",
);

pub(crate) const PROXY_UPSTREAM: Setting = Setting::new(
    "proxy-upstream",
    "ADDRESS:PORT|self|off",
    "self",
    "What answers under /proxy/",
);

/// Every setting, in the order of `--help`.
pub(crate) const ALL: [&Setting; 25] = [
    &LISTEN,
    &TLS_LISTEN,
    &ADMIN_LISTEN,
    &TLS_CERTIFICATE,
    &TLS_KEY,
    &RUN_MODE,
    &THREADS,
    &DRAIN_TIMEOUT,
    &REQUEST_TIMEOUT,
    &HEADER_TIMEOUT,
    &BODY_LIMIT,
    &BODY_BUDGET,
    &POOLED_BODIES,
    &ZERO_COPY,
    &SECURITY_HEADERS,
    &ACCESS_LOG,
    &ACCESS_LOG_SAMPLE,
    &LOG,
    &LOG_FORMAT,
    &DATA,
    &DEMO_DATA,
    &SITE,
    &UPLOAD_LIMIT,
    &UPLOAD_QUOTA,
    &PROXY_UPSTREAM,
];
