//! The one list of settings. Flags, environment variables, keys of the file, `--help` and `--print-config`
//! are all read off it, so none can be forgotten in one of them.

mod connections;
mod content;
mod layers;
mod ports;
mod requests;
mod running;

pub(crate) use self::connections::*;
pub(crate) use self::content::*;
pub(crate) use self::layers::*;
pub(crate) use self::ports::*;
pub(crate) use self::requests::*;
pub(crate) use self::running::*;

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

/// Every setting, in the order of `--help`.
pub(crate) const ALL: [&Setting; 46] = [
    &LISTEN,
    &TLS_LISTEN,
    &ADMIN_LISTEN,
    &ADMIN_TOKEN,
    &TLS_CERTIFICATE,
    &TLS_KEY,
    &TLS_TICKET_KEYS,
    &TLS_EARLY_DATA,
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
    &UNSENT,
    &HALF_CLOSED,
    &PROXY_PROTOCOL,
    &REQUEST_TIMEOUT,
    &BODY_LIMIT,
    &BODY_BUDGET,
    &RECEIVE_BUDGET,
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
    &UPLOAD_KEEP,
    &PROXY_UPSTREAM,
];
