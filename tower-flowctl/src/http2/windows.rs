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

use super::{
    Reason, ReceiveBudget,
    frame::{HEAD, Head, kind},
    ids::IdMap,
};

/// What a window begins with (RFC 9113 §6.9.2).
pub(crate) const BASE: i64 = 65_535;

/// What our PING carries, and no other does.
pub(crate) const PROBE: [u8; 8] = *b"flowctl?";

/// Bytes that come before the first PING: small uploads need none.
const FIRST_PROBE: i64 = 16 << 10;

/// A window, as its three parties know it.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// Bytes that hyper would take.
    accepts: i64,
    /// Bytes that the client may send.
    open: i64,
    /// Bytes that came and were not read.
    held: i64,
}

impl Window {
    fn new(accepts: i64) -> Self {
        Self {
            accepts,
            open: BASE,
            held: 0,
        }
    }

    fn received(&mut self, length: i64, padding: i64) {
        self.accepts -= length;
        self.open -= length;
        self.held += length - padding;
    }

    /// What may be promised on top, so that no more than `target` is promised and held.
    fn room(&self, target: i64) -> i64 {
        (target - self.held).min(self.accepts) - self.open
    }
}

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

fn window_update(stream: u32, increment: i64, out: &mut Vec<u8>) {
    // No window is larger than 2^31 - 1, so no increment is.
    let increment = increment.min(i64::from(i32::MAX)) as u32;
    frame(kind::WINDOW_UPDATE, stream, &increment.to_be_bytes(), out);
}

