//! W3C Trace Context: where a request stands in a trace, and what a request to another server says of the one that it is
//! for.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::request_id::{self, REQUEST_ID};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Bits of the flags: the caller may have recorded its span, and the trace's id is random (level 2).
const SAMPLED: u8 = 1;
const RANDOM: u8 = 2;

/// A span, as others are told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpanContext {
    pub(super) trace: u128,
    pub(super) span: u64,
    flags: u8,
}

/// What the headers of a request say of its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parent {
    /// Nothing that can be understood: a trace begins here.
    None,
    /// The caller's span is recorded.
    Sampled(SpanContext),
    /// It is not, and what is done for it is not to be, either.
    Unsampled,
}

impl Parent {
    /// By `traceparent`: version, trace id, parent id and flags, of 2, 32, 16 and 2 lower-case hex digits, neither id all
    /// zeros. Later versions may have more behind that.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut given = headers.get_all(TRACEPARENT).iter();
        let (Some(value), None) = (given.next(), given.next()) else {
            return Parent::None;
        };
        match value.to_str().ok().and_then(parse) {
            Some(context) if context.flags & SAMPLED == 0 => Parent::Unsampled,
            Some(context) => Parent::Sampled(context),
            None => Parent::None,
        }
    }
}

impl SpanContext {
    /// The first span of a trace.
    pub(super) fn root() -> Self {
        SpanContext {
            // Its second half counts, so that it may not be called random.
            trace: request_id::fresh_trace(),
            span: request_id::fresh_span(),
            flags: SAMPLED,
        }
    }

    /// A span in the same trace.
    pub(super) fn child(self) -> Self {
        SpanContext {
            span: request_id::fresh_span(),
            flags: self.flags & (SAMPLED | RANDOM),
            ..self
        }
    }
}

/// As `traceparent` has it.
impl fmt::Display for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SpanContext { trace, span, flags } = self;
        write!(f, "00-{trace:032x}-{span:016x}-{flags:02x}")
    }
}

fn parse(traceparent: &str) -> Option<SpanContext> {
    let is_hex = |text: &str, length: usize| {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        text.len() == length && text.bytes().all(digit)
    };
    let mut parts = traceparent.splitn(5, '-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let known = match version {
        "00" => parts.next().is_none(),
        "ff" => false,
        later => is_hex(later, 2),
    };
    if !(known && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2)) {
        return None;
    }
    let context = SpanContext {
        trace: u128::from_str_radix(trace, 16).ok()?,
        span: u64::from_str_radix(span, 16).ok()?,
        flags: u8::from_str_radix(flags, 16).ok()?,
    };
    (context.trace != 0 && context.span != 0).then_some(context)
}

/// What a request to another server says of the one that it is for. Numbers, which nobody has to write out as long as
/// there is no such request.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Propagation {
    /// Of the id that the request was given here; `None` if it came with one.
    pub(super) id: Option<u64>,
    /// The request's own span, if it is recorded.
    pub(super) span: Option<SpanContext>,
    /// Whether that begins a trace.
    pub(super) is_root: bool,
}

impl Propagation {
    /// Puts it in the place of what the client said. Where no span is recorded the trace stays the client's own, so that the
    /// other server's spans hang on one that exists.
    pub(crate) fn put(&self, headers: &mut HeaderMap) {
        let id = match self.id {
            Some(number) => Some(request_id::value(number)),
            None => headers.get(REQUEST_ID).cloned(),
        };
        if let Some(id) = id {
            headers.insert(REQUEST_ID, id);
        }
        if let Some(span) = self.span {
            let value = HeaderValue::try_from(span.to_string());
            headers.insert(TRACEPARENT, value.expect("it is visible ASCII"));
            // What others keep in it is about the trace that it came with.
            if self.is_root {
                headers.remove(TRACESTATE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn parent(values: &[&str]) -> Parent {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRACEPARENT, HeaderValue::from_str(value).unwrap());
        }
        Parent::of(&headers)
    }

    #[test]
    fn what_is_understood_is_continued() {
        for (value, flags) in [
            (format!("00-{TRACE}-{SPAN}-01"), 1),
            (format!("00-{TRACE}-{SPAN}-03"), 3),
            (format!("00-{TRACE}-{SPAN}-ff"), 3),
            (format!("cc-{TRACE}-{SPAN}-01-what-will-be"), 1),
        ] {
            let Parent::Sampled(parent) = parent(&[&value]) else {
                panic!("{value}")
            };
            assert_eq!(format!("{:016x}", parent.span), SPAN, "{value}");
            let child = parent.child();
            assert_ne!(child.span, parent.span);
            let passed = format!("00-{TRACE}-{:016x}-{flags:02x}", child.span);
            assert_eq!(child.to_string(), passed, "{value}");
        }
        for flags in ["00", "02"] {
            let value = format!("00-{TRACE}-{SPAN}-{flags}");
            assert_eq!(parent(&[&value]), Parent::Unsampled);
        }
    }

    #[test]
    fn what_is_not_whole_begins_a_trace() {
        let whole = format!("00-{TRACE}-{SPAN}-01");
        assert_eq!(parent(&[]), Parent::None);
        assert_eq!(parent(&[&whole, &whole]), Parent::None, "two of them");
        for wrong in [
            String::new(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("0-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-x"),
            format!("cc-{TRACE}-{SPAN}-01x"),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-+{}-{SPAN}-01", &TRACE[1..]),
        ] {
            assert_eq!(parent(&[&wrong]), Parent::None, "{wrong}");
        }
    }
}
