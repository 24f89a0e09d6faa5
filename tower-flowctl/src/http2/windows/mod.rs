//! Receive windows that follow what a connection can use and what memory there is.
//!
//! hyper's windows are fixed when it starts. So it is given large ones, and clients are not told of them: they are told of
//! windows kept here, which are never larger than hyper's. hyper's WINDOW_UPDATE frames are taken in
//! ([`Windows::hyper_grows`]), and others are written when a handler has read ([`Windows::write`]). hyper's alone would
//! not do: they come when a third of its own window was read, which may be more than a client was told of.
//!
//! # How large
//! What arrives between a PING and its answer is what fits in a round trip. When that is two thirds of a stream's window or
//! more, the window may be what limits it, and the target is set to twice that for a stream, and four times for the
//! connection: so that one upload that nobody reads leaves others half of it. No clock is needed. The target is cut to what
//! the [`ReceiveBudget`] allows each time something is promised.
//!
//! # Always true
//! For the connection and each stream, `open <= accepts`: what the client may send hyper takes. What the budget was charged
//! is `open + held` of the connection beyond the first [`BASE`] bytes.
//!
//! Costs: O(1) for each DATA frame and each piece read; O(streams) when the target grows.

mod window;

pub(crate) use self::window::BASE;
use self::window::{Window, frame, window_update};
use super::{Reason, ReceiveBudget, frame::kind, ids::IdMap};

/// What our PING carries, and no other does.
pub(crate) const PROBE: [u8; 8] = *b"flowctl?";

/// Bytes that come before the first PING: small uploads need none.
const FIRST_PROBE: i64 = 16 << 10;

/// Who knows when the body of a request is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// The request has not reached the service.
    Unknown,
    /// Our wrapper around the body.
    Wrapper,
    /// Only hyper: it has the stream's window to itself.
    Hyper,
}

#[derive(Debug)]
struct Upload {
    window: Window,
    reader: Reader,
    /// Whether it is in the list of those to write about.
    due: bool,
}

/// The estimate of what fits in a round trip.
#[derive(Debug, Default)]
struct Probe {
    under_way: bool,
    /// Bytes since the PING, or since its answer.
    bytes: i64,
    /// Bytes to wait for before the next one.
    pause: i64,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Windows {
    budget: ReceiveBudget,
    charged: u64,
    /// The largest windows: a stream's, and the connection's.
    most: (i64, i64),
    /// What hyper says streams begin with, and whether the client has confirmed it, from when on hyper takes it.
    configured: i64,
    confirmed: bool,
    connection: Window,
    /// What the connection could use.
    wanted: i64,
    uploads: IdMap<Upload>,
    due: Vec<u32>,
    probe: Probe,
}

impl Windows {
    pub(crate) fn new(budget: ReceiveBudget, most_stream: u32, most_connection: u32) -> Self {
        Self {
            budget,
            charged: 0,
            most: (
                i64::from(most_stream).max(BASE),
                i64::from(most_connection).max(BASE),
            ),
            configured: BASE,
            confirmed: false,
            connection: Window::new(BASE),
            wanted: BASE,
            uploads: IdMap::default(),
            due: Vec::new(),
            probe: Probe {
                pause: FIRST_PROBE,
                ..Probe::default()
            },
        }
    }

    /// Requests whose bodies may still come or be read.
    #[cfg(test)]
    pub(crate) fn uploads(&self) -> usize {
        self.uploads.len()
    }

    /// hyper tells what streams begin with. Returns what the client is told.
    pub(crate) fn advertise(&mut self, configured: u32) -> u32 {
        self.configured = i64::from(configured);
        BASE as u32
    }

    /// The client has confirmed the server's settings.
    pub(crate) fn confirmed(&mut self) {
        if !self.confirmed {
            self.confirmed = true;
            for upload in self.uploads.values_mut() {
                upload.window.accepts += self.configured - BASE;
            }
            self.look_at_all();
        }
    }

    /// A request with a body has begun.
    pub(crate) fn opened(&mut self, stream: u32) {
        let accepts = if self.confirmed {
            self.configured
        } else {
            BASE
        };
        let upload = Upload {
            window: Window::new(accepts),
            reader: Reader::Unknown,
            due: false,
        };
        self.uploads.insert(stream, upload);
    }

    /// A DATA frame of `length` bytes, of which `padding` are nobody's. `Err` if the client had no leave to send it, of
    /// which hyper, with its larger windows, knows nothing.
    pub(crate) fn received(
        &mut self,
        stream: u32,
        length: u32,
        padding: u32,
    ) -> Result<(), Reason> {
        let (length, padding) = (i64::from(length), i64::from(padding));
        self.probe.bytes += length;
        let mut open = 0;
        let mut discarded = length;
        // What has no entry hyper throws away.
        if let Some(upload) = self.uploads.get_mut(&stream) {
            if upload.reader != Reader::Hyper {
                discarded = padding;
            }
            upload.window.received(length, discarded);
            open = upload.window.open;
        }
        self.connection.received(length, discarded);
        self.settle();
        if open < 0 || self.connection.open < 0 {
            return Err(Reason::WindowExceeded);
        }
        Ok(())
    }

    /// A request reached the service, which will tell when its body is read. Whether it has one.
    pub(crate) fn govern(&mut self, stream: u32) -> bool {
        match self.uploads.get_mut(&stream) {
            Some(upload) => {
                upload.reader = Reader::Wrapper;
                true
            }
            None => false,
        }
    }

    /// Nobody will tell when the body is read.
    pub(crate) fn leave_to_hyper(&mut self, stream: u32) {
        if let Some(upload) = self.uploads.get_mut(&stream) {
            upload.reader = Reader::Hyper;
            self.connection.held -= std::mem::take(&mut upload.window.held);
            self.settle();
            self.look_at(stream);
        }
    }

