//! The one list of settings. Flags, environment variables, keys of the file, `--help` and `--show-config`
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
    pub(crate) fn flag(&self) -> String {
        format!("--{}", self.key)
    }

    pub(crate) fn variable(&self) -> String {
        format!("SERVER_{}", self.key.replace('-', "_").to_uppercase())
    }
}

pub(crate) const LISTEN: Setting = Setting {
    key: "listen",
    value_name: "ADDRESS:PORT",
    default: "127.0.0.1:3000",
    help: "Where to listen; port 0 picks a free one.\nThe default is reachable from this machine only",
};

pub(crate) const REQUEST_TIMEOUT: Setting = Setting {
    key: "request-timeout",
    value_name: "DURATION",
    default: "10s",
    help: "From a request's head until its response's head; then 408",
};

pub(crate) const HEADER_TIMEOUT: Setting = Setting {
    key: "header-timeout",
    value_name: "DURATION",
    default: "30s",
    help: "For a client to send a request's head,\nidle time on a kept connection included",
};

pub(crate) const BODY_LIMIT: Setting = Setting {
    key: "body-limit",
    value_name: "BYTES",
    default: "256KiB",
    help: "The largest request body; more is answered by 413",
};

pub(crate) const DRAIN_TIMEOUT: Setting = Setting {
    key: "drain-timeout",
    value_name: "DURATION",
    default: "10s",
    help: "After SIGINT or SIGTERM, for requests in flight to finish",
};

pub(crate) const THREADS: Setting = Setting {
    key: "threads",
    value_name: "COUNT",
    default: "0",
    help: "Threads that serve requests; 0 is one a core",
};

pub(crate) const LOG: Setting = Setting {
    key: "log",
    value_name: "FILTER",
    default: "info",
    help: "What to log: error, warn, info, debug, trace,\nor by module (warn,server=debug)",
};

pub(crate) const LOG_FORMAT: Setting = Setting {
    key: "log-format",
    value_name: "text|json",
    default: "text",
    help: "How to log: for people, or one JSON object a line",
};

pub(crate) const DEMO_DATA: Setting = Setting {
    key: "demo-data",
    value_name: "on|off",
    default: "on",
    help: "Start with a few authors, books, reviews and customers",
};

/// Every setting, in the order of `--help`.
pub(crate) const ALL: [&Setting; 9] = [
    &LISTEN,
    &REQUEST_TIMEOUT,
    &HEADER_TIMEOUT,
    &BODY_LIMIT,
    &DRAIN_TIMEOUT,
    &THREADS,
    &LOG,
    &LOG_FORMAT,
    &DEMO_DATA,
];
