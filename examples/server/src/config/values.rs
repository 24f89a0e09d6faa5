//! The configuration as the rest of the program sees it: every setting's value, and where it was found.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use tower_flowctl::admission::{Limits, Network};

use super::settings::{self, Setting};
use super::source::{Origin, Sources};
use super::{AccessLog, ConfigError, HalfClosed, LogFormat, RunMode, Switch, Upstream, parse};

/// Everything the server can be told; the meaning of each field is in [`settings`].
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Every setting as it was written, in the order of [`settings::ALL`].
    pub(crate) in_force: Vec<InForce>,
    pub(crate) listen: SocketAddr,
    pub(crate) tls_listen: Option<SocketAddr>,
    pub(crate) admin_listen: Option<SocketAddr>,
    /// `None` is a random one.
    pub(crate) admin_token: Option<String>,
    /// `None` is a self-signed one.
    pub(crate) tls_certificate: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    /// `None` is random ones.
    pub(crate) tls_ticket_keys: Option<PathBuf>,
    /// In bytes; `None` is no early data.
    pub(crate) tls_early_data: Option<u32>,
    pub(crate) run_mode: RunMode,
    /// `None` is one a core.
    pub(crate) threads: Option<usize>,
    pub(crate) drain_timeout: Duration,
    pub(crate) half_closed: HalfClosed,
    pub(crate) request_timeout: Duration,
    /// Which connections may come in.
    pub(crate) limits: Limits,
    /// Proxies whose word is taken for who the client is.
    pub(crate) proxies: Vec<Network>,
    /// In bytes.
    pub(crate) body_limit: usize,
    /// In bytes.
    pub(crate) body_budget: usize,
    /// In bytes; `None` leaves windows as they are at the start.
    pub(crate) receive_budget: Option<u64>,
    pub(crate) pooled_bodies: Switch,
    pub(crate) breaker: Switch,
    /// `None` is learned from what is seen.
    pub(crate) breaker_baselines: Option<PathBuf>,
    pub(crate) adaptive_limit: Switch,
    pub(crate) zero_copy: Switch,
    pub(crate) priority_rules: Switch,
    pub(crate) security_headers: Switch,
    pub(crate) access_log: AccessLog,
    pub(crate) access_log_sample: u32,
    pub(crate) otlp_collector: Option<SocketAddr>,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    /// `None` is memory.
    pub(crate) data: Option<PathBuf>,
    pub(crate) demo_data: Switch,
    /// `None` is the built-in one.
    pub(crate) site: Option<PathBuf>,
    /// In bytes.
    pub(crate) upload_limit: u64,
    /// In bytes.
    pub(crate) upload_quota: u64,
    /// `None` is until somebody deletes it.
    pub(crate) upload_keep: Option<Duration>,
    pub(crate) proxy_upstream: Upstream,
}

/// The text of a setting and where it was found.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    pub(crate) setting: &'static Setting,
    pub(crate) text: String,
    pub(crate) origin: Origin,
}

impl Config {
    /// Where the value of a setting was found.
    pub(crate) fn origin(&self, setting: &Setting) -> &Origin {
        let mut all = self.in_force.iter();
        let found = all.find(|entry| entry.setting.key == setting.key);
        found.map_or(&Origin::Default, |entry| &entry.origin)
    }

    /// The settings in force as a TOML file, each with its origin as a comment. A secret is left out.
    pub(crate) fn to_toml(&self) -> String {
        let mut lines = String::new();
        for InForce {
            setting,
            text,
            origin,
        } in &self.in_force
        {
            let assignment = if setting.key == settings::ADMIN_TOKEN.key && text != setting.default
            {
                format!("# {} is set", setting.key)
            } else {
                format!("{} = {text:?}", setting.key)
            };
            lines.push_str(&format!("{assignment:<36} # {origin}\n"));
        }
        lines
    }

    /// Whether settings that are right by themselves contradict each other.
    fn fits_together(&self) -> Result<(), ConfigError> {
        let refuse = |setting, message: &str| {
            let origin = self.origin(setting).clone();
            Err(ConfigError::new(origin, message))
        };
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            let message = "a certificate needs its key: set both tls-certificate and tls-key";
            return refuse(&settings::TLS_CERTIFICATE, message);
        }
        if self.tls_early_data.is_some() && self.tls_ticket_keys.is_some() {
            let message = "early data needs sessions that are used once, which no ticket is: leave tls-ticket-keys at random, or this off";
            return refuse(&settings::TLS_EARLY_DATA, message);
        }
        // Any free port is another one.
        let taken = |address: &SocketAddr| address.port() != 0;
        let http = Some(self.listen).filter(taken);
        let https = self.tls_listen.filter(taken);
        let admin = self.admin_listen.filter(taken);
        if https.is_some() && https == http {
            let message = "listen has that address; choose another, or off";
            return refuse(&settings::TLS_LISTEN, message);
        }
        if admin.is_some() && (admin == http || admin == https) {
            let message = "another port of this server has that address; choose another, or off";
            return refuse(&settings::ADMIN_LISTEN, message);
        }
        if self.pooled_bodies.is_on() && self.body_limit > self.body_budget {
            let message = "one body may not be larger than body-budget, which is for all of them";
            return refuse(&settings::BODY_LIMIT, message);
        }
        Ok(())
    }

    /// The keys whose text differs from an earlier configuration's.
    pub(crate) fn changed_since(&self, earlier: &Config) -> Vec<&'static Setting> {
        let pairs = self.in_force.iter().zip(&earlier.in_force);
        pairs
            .filter(|(now, before)| now.text != before.text)
            .map(|(now, _)| now.setting)
            .collect()
    }
}

