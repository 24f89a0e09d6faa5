//! HTTP/1.1 as a client writes and reads it (RFC 9112): answers come in the order of the requests.

use std::collections::VecDeque;

use super::{
    plan::Ask,
    wire::{Answer, Events, Wire},
};

/// A head may not be longer.
const LONGEST_HEAD: usize = 64 << 10;

/// One connection.
#[derive(Debug)]
pub(super) struct Http1 {
    host: String,
    /// Requests without an answer yet; whether it is one to HEAD.
    waiting: VecDeque<(usize, bool)>,
    state: State,
    /// The beginning of a head or of a chunk's line that has not come whole.
    partial: Vec<u8>,
    answer: Answer,
    last: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes of the body are to come.
    Sized(u64),
    ChunkLine,
    /// So many bytes of a chunk and its line end are to come.
    Chunk(u64),
    Trailers,
    /// The body ends with the connection.
    UntilClosed,
}

impl Http1 {
    pub(super) fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            waiting: VecDeque::new(),
            state: State::Head,
            partial: Vec::new(),
            answer: Answer {
                tag: 0,
                status: 0,
                length: 0,
            },
            last: false,
        }
    }

    /// Reads the head; the body's shape becomes the state.
    fn head(&mut self, head: &[u8], events: &mut Events) -> Result<(), String> {
        let text = std::str::from_utf8(head).map_err(|_| "a head that is no text".to_owned())?;
        let mut lines = text.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let status: u16 = status_line
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.get(2..5)?.parse().ok())
            .ok_or_else(|| format!("no status line: `{status_line}`"))?;
        if (100..200).contains(&status) && status != 101 {
            return Ok(());
        }
        let (tag, to_head) = self
            .waiting
            .pop_front()
            .ok_or("an answer that nothing asked for")?;
        self.answer = Answer {
            tag,
            status,
            length: 0,
        };
        self.last = status_line.starts_with("HTTP/1.0");
        let (mut length, mut chunked) = (None, false);
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                let parsed = value.parse::<u64>();
                length = Some(parsed.map_err(|_| format!("a content-length of `{value}`"))?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = value.to_ascii_lowercase().ends_with("chunked");
            } else if name.eq_ignore_ascii_case("connection") {
                let has = |word: &str| {
                    value
                        .split(',')
                        .any(|part| part.trim().eq_ignore_ascii_case(word))
                };
                self.last = has("close") || (self.last && !has("keep-alive"));
            }
        }
        self.state = if to_head || status == 204 || status == 304 {
            State::Sized(0)
        } else if chunked {
            State::ChunkLine
        } else {
            length.map_or(State::UntilClosed, State::Sized)
        };
        if self.state == State::Sized(0) {
            self.finish(events);
        }
        Ok(())
    }

    fn finish(&mut self, events: &mut Events) {
        events.answers.push(self.answer);
        self.state = State::Head;
    }

    /// Takes a line end's worth of input: `Some` when `end` has come, with all before it.
    fn until<'a>(&mut self, input: &mut &'a [u8], end: &[u8]) -> Result<Option<Text<'a>>, String> {
        if self.partial.is_empty() {
            if let Some(at) = find(input, end) {
                let text = &input[..at];
                *input = &input[at + end.len()..];
                return Ok(Some(Text::Whole(text)));
            }
            self.partial.extend_from_slice(input);
            *input = &[];
        } else {
            let before = self.partial.len();
            let from = before.saturating_sub(end.len() - 1);
            self.partial.extend_from_slice(input);
            if let Some(at) = find(&self.partial[from..], end) {
                let at = from + at;
                *input = &input[at + end.len() - before..];
                let mut text = std::mem::take(&mut self.partial);
                text.truncate(at);
                return Ok(Some(Text::Joined(text)));
            }
            *input = &[];
        }
        if self.partial.len() > LONGEST_HEAD {
            return Err(format!("a head or line of more than {LONGEST_HEAD} bytes"));
        }
        Ok(None)
    }
}

enum Text<'a> {
    Whole(&'a [u8]),
    Joined(Vec<u8>),
}

impl Text<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Whole(text) => text,
            Self::Joined(text) => text,
        }
    }
}

fn find(text: &[u8], end: &[u8]) -> Option<usize> {
    text.windows(end.len()).position(|window| window == end)
}

/// Steps over up to `left` bytes of the input.
fn skip(input: &mut &[u8], left: u64) -> u64 {
    let step = left.min(input.len() as u64);
    *input = &input[step as usize..];
    step
}

impl Wire for Http1 {
    fn open(&mut self, _: &mut Vec<u8>) {}

    fn send(&mut self, tag: usize, ask: &Ask, out: &mut Vec<u8>) {
        let mut put = |parts: &[&str]| {
            parts
                .iter()
                .for_each(|p| out.extend_from_slice(p.as_bytes()))
        };
        put(&[
            &ask.method,
            " ",
            &ask.path,
            " HTTP/1.1\r\nhost: ",
            &self.host,
            "\r\n",
        ]);
        for (name, value) in &ask.headers {
            put(&[name, ": ", value, "\r\n"]);
        }
        // A body that is chunked has its own way to say where it ends.
        let chunked = ask
            .headers
            .iter()
            .any(|(name, _)| name == "transfer-encoding");
        if !chunked && (!ask.body.is_empty() || ask.method == "POST") {
            put(&["content-length: ", &ask.body.len().to_string(), "\r\n"]);
        }
        put(&["\r\n"]);
        out.extend_from_slice(&ask.body);
        self.waiting.push_back((tag, ask.method == "HEAD"));
    }

