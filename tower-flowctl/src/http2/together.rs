//! Responses of HTTP/1 that go out together, because their requests came together.
//!
//! hyper writes each response as soon as it is there, so that sixteen pipelined requests cost sixteen writes. hyper's own
//! remedy, `pipeline_flush`, copies every body, which ends `sendfile(2)` below. Here only small responses are copied, and
//! only on connections whose client is seen to pipeline: a second response that is written with nothing read in between
//! answers a request that had come with the one before.
//!
//! What is put off goes out when the client sends more, when something else is written, when there is enough of it, or at the
//! second flush in a row: the first has the connection polled once more, which flushes again with nothing new written.
//! Whoever takes the connection over from hyper may never flush; there the second read in a row that finds nothing does it.

use std::{io::IoSlice, task::Context};

/// The most that goes out together, and that is copied.
const MOST: usize = 16 << 10;

/// What one connection is at.
#[derive(Debug, Default)]
pub(super) struct Together {
    /// Whether the client sent several requests at once when it last sent something.
    pipelines: bool,
    /// Responses since something was read.
    responses: u32,
    /// Whether something was put off.
    holds: bool,
    /// Whether that was since the last flush.
    fresh: bool,
    /// Whether nothing was found to read since.
    read: bool,
}

impl Together {
    /// Something was read, or there was nothing to read. Whether what was put off is to go out now.
    pub(super) fn read(&mut self, cx: &Context<'_>, something: bool) -> bool {
        if something {
            if self.responses > 0 {
                self.pipelines = self.responses > 1;
            }
            self.responses = 0;
        } else if self.holds && !self.read {
            // hyper also looks whether the client is still there before it has the last request answered.
            self.read = true;
            cx.waker().wake_by_ref();
            return false;
        }
        self.written()
    }

    /// Whether this write is to be put off, with which so many bytes would be.
    pub(super) fn takes(&mut self, slices: &[IoSlice<'_>], bytes: usize) -> bool {
        if !slices.first().is_some_and(|head| is_response(head)) {
            return false;
        }
        self.responses += 1;
        if bytes > MOST || !(self.pipelines || self.responses > 1) {
            return false;
        }
        self.holds = true;
        self.fresh = true;
        self.read = false;
        true
    }

    /// Whether this flush is not the one.
    pub(super) fn puts_off(&mut self, cx: &Context<'_>) -> bool {
        if !self.holds {
            return false;
        }
        if self.fresh {
            self.fresh = false;
            cx.waker().wake_by_ref();
            return true;
        }
        self.written();
        false
    }

    /// What was put off is on its way. Whether there was anything.
    pub(super) fn written(&mut self) -> bool {
        self.fresh = false;
        std::mem::take(&mut self.holds)
    }
}

/// Whether these bytes begin with the head of a final response: what comes after an interim one nobody knows.
pub(super) fn is_response(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            _,
            b' ',
            b'2'..=b'5',
            ..
        ]
    )
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn takes(together: &mut Together, text: &str) -> bool {
        together.takes(&[IoSlice::new(text.as_bytes())], text.len())
    }

    const CX: &Context<'_> = &Context::from_waker(Waker::noop());
    const RESPONSE: &str = "HTTP/1.1 200 OK\r\n\r\n";

    #[test]
    fn a_client_that_waits_for_each_answer_has_it_at_once() {
        let mut together = Together::default();
        for _ in 0..3 {
            assert!(!together.read(CX, true));
            assert!(!takes(&mut together, RESPONSE));
            assert!(!together.puts_off(CX));
            assert!(!together.read(CX, false));
        }
    }

    #[test]
    fn from_the_second_answer_on_they_go_together() {
        let (mut together, cx) = (Together::default(), CX);
        assert!(!takes(&mut together, RESPONSE));
        assert!(takes(&mut together, RESPONSE));
        assert!(together.puts_off(cx));
        assert!(takes(&mut together, RESPONSE));
        assert!(together.puts_off(cx));
        assert!(!together.puts_off(cx), "nothing was written in between");
        together.read(cx, true);
        assert!(takes(&mut together, RESPONSE), "it pipelined before");
        assert!(!together.read(cx, false), "hyper looks before it answers");
        assert!(together.read(cx, false), "nobody flushes");
        together.read(cx, true);
        assert!(
            !takes(&mut together, RESPONSE),
            "it did not pipeline any more"
        );
    }

    #[test]
    fn what_is_no_small_response_is_not_put_off() {
        let mut together = Together {
            pipelines: true,
            ..Together::default()
        };
        for text in [
            "",
            "HTTP/1.1",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "data",
        ] {
            assert!(!takes(&mut together, text), "{text}");
        }
        let large = format!("{RESPONSE}{}", "x".repeat(MOST));
        assert!(!takes(&mut together, &large));
        assert!(takes(&mut together, RESPONSE));
    }
}
