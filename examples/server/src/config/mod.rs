//! The configuration: flags, then environment, then file, then defaults.
//!
//! [`settings`] lists what there is, [`source`] finds each setting's text, [`parse`] turns it into a value.

mod cli;
mod parse;
pub(crate) mod settings;
mod source;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{IsTerminal, stdout};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use tower_flowctl::admission::{Limits, Network};

use self::settings::Setting;
pub(crate) use self::source::Origin;
use self::source::Sources;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Whether something is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    On,
    Off,
}

impl Switch {
    pub(crate) fn is_on(self) -> bool {
        self == Switch::On
    }
}

/// How work is spread over the cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunMode {
    MultiThread,
    ThreadPerCore,
}

/// How a request's line in the access log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccessLog {
    Off,
    /// The Common Log Format of NCSA and Apache.
    Common,
    Json,
}

/// What answers under `/proxy/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upstream {
    Off,
    /// This server, over its own port: something to try without a second server.
    Itself,
    Address(SocketAddr),
}

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
    pub(crate) run_mode: RunMode,
    /// `None` is one a core.
    pub(crate) threads: Option<usize>,
    pub(crate) drain_timeout: Duration,
    pub(crate) request_timeout: Duration,
    /// Which connections may come in.
    pub(crate) limits: Limits,
    /// Proxies whose word is taken for who the client is.
    pub(crate) proxies: Vec<Network>,
    /// In bytes.
    pub(crate) body_limit: usize,
    /// In bytes.
    pub(crate) body_budget: usize,
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

    /// The keys whose text differs from an earlier configuration's.
    pub(crate) fn changed_since(&self, earlier: &Config) -> Vec<&'static Setting> {
        let pairs = self.in_force.iter().zip(&earlier.in_force);
        pairs
            .filter(|(now, before)| now.text != before.text)
            .map(|(now, _)| now.setting)
            .collect()
    }
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Command {
    /// Serve with this configuration, which can be read again.
    Serve(Box<Config>, Loader),
    /// Build everything that this configuration asks for, but serve nothing.
    Check(Box<Config>),
    /// Print this text and leave: `--help`, `--version`, `--print-config`, `--check-config`.
    Print(String),
}

/// A setting that cannot be used, and where it was found.
#[derive(Debug)]
pub(crate) struct ConfigError {
    origin: Option<Origin>,
    message: String,
}

impl ConfigError {
    fn new(origin: Origin, message: impl Into<String>) -> Self {
        ConfigError {
            origin: Some(origin),
            message: message.into(),
        }
    }