fn frame(kind: u8, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    let head = Head {
        length: payload.len(),
        kind,
        flags: 0,
        stream,
    };
    debug_assert_eq!(head.bytes().len(), HEAD);
    out.extend_from_slice(&head.bytes());
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A window as h2 keeps it (`FlowControl` in `proto/streams/flow_control.rs`): what the peer may still send, and
    /// what it could be told it may send.
    #[derive(Clone, Copy, Debug)]
    struct Hyper {
        window: i64,
        available: i64,
    }

    impl Hyper {
        fn new(size: i64) -> Self {
            Self {
                window: size,
                available: size,
            }
        }

        fn received(&mut self, bytes: i64) {
            self.window -= bytes;
            self.available -= bytes;
            assert!(self.window >= 0, "h2 would close the connection");
        }

        /// What was read, and the increment it is announced by, if it is.
        fn released(&mut self, bytes: i64) -> Option<u32> {
            self.available += bytes;
            let unclaimed = self.available - self.window;
            (unclaimed > 0 && unclaimed >= self.window / 2).then(|| {
                self.window = self.available;
                unclaimed as u32
            })
        }
    }

    /// A connection: a client, ours, and hyper.
    struct Model {
        ours: Windows,
        hyper: Hyper,
        streams: BTreeMap<u32, (Hyper, i64)>,
        client: BTreeMap<u32, i64>,
        next: u32,
        ping: bool,
    }

    const STREAM: u32 = 1 << 20;
    const CONNECTION: u32 = 4 << 20;

    impl Model {
        fn new(budget: &ReceiveBudget) -> Self {
            let mut ours = Windows::new(budget.clone(), STREAM, CONNECTION);
            assert_eq!(ours.advertise(2 * STREAM), BASE as u32);
            ours.hyper_grows(0, 2 * CONNECTION - BASE as u32);
            ours.confirmed();
            Self {
                ours,
                hyper: Hyper::new(2 * i64::from(CONNECTION)),
                streams: BTreeMap::new(),
                client: BTreeMap::from([(0, BASE)]),
                next: 1,
                ping: false,
            }
        }

        fn pick(&self, which: u8) -> Option<u32> {
            let streams: Vec<u32> = self.streams.keys().copied().collect();
            streams
                .get(usize::from(which) % streams.len().max(1))
                .copied()
        }

        fn step(&mut self, what: u8, which: u8, amount: u32) {
            let stream = self.pick(which);
            match (what, stream) {
                (0, _) if self.streams.len() < 8 => {
                    let size = 2 * i64::from(STREAM);
                    self.ours.opened(self.next);
                    if !amount.is_multiple_of(4) {
                        assert!(self.ours.govern(self.next));
                    } else {
                        self.ours.leave_to_hyper(self.next);
                    }
                    self.streams.insert(self.next, (Hyper::new(size), 0));
                    self.client.insert(self.next, BASE);
                    self.next += 2;
                }
                (1..=4, Some(stream)) => {
                    let open = self.client[&0].min(self.client[&stream]);
                    let length = open.min(i64::from(amount).min(16_384));
                    if length <= 0 {
                        return;
                    }
                    let padding = length.min(i64::from(amount % 7));
                    for window in [0, stream] {
                        *self.client.get_mut(&window).unwrap() -= length;
                    }
                    let told = self.ours.received(stream, length as u32, padding as u32);
                    assert_eq!(told, Ok(()));
                    self.hyper.received(length);
                    let (hyper, held) = self.streams.get_mut(&stream).unwrap();
                    hyper.received(length);
                    *held += length - padding;
                    self.release(stream, padding);
                }
                (5..=8, Some(stream)) => self.read(stream, i64::from(amount)),
                (9, Some(stream)) => {
                    let (_, held) = self.streams.remove(&stream).unwrap();
                    self.client.remove(&stream);
                    self.ours.over(stream);
                    if let Some(increment) = self.hyper.released(held) {
                        self.ours.hyper_grows(0, increment);
                    }
                }
                (10, _) if self.ping => {
                    self.ping = false;
                    self.ours.answered();
                }
                _ => {}
            }
            self.write();
        }

        fn read(&mut self, stream: u32, most: i64) {
            let (_, held) = self.streams.get_mut(&stream).unwrap();
            let bytes = most.min(*held);
            *held -= bytes;
            self.ours.read(stream, bytes as usize);
            self.release(stream, bytes);
        }

        fn release(&mut self, stream: u32, bytes: i64) {
            let (hyper, _) = self.streams.get_mut(&stream).unwrap();
            if let Some(increment) = hyper.released(bytes) {
                self.ours.hyper_grows(stream, increment);
            }
            if let Some(increment) = self.hyper.released(bytes) {
                self.ours.hyper_grows(0, increment);
            }
        }

        fn write(&mut self) {
            let mut out = Vec::new();
            if self.ours.is_due() {
                self.ours.write(&mut out);
            }
            let mut rest = &out[..];
            while let Some(head) = Head::parse(rest) {
                let payload = &rest[HEAD..HEAD + head.length];
                match (head.kind, payload.first_chunk::<4>()) {
                    (kind::WINDOW_UPDATE, Some(increment)) => {
                        let increment = i64::from(u32::from_be_bytes(*increment));
                        assert!(increment > 0);
                        *self.client.get_mut(&head.stream).unwrap() += increment;
                    }
                    (kind::PING, _) => self.ping = true,
                    other => panic!("{other:?}"),
                }
                rest = &rest[HEAD + head.length..];
            }
            let Window { open, held, .. } = self.ours.connection;
            assert_eq!(open, self.client[&0]);
            assert_eq!(self.ours.charged as i64, (open + held - BASE).max(0));
        }
    }

    proptest! {
        #[test]
        fn no_more_is_promised_than_there_is_and_nobody_is_forgotten(
            budget in 0u64..8 << 20,
            steps in prop::collection::vec((0usize..3, 0u8..11, any::<u8>(), 0u32..40_000), 0..2_000),
        ) {
            let budget = ReceiveBudget::new(budget);
            let mut connections: Vec<Model> = (0..3).map(|_| Model::new(&budget)).collect();
            for (connection, what, which, amount) in steps {
                connections[connection].step(what, which, amount);
                let charged: u64 = connections.iter().map(|model| model.ours.charged).sum();
                prop_assert_eq!(budget.promised(), charged);
                prop_assert!(charged <= budget.total());
            }
            // Once all is read, every client may go on.
            for model in &mut connections {
                let streams: Vec<u32> = model.streams.keys().copied().collect();
                for &stream in &streams {
                    model.read(stream, i64::MAX);
                }
                model.write();
                for stream in streams {
                    prop_assert!(model.client[&stream] > 0, "stream {} stands still", stream);
                    prop_assert!(model.client[&0] > 0, "the connection stands still");
                }
            }
            drop(connections);
            prop_assert_eq!(budget.promised(), 0);
        }
    }
}