/// Every setting's value.
///
/// # Errors
/// The first one that cannot be used.
pub(super) fn read(sources: &Sources<'_>) -> Result<Config, ConfigError> {
    use super::settings as the;
    let in_force = settings::ALL
        .into_iter()
        .map(|setting| {
            sources.find(setting).map(|(text, origin)| InForce {
                setting,
                text,
                origin,
            })
        })
        .collect::<Result<_, _>>()?;
    let config = Config {
        in_force,
        listen: value(sources, &the::LISTEN, parse::address)?,
        tls_listen: value(sources, &the::TLS_LISTEN, parse::optional_address)?,
        admin_listen: value(sources, &the::ADMIN_LISTEN, parse::optional_address)?,
        admin_token: value(sources, &the::ADMIN_TOKEN, parse::token)?,
        tls_certificate: value(sources, &the::TLS_CERTIFICATE, parse::certificate)?,
        tls_key: value(sources, &the::TLS_KEY, parse::certificate)?,
        tls_ticket_keys: value(sources, &the::TLS_TICKET_KEYS, parse::ticket_keys)?,
        tls_early_data: value(sources, &the::TLS_EARLY_DATA, parse::early_data)?,
        run_mode: value(sources, &the::RUN_MODE, parse::run_mode)?,
        threads: value(sources, &the::THREADS, parse::threads)?,
        drain_timeout: value(sources, &the::DRAIN_TIMEOUT, parse::duration)?,
        half_closed: value(sources, &the::HALF_CLOSED, parse::half_closed)?,
        request_timeout: value(sources, &the::REQUEST_TIMEOUT, parse::duration)?,
        limits: limits(sources)?,
        proxies: value(sources, &the::PROXY_PROTOCOL, parse::networks)?,
        body_limit: value(sources, &the::BODY_LIMIT, parse::size)?,
        body_budget: value(sources, &the::BODY_BUDGET, parse::size)?,
        receive_budget: value(sources, &the::RECEIVE_BUDGET, parse::budget)?,
        pooled_bodies: value(sources, &the::POOLED_BODIES, parse::switch)?,
        breaker: value(sources, &the::BREAKER, parse::switch)?,
        breaker_baselines: value(sources, &the::BREAKER_BASELINES, parse::baselines)?,
        adaptive_limit: value(sources, &the::ADAPTIVE_LIMIT, parse::switch)?,
        zero_copy: value(sources, &the::ZERO_COPY, parse::switch)?,
        priority_rules: value(sources, &the::PRIORITY_RULES, parse::switch)?,
        security_headers: value(sources, &the::SECURITY_HEADERS, parse::switch)?,
        access_log: value(sources, &the::ACCESS_LOG, parse::access_log)?,
        access_log_sample: value(sources, &the::ACCESS_LOG_SAMPLE, parse::count)?,
        otlp_collector: value(sources, &the::OTLP_COLLECTOR, parse::optional_address)?,
        log: value(sources, &the::LOG, parse::log_filter)?,
        log_format: value(sources, &the::LOG_FORMAT, parse::log_format)?,
        data: value(sources, &the::DATA, parse::data)?,
        demo_data: value(sources, &the::DEMO_DATA, parse::switch)?,
        site: value(sources, &the::SITE, parse::site)?,
        upload_limit: value(sources, &the::UPLOAD_LIMIT, parse::large_size)?,
        upload_quota: value(sources, &the::UPLOAD_QUOTA, parse::large_size)?,
        upload_keep: value(sources, &the::UPLOAD_KEEP, parse::optional_duration)?,
        proxy_upstream: value(sources, &the::PROXY_UPSTREAM, parse::upstream)?,
    };
    config.fits_together()?;
    Ok(config)
}

/// Where the admin port is. A running server does without what it is told wrongly later, so its health must not hang on the
/// rest of the file, nor on whether that can be read.
///
/// # Errors
/// When that one setting cannot be used.
pub(super) fn admin_listen(
    flags: &ArgMatches,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<SocketAddr>, ConfigError> {
    let setting = &settings::ADMIN_LISTEN;
    value(
        &Sources::for_one(setting, flags, variable),
        setting,
        parse::optional_address,
    )
}

fn limits(sources: &Sources<'_>) -> Result<Limits, ConfigError> {
    use super::settings as the;
    let rate: Option<u32> = value(sources, &the::ACCEPT_RATE, parse::limit)?;
    let standard = Limits::default();
    Ok(Limits::default()
        .total(value(sources, &the::MAX_CONNECTIONS, parse::limit)?)
        .per_address(value(sources, &the::MAX_PER_ADDRESS, parse::limit)?)
        .per_prefix(value(sources, &the::MAX_PER_PREFIX, parse::limit)?)
        .accept_rate(rate, standard.accept_burst)
        .at_limit(value(sources, &the::AT_LIMIT, parse::at_limit)?)
        .handshake(value(sources, &the::HANDSHAKE_TIMEOUT, parse::duration)?)
        .header(value(sources, &the::HEADER_TIMEOUT, parse::duration)?)
        .idle(value(sources, &the::IDLE_TIMEOUT, parse::duration)?)
        .rate(
            value(sources, &the::MIN_RATE, parse::limit)?,
            standard.grace,
        )
        .unsent(value(sources, &the::UNSENT, parse::unsent)?))
}

fn value<T>(
    sources: &Sources<'_>,
    setting: &Setting,
    parse: fn(&str) -> Result<T, String>,
) -> Result<T, ConfigError> {
    let (text, origin) = sources.find(setting)?;
    parse(&text).map_err(|message| ConfigError::new(origin, message))
}
