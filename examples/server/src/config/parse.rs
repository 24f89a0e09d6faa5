//! From the text of one setting to its value. The messages say what was wrong and what would be right;
//! [`ConfigError`](super::ConfigError) puts in front where the text came from.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use tower_flowctl::admission::{AtLimit, Network};
use tracing_subscriber::EnvFilter;

use super::{AccessLog, HalfClosed, LogFormat, RunMode, Switch, Upstream};

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is not an address and port; write 127.0.0.1:3000 or [::1]:3000")
    })
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let value = humantime::parse_duration(text)
        .map_err(|_| format!("{text:?} is not a duration; write 500ms, 10s or 2min"))?;
    if value.is_zero() {
        return Err(format!(
            "{text:?} would end everything at once; write at least 1ms"
        ));
    }
    Ok(value)
}

/// A duration, or `unlimited`.
pub(super) fn optional_duration(text: &str) -> Result<Option<Duration>, String> {
    match text {
        "unlimited" => Ok(None),
        _ => duration(text)
            .map(Some)
            .map_err(|error| format!("{error}, or unlimited")),
    }
}

pub(super) fn size(text: &str) -> Result<usize, String> {
    let size: ByteSize = text
        .parse()
        .map_err(|_| format!("{text:?} is not a size in bytes; write 65536, 256KiB or 2MiB"))?;
    usize::try_from(size.as_u64())
        .map_err(|_| format!("{text:?} is more than this machine can address"))
}

pub(super) fn threads(text: &str) -> Result<Option<usize>, String> {
    match text.parse() {
        Ok(0) => Ok(None),
        Ok(count @ 1..=1024) => Ok(Some(count)),
        _ => Err(format!(
            "{text:?} is not a number of threads; write 1 to 1024, or 0 for one a core"
        )),
    }
}

pub(super) fn log_filter(text: &str) -> Result<String, String> {
    EnvFilter::builder()
        .parse(text)
        .map(|_| text.to_owned())
        .map_err(|error| {
            format!("{text:?} is not a log filter ({error}); write info, or warn,server=debug")
        })
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is not a log format; write text or json")),
    }
}

/// A switch: a layer of the assembly, or the demo data.
pub(super) fn switch(text: &str) -> Result<Switch, String> {
    match text {
        "on" => Ok(Switch::On),
        "off" => Ok(Switch::Off),
        _ => Err(format!("{text:?} is neither; write on or off")),
    }
}

/// An address, or `off`.
pub(super) fn optional_address(text: &str) -> Result<Option<SocketAddr>, String> {
    match text {
        "off" => Ok(None),
        _ => address(text)
            .map(Some)
            .map_err(|error| format!("{error}, or off")),
    }
}

/// A path, or the word that stands for having none.
pub(super) fn path_or(word: &'static str, text: &str) -> Result<Option<PathBuf>, String> {
    match text {
        "" => Err(format!("the path is empty; write a path, or {word}")),
        _ if text == word => Ok(None),
        _ => Ok(Some(PathBuf::from(text))),
    }
}

pub(super) fn certificate(text: &str) -> Result<Option<PathBuf>, String> {
    path_or("self-signed", text)
}

pub(super) fn ticket_keys(text: &str) -> Result<Option<PathBuf>, String> {
    path_or("random", text)
}

pub(super) fn baselines(text: &str) -> Result<Option<PathBuf>, String> {
    path_or("learned", text)
}

pub(super) fn data(text: &str) -> Result<Option<PathBuf>, String> {
    path_or("memory", text)
}

pub(super) fn site(text: &str) -> Result<Option<PathBuf>, String> {
    match path_or("built-in", text)? {
        Some(path) if !path.is_dir() => Err(format!(
            "{text:?} is not a folder that can be read; write one, or built-in"
        )),
        path => Ok(path),
    }
}

/// `None` is a random one. A token goes into a header, so it is visible ASCII.
pub(super) fn token(text: &str) -> Result<Option<String>, String> {
    match text {
        "random" => Ok(None),
        _ if text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(Some(text.to_owned()))
        }
        // Not shown: it may be most of a secret.
        _ => Err(
            "the token cannot be used; write 8 or more visible ASCII characters, or random"
                .to_owned(),
        ),
    }
}

pub(super) fn run_mode(text: &str) -> Result<RunMode, String> {
    match text {
        "multi-thread" => Ok(RunMode::MultiThread),
        "thread-per-core" => Ok(RunMode::ThreadPerCore),
        _ => Err(format!(
            "{text:?} is not a way to run; write multi-thread or thread-per-core"
        )),
    }
}

pub(super) fn access_log(text: &str) -> Result<AccessLog, String> {
    match text {
        "off" => Ok(AccessLog::Off),
        "common" => Ok(AccessLog::Common),
        "json" => Ok(AccessLog::Json),
        _ => Err(format!(
            "{text:?} is not a format of the access log; write off, common or json"
        )),
    }
}

