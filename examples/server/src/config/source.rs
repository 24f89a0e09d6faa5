//! Where a setting's text comes from: flag, environment, file, or default, in that order.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use toml::de::{DeTable, DeValue};

use super::ConfigError;
use super::settings::{self, Setting};

/// Where a value was found, worded for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(String),
    Variable(String),
    File {
        path: PathBuf,
        line: usize,
        key: String,
    },
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(flag) => f.write_str(flag),
            Origin::Variable(name) => f.write_str(name),
            Origin::File { path, line, key } => write!(f, "{}:{line}: {key}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// One entry of the file.
#[derive(Debug)]
struct Entry {
    key: String,
    text: String,
    line: usize,
}

/// The places to look in, loaded once.
pub(super) struct Sources<'a> {
    flags: &'a ArgMatches,
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    file: Option<(PathBuf, Vec<Entry>)>,
}

impl<'a> Sources<'a> {
    /// Reads the file that `--config` or `SERVER_CONFIG` names, if either does, or this text in its place.
    pub(super) fn open(
        flags: &'a ArgMatches,
        variable: &'a dyn Fn(&str) -> Option<OsString>,
        text: Option<&str>,
    ) -> Result<Self, ConfigError> {
        if let Some(text) = text {
            let path = PathBuf::from("the text");
            let entries = parse_file(&path, text)?;
            return Ok(Sources {
                flags,
                variable,
                file: Some((path, entries)),
            });
        }
        let file = match file(flags, variable) {
            Some((path, origin)) => {
                let entries = parse_file(&path, &read_file(&path, origin)?)?;
                Some((path, entries))
            }
            None => None,
        };
        Ok(Sources {
            flags,
            variable,
            file,
        })
    }

    /// As [`open`](Self::open), but of the file this setting alone, if it can be had.
    pub(super) fn for_one(
        setting: &Setting,
        flags: &'a ArgMatches,
        variable: &'a dyn Fn(&str) -> Option<OsString>,
    ) -> Self {
        let file = file(flags, variable).and_then(|(path, origin)| {
            let text = read_file(&path, origin).ok()?;
            let entry = find_entry(&text, setting.key)?;
            Some((path, vec![entry]))
        });
        Sources {
            flags,
            variable,
            file,
        }
    }

    /// The text of a setting and where it was found.
    pub(super) fn find(&self, setting: &Setting) -> Result<(String, Origin), ConfigError> {
        if let Some(text) = self.flags.get_one::<String>(setting.key) {
            return Ok((text.clone(), Origin::Flag(setting.flag())));
        }
        let name = setting.variable();
        if let Some(text) = (self.variable)(&name) {
            return match text.into_string() {
                Ok(text) => Ok((text, Origin::Variable(name))),
                Err(_) => Err(ConfigError::new(
                    Origin::Variable(name),
                    "the value is not UTF-8",
                )),
            };
        }
        if let Some((path, entries)) = &self.file
            && let Some(entry) = entries.iter().find(|entry| entry.key == setting.key)
        {
            let origin = Origin::File {
                path: path.clone(),
                line: entry.line,
                key: entry.key.clone(),
            };
            return Ok((entry.text.clone(), origin));
        }
        Ok((setting.default.to_owned(), Origin::Default))
    }
}

/// The file of settings, and what names it.
pub(super) fn file(
    flags: &ArgMatches,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Option<(PathBuf, Origin)> {
    match flags.get_one::<PathBuf>("config") {
        Some(path) => Some((path.clone(), Origin::Flag("--config".into()))),
        None => variable("SERVER_CONFIG")
            .map(|path| (path.into(), Origin::Variable("SERVER_CONFIG".into()))),
    }
}

pub(super) fn read_file(path: &Path, origin: Origin) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| {
        ConfigError::new(origin, format!("cannot read {}: {error}", path.display()))
    })
}

/// One setting of a file, whatever else is in there.
fn find_entry(text: &str, key: &str) -> Option<Entry> {
    let (table, _) = DeTable::parse_recoverable(text);
    let (name, value) = table
        .get_ref()
        .iter()
        .find(|(name, _)| *name.get_ref() == key)?;
    Some(Entry {
        key: key.to_owned(),
        text: value_text(value.get_ref())?,
        line: line_of(text, name.span().start),
    })
}

/// The number of the line that a byte is in.
fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].bytes().filter(|byte| *byte == b'\n').count() + 1
}

/// A value as a flag has it; `None` of a kind that no setting has.
fn value_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Boolean(true) => Some("on".to_owned()),
        DeValue::Boolean(false) => Some("off".to_owned()),
        _ => None,
    }
}

fn parse_file(path: &Path, text: &str) -> Result<Vec<Entry>, ConfigError> {
    let at = |line: usize, key: &str| Origin::File {
        path: path.to_owned(),
        line,
        key: key.to_owned(),
    };

    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        ConfigError::new(at(line, "not TOML"), error.message())
    })?;
    let mut entries = Vec::new();
    for (name, value) in table.get_ref() {
        let key = name.get_ref();
        let line = line_of(text, name.span().start);
        if !settings::ALL.iter().any(|setting| setting.key == *key) {
            let known: Vec<_> = settings::ALL.iter().map(|setting| setting.key).collect();
            return Err(ConfigError::new(
                at(line, key),
                format!("no such setting; there are {}", known.join(", ")),
            ));
        }
        let Some(text) = value_text(value.get_ref()) else {
            let message = format!(
                "expected a string, a number or true and false, found {}",
                value.get_ref().type_str()
            );
            return Err(ConfigError::new(at(line, key), message));
        };
        entries.push(Entry {
            key: key.to_string(),
            text,
            line,
        });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_with_its_lines() {
        let entries = parse_file(
            Path::new("s.toml"),
            "# comment\nlisten = \"[::1]:1\"\n\nthreads = 4\ndemo-data = false\n",
        );
        let mut found: Vec<_> = entries
            .unwrap()
            .into_iter()
            .map(|entry| (entry.line, entry.key, entry.text))
            .collect();
        found.sort();
        let want = [
            (2, "listen", "[::1]:1"),
            (4, "threads", "4"),
            (5, "demo-data", "off"),
        ];
        assert_eq!(
            found,
            want.map(|(line, key, text)| (line, key.to_owned(), text.to_owned()))
        );
    }

    #[test]
    fn refusals_name_file_line_and_key() {
        let cases = [
            (
                "listen = \"a\"\nlistn = 1\n",
                "s.toml:2: listn: no such setting; there are listen, ",
            ),
            (
                "threads = [1]\n",
                "s.toml:1: threads: expected a string, a number or true and false, found array",
            ),
            ("log = \"info\"\n= 3\n", "s.toml:2: not TOML: "),
        ];
        for (text, want) in cases {
            let message = parse_file(Path::new("s.toml"), text)
                .unwrap_err()
                .to_string();
            assert!(message.starts_with(want), "for {text:?}: {message}");
        }
    }
}