    /// A handler has read so many bytes.
    pub(crate) fn read(&mut self, stream: u32, bytes: usize) {
        if let Some(upload) = self.uploads.get_mut(&stream) {
            let bytes = (bytes as i64).min(upload.window.held);
            upload.window.held -= bytes;
            self.connection.held -= bytes;
            self.settle();
            self.look_at(stream);
        }
    }

    /// A handler reads no more, whether there is more or not.
    pub(crate) fn over(&mut self, stream: u32) {
        if let Some(upload) = self.uploads.remove(&stream) {
            self.connection.held -= upload.window.held;
            self.settle();
        }
    }

    /// The stream was reset, or its response is complete. A wrapper says itself when it is over.
    pub(crate) fn closed(&mut self, stream: u32, reset: bool) {
        let over = match self.uploads.get(&stream).map(|upload| upload.reader) {
            Some(Reader::Hyper) => true,
            Some(Reader::Unknown) => reset,
            Some(Reader::Wrapper) | None => false,
        };
        if over {
            self.over(stream);
        }
    }

    /// hyper would take more, on a stream or (0) on the connection.
    pub(crate) fn hyper_grows(&mut self, stream: u32, increment: u32) {
        if stream == 0 {
            self.connection.accepts += i64::from(increment);
        } else if let Some(upload) = self.uploads.get_mut(&stream) {
            upload.window.accepts += i64::from(increment);
            self.look_at(stream);
        }
    }

    /// The answer to our PING.
    pub(crate) fn answered(&mut self) {
        if !std::mem::take(&mut self.probe.under_way) {
            return;
        }
        let target = self.stream_target(self.wanted);
        let sample = std::mem::take(&mut self.probe.bytes);
        self.probe.pause = target;
        if 3 * sample >= 2 * target && self.wanted < self.most.1 {
            self.wanted = self.wanted.max(4 * sample).min(self.most.1);
            self.probe.pause = 0;
            self.look_at_all();
        }
    }

    /// Whether there is something to write.
    pub(crate) fn is_due(&self) -> bool {
        !self.due.is_empty() || self.connection_room() > 0 || self.wants_probe()
    }

    /// Writes what there is to say to the client.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>) {
        let room = self.connection_room();
        if room > 0 {
            self.promise(room, out);
        }
        let target = self.stream_target(self.allowed());
        for stream in std::mem::take(&mut self.due) {
            if let Some(upload) = self.uploads.get_mut(&stream) {
                upload.due = false;
                let room = stream_room(upload, target);
                if room > 0 {
                    upload.window.open += room;
                    window_update(stream, room, out);
                }
            }
        }
        if self.wants_probe() {
            self.probe = Probe {
                under_way: true,
                ..Probe::default()
            };
            frame(kind::PING, 0, &PROBE, out);
        }
    }

    /// Promises more of the connection, as far as the budget has it.
    fn promise(&mut self, room: i64, out: &mut Vec<u8>) {
        let beyond = (self.connection.open + room + self.connection.held - BASE).max(0) as u64;
        let wanted = beyond.saturating_sub(self.charged);
        let taken = self.budget.take(wanted);
        self.charged += taken;
        let room = room - (wanted - taken) as i64;
        if room > 0 {
            self.connection.open += room;
            window_update(0, room, out);
        }
    }

    /// Gives back what is not promised any more.
    fn settle(&mut self) {
        let beyond = (self.connection.open + self.connection.held - BASE).max(0) as u64;
        if beyond < self.charged {
            self.budget.give_back(self.charged - beyond);
            self.charged = beyond;
        }
    }

    /// What the connection may be promised and hold now: what it could use, within a quarter of what is left.
    fn allowed(&self) -> i64 {
        if self.wanted == BASE {
            return BASE;
        }
        let left = i64::try_from(self.budget.left() / 4).unwrap_or(i64::MAX);
        self.wanted.min(BASE.saturating_add(left))
    }

    fn connection_room(&self) -> i64 {
        if self.uploads.is_empty() {
            // What is not promised while nobody uploads need not be kept.
            return if self.connection.open < BASE / 2 {
                self.connection.room(BASE)
            } else {
                0
            };
        }
        let target = self.allowed();
        let room = self.connection.room(target);
        if 4 * room >= target { room } else { 0 }
    }

    fn stream_target(&self, connection: i64) -> i64 {
        (connection / 2).max(BASE).min(self.most.0)
    }

    fn wants_probe(&self) -> bool {
        !self.probe.under_way
            && self.probe.bytes > self.probe.pause
            && self.wanted < self.most.1
            && !self.uploads.is_empty()
    }

    fn look_at(&mut self, stream: u32) {
        let target = self.stream_target(self.allowed());
        if let Some(upload) = self.uploads.get_mut(&stream)
            && !upload.due
            && stream_room(upload, target) > 0
        {
            upload.due = true;
            self.due.push(stream);
        }
    }

    fn look_at_all(&mut self) {
        let target = self.stream_target(self.allowed());
        for (&stream, upload) in &mut self.uploads {
            if !upload.due && stream_room(upload, target) > 0 {
                upload.due = true;
                self.due.push(stream);
            }
        }
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        self.budget.give_back(self.charged);
    }
}

/// What may be promised on a stream, if it is worth a frame.
fn stream_room(upload: &Upload, target: i64) -> i64 {
    let Upload { window, reader, .. } = upload;
    if *reader == Reader::Hyper {
        return window.accepts - window.open;
    }
    let room = window.room(target);
    if 4 * room >= target { room } else { 0 }
}

#[cfg(test)]
mod tests;
