//! The configuration: flags, then environment, then file, then defaults.
//!
//! [`settings`] lists what there is, [`source`] finds each setting's text, [`parse`] turns it into a value.

mod cli;
mod parse;
mod settings;
mod source;

use std::ffi::OsString;
use std::fmt;
use std::io::{IsTerminal, stdout};
use std::net::SocketAddr;
use std::time::Duration;

use self::settings::Setting;
pub(crate) use self::source::Origin;
use self::source::Sources;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Whether the shop opens with something on its shelves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DemoData {
    On,
    Off,
}

/// Everything the server can be told; the meaning of each field is in [`settings`].
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) listen_origin: Origin,
    pub(crate) request_timeout: Duration,
    pub(crate) header_timeout: Duration,
    /// In bytes.
    pub(crate) body_limit: usize,
    pub(crate) drain_timeout: Duration,
    /// `None` is one a core.
    pub(crate) threads: Option<usize>,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    pub(crate) demo_data: DemoData,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Command {
    /// Serve with this configuration.
    Serve(Box<Config>),
    /// Print this text and leave: `--help`, `--version`, `--show-config`.
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

/// Reads the configuration of this process.
///
/// # Errors
/// The first setting that cannot be used, by the name of its flag, variable, or file, line and key.
pub(crate) fn load(
    arguments: impl IntoIterator<Item = OsString>,
    variable: &dyn Fn(&str) -> Option<OsString>,
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
    let sources = Sources::open(&flags, variable)?;
    let config = read(&sources)?;
    if flags.get_flag("show-config") {
        return Ok(Command::Print(show(&sources)?));
    }
    Ok(Command::Serve(Box::new(config)))
}

fn read(sources: &Sources<'_>) -> Result<Config, ConfigError> {
    let (listen, listen_origin) = value(sources, &settings::LISTEN, parse::address)?;
    Ok(Config {
        listen,
        listen_origin,
        request_timeout: value(sources, &settings::REQUEST_TIMEOUT, parse::duration)?.0,
        header_timeout: value(sources, &settings::HEADER_TIMEOUT, parse::duration)?.0,
        body_limit: value(sources, &settings::BODY_LIMIT, parse::size)?.0,
        drain_timeout: value(sources, &settings::DRAIN_TIMEOUT, parse::duration)?.0,
        threads: value(sources, &settings::THREADS, parse::threads)?.0,
        log: value(sources, &settings::LOG, parse::log_filter)?.0,
        log_format: value(sources, &settings::LOG_FORMAT, parse::log_format)?.0,
        demo_data: value(sources, &settings::DEMO_DATA, parse::demo_data)?.0,
    })
}

fn value<T>(
    sources: &Sources<'_>,
    setting: &Setting,
    parse: fn(&str) -> Result<T, String>,
) -> Result<(T, Origin), ConfigError> {
    let (text, origin) = sources.find(setting)?;
    match parse(&text) {
        Ok(value) => Ok((value, origin)),
        Err(message) => Err(ConfigError::new(origin, message)),
    }
}

/// The settings in force as a TOML file, each with its origin as a comment.
fn show(sources: &Sources<'_>) -> Result<String, ConfigError> {
    let mut lines = String::new();
    for setting in settings::ALL {
        let (text, origin) = sources.find(setting)?;
        let assignment = format!("{} = {text:?}", setting.key);
        lines.push_str(&format!("{assignment:<36} # {origin}\n"));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_with(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Command, ConfigError> {
        let arguments = std::iter::once("server")
            .chain(arguments.iter().copied())
            .map(OsString::from);
        load(arguments, &|name| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn defaults_are_valid() {
        let Ok(Command::Serve(config)) = load_with(&[], &[]) else {
            panic!("no configuration")
        };
        assert_eq!(config.listen, "127.0.0.1:3000".parse().unwrap());
        assert_eq!(config.listen_origin, Origin::Default);
        assert_eq!(config.body_limit, 256 * 1024);
    }

    #[test]
    fn a_flag_wins_over_a_variable() {
        let command = load_with(
            &["--threads", "3"],
            &[("SERVER_THREADS", "5"), ("SERVER_BODY_LIMIT", "7")],
        );
        let Ok(Command::Serve(config)) = command else {
            panic!("no configuration")
        };
        assert_eq!((config.threads, config.body_limit), (Some(3), 7));
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