pub(super) fn count(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(format!(
            "{text:?} is not a count; write a whole number from 1 on"
        )),
    }
}

/// `None` is no limit.
pub(super) fn limit(text: &str) -> Result<Option<u32>, String> {
    match text {
        "unlimited" => Ok(None),
        _ => count(text)
            .map(Some)
            .map_err(|error| format!("{error}, or unlimited")),
    }
}

pub(super) fn unsent(text: &str) -> Result<Option<u32>, String> {
    small_size_or("unlimited", "128KiB", text)
}

pub(super) fn early_data(text: &str) -> Result<Option<u32>, String> {
    small_size_or("off", "16KiB", text)
}

/// A size, such as `example`, or the word that stands for none.
fn small_size_or(word: &str, example: &str, text: &str) -> Result<Option<u32>, String> {
    if text == word {
        return Ok(None);
    }
    match size(text).map(u32::try_from) {
        Ok(Ok(bytes @ 1..)) => Ok(Some(bytes)),
        _ => Err(format!(
            "{text:?} is not a size of 1 byte to 4 GiB; write {example}, or {word}"
        )),
    }
}

pub(super) fn at_limit(text: &str) -> Result<AtLimit, String> {
    match text {
        "pause" => Ok(AtLimit::Pause),
        "unavailable" => Ok(AtLimit::Unavailable),
        "reset" => Ok(AtLimit::Reset),
        _ => Err(format!(
            "{text:?} is not a way to refuse; write pause, unavailable or reset"
        )),
    }
}

pub(super) fn half_closed(text: &str) -> Result<HalfClosed, String> {
    match text {
        "cancel" => Ok(HalfClosed::Cancel),
        "answer" => Ok(HalfClosed::Answer),
        _ => Err(format!("{text:?} is neither; write answer or cancel")),
    }
}

pub(super) fn networks(text: &str) -> Result<Vec<Network>, String> {
    if text == "off" {
        return Ok(Vec::new());
    }
    let networks = text.split(',').map(|network| network.trim().parse());
    networks
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{error}; write networks such as 10.0.0.0/8,127.0.0.1, or off"))
}

pub(super) fn large_size(text: &str) -> Result<u64, String> {
    text.parse::<ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|_| format!("{text:?} is not a size in bytes; write 65536, 256KiB or 2GiB"))
}

/// Bytes, or `off`.
pub(super) fn budget(text: &str) -> Result<Option<u64>, String> {
    match text {
        "off" => Ok(None),
        _ => large_size(text)
            .map(Some)
            .map_err(|error| format!("{error}, or off")),
    }
}

pub(super) fn upstream(text: &str) -> Result<Upstream, String> {
    match text {
        "self" => Ok(Upstream::Itself),
        "off" => Ok(Upstream::Off),
        _ => address(text)
            .map(Upstream::Address)
            .map_err(|error| format!("{error}, self, or off")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes() {
        for (text, want) in [
            ("500ms", Some(500)),
            ("2s", Some(2_000)),
            ("1min", Some(60_000)),
            ("0s", None),
            ("ten", None),
        ] {
            let got = duration(text).ok().map(|value| value.as_millis());
            assert_eq!(got, want, "duration {text:?}");
        }
        for (text, want) in [
            ("65536", Some(65_536)),
            ("256KiB", Some(262_144)),
            ("1MB", Some(1_000_000)),
            ("-1", None),
            ("big", None),
        ] {
            assert_eq!(size(text).ok(), want, "size {text:?}");
        }
    }

    #[test]
    fn every_refusal_says_what_would_be_right() {
        let refusals = [
            address("localhost").unwrap_err(),
            duration("10 parsecs").unwrap_err(),
            size("a lot").unwrap_err(),
            threads("-1").unwrap_err(),
            log_filter("server=loud").unwrap_err(),
            log_format("xml").unwrap_err(),
            switch("maybe").unwrap_err(),
            optional_address("none").unwrap_err(),
            data("").unwrap_err(),
            site("/no/such/folder").unwrap_err(),
            token("short").unwrap_err(),
            run_mode("fast").unwrap_err(),
            access_log("xml").unwrap_err(),
            count("0").unwrap_err(),
            limit("none").unwrap_err(),
            unsent("0").unwrap_err(),
            early_data("on").unwrap_err(),
            at_limit("wait").unwrap_err(),
            half_closed("open").unwrap_err(),
            networks("here").unwrap_err(),
            large_size("a lot").unwrap_err(),
            budget("a lot").unwrap_err(),
            upstream("elsewhere").unwrap_err(),
        ];
        for message in refusals {
            assert!(message.contains("write "), "no advice in: {message}");
        }
    }
}
