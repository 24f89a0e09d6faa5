//! The configuration: flags, then environment, then file, then defaults.
//!
//! [`settings`] lists what there is, [`source`] finds each setting's text, [`parse`] turns it into a value, and
//! [`values`] has them all.

mod cli;
mod error;
mod kinds;
mod parse;
mod remote;
pub(crate) mod settings;
mod source;
mod values;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal, stdout};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use clap::ArgMatches;

pub(crate) use self::error::ConfigError;
pub(crate) use self::kinds::{AccessLog, HalfClosed, LogFormat, RunMode, Switch, Upstream};
pub(crate) use self::remote::Remote;
use self::source::Sources;
pub(crate) use self::values::Config;

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Command {
    /// Serve with this configuration, which can be read again.
    Serve(Box<Config>, Loader),
    /// Build everything that this configuration asks for, but serve nothing.
    Check(Box<Config>),
    /// Ask the server that has this for its admin port whether it answers. An error is a reason not to, and no bad setting of this
    /// process.
    CheckHealth(Result<Option<SocketAddr>, ConfigError>),
    /// Print this text and leave: `--help`, `--version`, `--print-config`.
    Print(String),
}

/// Where the settings come from, to be read as often as wanted.
#[derive(Debug, Clone)]
pub(crate) struct Loader {
    flags: ArgMatches,
    variables: HashMap<OsString, OsString>,
    /// What came from elsewhere than the file.
    kept: Arc<Mutex<Option<String>>>,
    remote: Option<Box<Remote>>,
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
    let variables: HashMap<_, _> = variables.into_iter().collect();
    let variable = |name: &str| variables.get(OsStr::new(name)).cloned();
    if flags.get_flag("check-health") {
        return Ok(Command::CheckHealth(values::admin_listen(
            &flags, &variable,
        )));
    }
    let remote = Remote::find(&flags, &variable)?.map(Box::new);
    let loader = Loader {
        flags,
        variables,
        kept: Arc::default(),
        remote,
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
        let kept = self.kept();
        let text = text.or(kept.as_deref());
        let variable = |name: &str| self.variable(name);
        values::read(&Sources::open(&self.flags, &variable, text)?)
    }

    /// The file, if there is one.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        source::file(&self.flags, &|name| self.variable(name)).map(|(path, _)| path)
    }

    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(OsStr::new(name)).cloned()
    }

    /// The URL to ask for settings, if there is one.
    pub(crate) fn remote(&self) -> Option<&Remote> {
        self.remote.as_deref()
    }

    /// From now on this is what would be in the file.
    pub(crate) fn keep(&self, text: String) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }

    /// The text of the file, if there is one, or what was kept in its place.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn text(&self) -> Result<Option<String>, ConfigError> {
        if let Some(kept) = self.kept() {
            return Ok(Some(kept));
        }
        let file = source::file(&self.flags, &|name| self.variable(name));
        file.map(|(path, origin)| source::read_file(&path, origin))
            .transpose()
    }

    fn kept(&self) -> Option<String> {
        let kept = self.kept.lock();
        kept.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::source::Origin;
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
                load_with(&["--config-url", "ftp://settings/"], &[]),
                "--config-url: \"ftp://settings/\" cannot be asked",
            ),
            (
                load_with(&["--config-url", "https://settings/"], &[]),
                "--config-url: whom to believe is to be said",
            ),
            (
                load_with(
                    &["--config-url", "https://settings/"],
                    &[("SERVER_CONFIG_CA", "/no.pem")],
                ),
                "SERVER_CONFIG_CA: cannot use /no.pem: ",
            ),
            (
                load_with(
                    &[
                        "--config-url",
                        "https://settings/",
                        "--config-ca",
                        "/dev/null",
                    ],
                    &[],
                ),
                "--config-ca: cannot use /dev/null: it has no certificate",
            ),
            (
                load_with(
                    &["--config-url", "http://settings/", "--config-ca", "ca.pem"],
                    &[],
                ),
                "--config-ca: nobody shows a certificate over plain HTTP",
            ),
            (
                load_with(
                    &["--config", "s.toml"],
                    &[("SERVER_CONFIG_URL", "http://settings/")],
                ),
                "SERVER_CONFIG_URL: settings come from a file or from a URL",
            ),
            (
                load_with(
                    &["--config-url", "http://settings/"],
                    &[("SERVER_CONFIG_INTERVAL", "often")],
                ),
                "SERVER_CONFIG_INTERVAL: \"often\" is not a duration",
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
