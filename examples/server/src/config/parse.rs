//! From the text of one setting to its value. The messages say what was wrong and what would be right;
//! [`ConfigError`](super::ConfigError) puts in front where the text came from.

use std::net::SocketAddr;
use std::time::Duration;

use bytesize::ByteSize;
use tracing_subscriber::EnvFilter;

use super::{DemoData, LogFormat};

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

pub(super) fn demo_data(text: &str) -> Result<DemoData, String> {
    match text {
        "on" => Ok(DemoData::On),
        "off" => Ok(DemoData::Off),
        _ => Err(format!("{text:?} is neither on nor off")),
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
        ];
        for message in refusals {
            assert!(message.contains("write "), "no advice in: {message}");
        }
    }
}