    /// An error of the command line itself, already worded by clap.
    fn usage(message: String) -> Self {
        ConfigError {
            origin: None,
            message,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "{origin}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Where the settings come from, to be read as often as wanted.
#[derive(Debug, Clone)]
pub(crate) struct Loader {
    flags: ArgMatches,
    variables: HashMap<OsString, OsString>,
}

/// Reads the command line and the environment, and the file that they name.
///
/// # Errors
/// The first setting that cannot be used, by the name of its flag, variable, or file, line and key.
pub(crate) fn load(
    arguments: impl IntoIterator<Item = OsString>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Command, ConfigError> {
    let flags = match cli::command().try_get_matches_from(arguments) {
        Ok(flags) => flags,
        Err(error) if error.use_stderr() => {
            let message = error.render().to_string();
            return Err(ConfigError::usage(
                message.trim_start_matches("error: ").trim_end().to_owned(),
            ));
        }
        Err(help) if stdout().is_terminal() => {
            return Ok(Command::Print(help.render().ansi().to_string()));
        }
        Err(help) => return Ok(Command::Print(help.render().to_string())),
    };
    let loader = Loader {
        flags,
        variables: variables.into_iter().collect(),
    };
    let config = loader.read(None)?;
    Ok(if loader.flags.get_flag("print-config") {
        Command::Print(config.to_toml())
    } else if loader.flags.get_flag("check-config") {
        Command::Check(Box::new(config))
    } else {
        Command::Serve(Box::new(config), loader)
    })
}

impl Loader {
    /// The settings as they are now, or as they would be if the file held this text.
    ///
    /// # Errors
    /// As of [`load`].
    pub(crate) fn read(&self, text: Option<&str>) -> Result<Config, ConfigError> {
        let variable = |name: &str| self.variables.get(OsStr::new(name)).cloned();
        read(&Sources::open(&self.flags, &variable, text)?)
    }

    /// The file, if there is one.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        let variable = self.variables.get(OsStr::new("SERVER_CONFIG"));
        let flag = self.flags.get_one::<PathBuf>("config").cloned();
        flag.or_else(|| variable.map(PathBuf::from))
    }

    /// The text of the file, if there is one that can be read.
    pub(crate) fn text(&self) -> Option<String> {
        std::fs::read_to_string(self.file()?).ok()
    }
}

fn read(sources: &Sources<'_>) -> Result<Config, ConfigError> {
    use self::settings as the;
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
        run_mode: value(sources, &the::RUN_MODE, parse::run_mode)?,
        threads: value(sources, &the::THREADS, parse::threads)?,
        drain_timeout: value(sources, &the::DRAIN_TIMEOUT, parse::duration)?,
        request_timeout: value(sources, &the::REQUEST_TIMEOUT, parse::duration)?,
        limits: limits(sources)?,
        proxies: value(sources, &the::PROXY_PROTOCOL, parse::networks)?,
        body_limit: value(sources, &the::BODY_LIMIT, parse::size)?,
        body_budget: value(sources, &the::BODY_BUDGET, parse::size)?,
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
        proxy_upstream: value(sources, &the::PROXY_UPSTREAM, parse::upstream)?,
    };
    if config.tls_certificate.is_some() != config.tls_key.is_some() {
        let message = "a certificate needs its key: set both tls-certificate and tls-key";
        let origin = config.origin(&the::TLS_CERTIFICATE).clone();
        return Err(ConfigError::new(origin, message));
    }
    Ok(config)
}

fn limits(sources: &Sources<'_>) -> Result<Limits, ConfigError> {
    use self::settings as the;
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
        ))
}

fn value<T>(
    sources: &Sources<'_>,
    setting: &Setting,
    parse: fn(&str) -> Result<T, String>,
) -> Result<T, ConfigError> {
    let (text, origin) = sources.find(setting)?;
    parse(&text).map_err(|message| ConfigError::new(origin, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_with(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Command, ConfigError> {
        let arguments = std::iter::once("server").chain(arguments.iter().copied());
        let variables = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        load(arguments.map(OsString::from), variables)
    }

    #[test]
    fn defaults_are_valid() {
        let Ok(Command::Serve(config, _)) = load_with(&[], &[]) else {
            panic!("no configuration")
        };
        assert_eq!(config.listen, "127.0.0.1:3000".parse().unwrap());
        assert_eq!(*config.origin(&settings::LISTEN), Origin::Default);
        assert_eq!(config.body_limit, 256 * 1024);
    }

    #[test]
    fn a_flag_wins_over_a_variable() {
        let command = load_with(
            &["--threads", "3"],
            &[("SERVER_THREADS", "5"), ("SERVER_BODY_LIMIT", "7")],
        );
        let Ok(Command::Serve(config, _)) = command else {
            panic!("no configuration")
        };
        assert_eq!((config.threads, config.body_limit), (Some(3), 7));
    }

    #[test]
    fn a_secret_is_not_shown() {
        let command = load_with(&["--admin-token", "opensesame", "--print-config"], &[]);
        let Ok(Command::Print(text)) = command else {
            panic!("nothing printed")
        };
        assert!(text.contains("admin-token is set"), "{text}");
        assert!(!text.contains("opensesame"), "{text}");
    }

    #[test]
    fn refusals_name_their_origin() {
        let cases = [
            (
                load_with(&["--listen", "here"], &[]),
                "--listen: \"here\" is not an address",
            ),
            (
                load_with(&[], &[("SERVER_BODY_LIMIT", "big")]),
                "SERVER_BODY_LIMIT: \"big\" is not a size",
            ),
            (
                load_with(&["--tls-key", "key.pem"], &[]),
                "a certificate needs its key",
            ),
            (
                load_with(&["--lisen", "x"], &[]),
                "unexpected argument '--lisen'",
            ),
        ];
        for (result, want) in cases {
            let message = result.unwrap_err().to_string();
            assert!(message.contains(want), "wanted {want:?} in {message:?}");
        }
    }
}
