//! Settings that are had from a URL.

use std::ffi::OsString;
use std::time::Duration;

use clap::ArgMatches;
use http::Uri;

use super::source::Origin;
use super::{ConfigError, parse};

/// Where settings are asked for, and how often.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub(crate) url: Uri,
    pub(crate) interval: Duration,
}

impl Remote {
    /// What the flags or the environment say.
    ///
    /// # Errors
    /// When it cannot be asked, or there is a file as well.
    pub(super) fn find(
        flags: &ArgMatches,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>, ConfigError> {
        let Some((text, origin)) = find("config-url", flags, variable)? else {
            return Ok(None);
        };
        if flags.contains_id("config") || variable("SERVER_CONFIG").is_some() {
            let message =
                "settings come from a file or from a URL; set one of config and config-url";
            return Err(ConfigError::new(origin, message));
        }
        let url = text
            .parse()
            .ok()
            .filter(|url: &Uri| url.scheme_str() == Some("http") && url.authority().is_some());
        let Some(url) = url else {
            let message = format!("{text:?} cannot be asked; write http://host:port/path");
            return Err(ConfigError::new(origin, message));
        };
        let interval = match find("config-interval", flags, variable)? {
            Some((text, origin)) => {
                parse::duration(&text).map_err(|message| ConfigError::new(origin, message))?
            }
            None => Duration::from_secs(10),
        };
        Ok(Some(Remote { url, interval }))
    }
}

fn find(
    key: &str,
    flags: &ArgMatches,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<(String, Origin)>, ConfigError> {
    if let Some(text) = flags.get_one::<String>(key) {
        return Ok(Some((text.clone(), Origin::Flag(format!("--{key}")))));
    }
    let name = format!("SERVER_{}", key.replace('-', "_").to_uppercase());
    let Some(text) = variable(&name) else {
        return Ok(None);
    };
    match text.into_string() {
        Ok(text) => Ok(Some((text, Origin::Variable(name)))),
        Err(_) => Err(ConfigError::new(
            Origin::Variable(name),
            "the value is not UTF-8",
        )),
    }
}