    fn receive(
        &mut self,
        mut input: &[u8],
        _: &mut Vec<u8>,
        events: &mut Events,
    ) -> Result<(), String> {
        while !input.is_empty() {
            match self.state {
                State::Head => {
                    if let Some(head) = self.until(&mut input, b"\r\n\r\n")? {
                        self.head(head.bytes(), events)?;
                    }
                }
                State::Sized(left) => {
                    let step = skip(&mut input, left);
                    self.answer.length += step;
                    self.state = State::Sized(left - step);
                    if left == step {
                        self.finish(events);
                    }
                }
                State::UntilClosed => {
                    self.answer.length += input.len() as u64;
                    input = &[];
                }
                State::ChunkLine => {
                    if let Some(line) = self.until(&mut input, b"\r\n")? {
                        let text = String::from_utf8_lossy(line.bytes()).into_owned();
                        let digits = text.split(';').next().unwrap_or_default().trim();
                        let size = u64::from_str_radix(digits, 16)
                            .map_err(|_| format!("a chunk's size of `{digits}`"))?;
                        self.answer.length += size;
                        self.state = match size {
                            0 => State::Trailers,
                            _ => State::Chunk(size + 2),
                        };
                    }
                }
                State::Chunk(left) => {
                    let step = skip(&mut input, left);
                    self.state = match left - step {
                        0 => State::ChunkLine,
                        left => State::Chunk(left),
                    };
                }
                State::Trailers => {
                    if let Some(line) = self.until(&mut input, b"\r\n")?
                        && line.bytes().is_empty()
                    {
                        self.finish(events);
                    }
                }
            }
        }
        Ok(())
    }

    fn closed(&mut self, events: &mut Events) -> Result<(), String> {
        match self.state {
            State::UntilClosed => self.finish(events),
            State::Head if self.partial.is_empty() => {}
            _ => return Err("closed amid an answer".into()),
        }
        // Whatever was asked beyond the last answer has none.
        if self.waiting.is_empty() || self.last {
            Ok(())
        } else {
            Err("closed before an answer".into())
        }
    }

    fn takes_more(&self, _: usize) -> bool {
        !self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, piece: usize, method: &str) -> Result<Vec<(u16, u64)>, String> {
        let mut wire = Http1::new("h");
        let mut out = Vec::new();
        let ask = Ask {
            method: method.into(),
            ..Ask::get("/")
        };
        (0..4).for_each(|tag| wire.send(tag, &ask, &mut out));
        let mut events = Events::default();
        for part in text.as_bytes().chunks(piece) {
            wire.receive(part, &mut out, &mut events)?;
        }
        let _ = wire.closed(&mut events);
        let tags: Vec<_> = events.answers.iter().map(|a| a.tag).collect();
        assert!(tags.iter().copied().eq(0..tags.len()), "{tags:?}");
        Ok(events
            .answers
            .iter()
            .map(|a| (a.status, a.length))
            .collect())
    }

    #[test]
    fn answers_are_read_whatever_the_pieces() {
        let sized = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n00a\r\n0123456789\r\n0\r\nx: y\r\n\r\n";
        type Case = (&'static str, String, &'static [(u16, u64)]);
        let cases: &[Case] = &[
            ("sized", sized.into(), &[(200, 5)]),
            ("pipelined", sized.repeat(3), &[(200, 5); 3]),
            ("chunked", chunked.into(), &[(200, 15)]),
            (
                "chunked, then sized",
                format!("{chunked}{sized}"),
                &[(200, 15), (200, 5)],
            ),
            (
                "continue",
                format!("HTTP/1.1 100 Continue\r\n\r\n{sized}"),
                &[(200, 5)],
            ),
            (
                "no content",
                format!("HTTP/1.1 204 No Content\r\n\r\n{sized}"),
                &[(204, 0), (200, 5)],
            ),
            (
                "until closed",
                "HTTP/1.0 200 OK\r\n\r\nabc".into(),
                &[(200, 3)],
            ),
            (
                "empty",
                "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".into(),
                &[(404, 0)],
            ),
        ];
        for (case, text, want) in cases {
            for piece in [1, 2, 3, 7, 50, 10_000] {
                assert_eq!(
                    read(text, piece, "GET").as_deref(),
                    Ok(*want),
                    "{case} by {piece}"
                );
            }
        }
    }

    #[test]
    fn an_answer_to_head_has_no_body() {
        let text = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n".repeat(2);
        assert_eq!(
            read(&text, 7, "HEAD").as_deref(),
            Ok(&[(200, 0), (200, 0)][..])
        );
    }

    #[test]
    fn nonsense_is_an_error() {
        let cases = [
            "SSH-2.0\r\n\r\n",
            "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        ];
        for text in cases {
            assert!(read(text, 100, "GET").is_err(), "{text}");
        }
        let endless = "x".repeat(LONGEST_HEAD + 1);
        assert!(read(&endless, 1_000, "GET").is_err());
    }

    #[test]
    fn a_close_is_an_error_only_where_something_is_cut_off() {
        let cases = [
            ("", true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhel", false),
        ];
        for (text, wrong) in cases {
            let (mut wire, mut out, mut events) = (Http1::new("h"), Vec::new(), Events::default());
            wire.send(0, &Ask::get("/"), &mut out);
            wire.receive(text.as_bytes(), &mut out, &mut events)
                .unwrap();
            assert_eq!(wire.closed(&mut events).is_err(), wrong, "{text:?}");
        }
    }
}
