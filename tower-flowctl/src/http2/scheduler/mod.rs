//! Which response goes next, for one connection.
//!
//! A response that has data asks for leave to send it ([`Scheduler::request`]) and gets some bytes granted, or waits. The
//! connection reports what has left ([`Scheduler::sent`]) and is told whom to wake ([`Scheduler::next`]). Nothing here
//! reads a clock, a socket or a waker.
//!
//! # The order
//! 1. By urgency, strictly.
//! 2. Within an urgency, responses that are not incremental go one after the other in the order of their streams
//!    (RFC 9218 §10); incremental ones share equally, by virtual time. Between the two groups bandwidth is halved.
//! 3. Streams of a client that speaks RFC 7540 share the default urgency by its dependency tree instead.
//!
//! # No starvation
//! Every [`GUARD`]th grant goes to the response that has waited longest, if it has seen that many pass. Of `n` waiting
//! responses each gets a grant at least once in `GUARD · (n + 1)` grants.
//!
//! # What is on its way
//! Granted bytes are in flight until the socket took them. While the smallest piece would exceed
//! [`limit`](Scheduler::set_pace) bytes, nothing is granted, so that a late urgent response has little before it. A stream
//! whose windows are exhausted is never granted anything, so that it cannot hold that room.
//!
//! Costs: O(log n) for a request or a change, O(1) for looking who is next (O(depth) in the tree); no allocation once
//! the streams' number was reached before.

mod flight;
mod index;
mod signals;
mod waiting;

use self::index::Index;
use super::{
    frame::{Dependency, SMALLEST_MAX_PAYLOAD},
    heap::{Heap, Positions},
    priority::{Priority, PriorityOverride},
    tree::Tree,
};

/// One grant in so many goes to whom has waited longest.
pub(crate) const GUARD: u64 = 16;

/// Streams known at a time. hyper allows 200 by default; those beyond are not scheduled.
pub(crate) const MAX_STREAMS: usize = 4096;

/// PRIORITY_UPDATE frames kept for streams that are not open yet.
const MAX_EARLY: usize = 128;

const NONE: u32 = u32::MAX;

/// Bytes on the clock of shares: a response of weight 256 ages by its bytes.
pub(crate) fn virtual_cost(bytes: usize, weight: u16) -> u64 {
    (bytes as u64 * 256) / u64::from(weight.max(1))
}

/// Whose word on priorities counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    /// Nobody has said anything: all responses share.
    Silent,
    /// RFC 7540: dependencies and weights.
    Tree,
    /// RFC 9218: fields and PRIORITY_UPDATE.
    Fields {
        /// Whether PRIORITY frames may be Chromium's way to say urgencies.
        bridge: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Not waiting.
    Out,
    /// Waiting for window.
    Blocked,
    /// In its urgency's row.
    Row,
    /// In its urgency's ring.
    Ring,
    /// In the dependency tree.
    Tree,
}

#[derive(Debug)]
struct Stream {
    id: u32,
    place: Place,
    client: PriorityOverride,
    /// What the response's header and the layer's rules say.
    server: PriorityOverride,
    /// What the application says, which stands over all.
    application: PriorityOverride,
    priority: Priority,
    in_tree: bool,
    /// Bytes the client takes, as of what the socket took.
    window: i64,
    in_flight: usize,
    /// On the clock of its urgency's ring.
    served: u64,
    /// The grants made when it began to wait, and its neighbours in the line of those who wait.
    since: u64,
    before: u32,
    behind: u32,
}

/// The responses of one urgency that wait.
#[derive(Debug, Default)]
struct Level {
    row: Heap,
    ring: Heap,
    /// What the member of the ring served last had been served.
    clock: u64,
    /// Bytes the row got beyond its half.
    surplus: i64,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Scheduler {
    streams: Vec<Stream>,
    free: Vec<u32>,
    index: Index,
    positions: Positions,
    levels: [Level; 8],
    /// A bit for each level that has anyone waiting.
    occupied: u8,
    /// Those who wait, longest first.
    line: (u32, u32),
    tree: Tree,
    dialect: Dialect,
    early: Vec<(u32, PriorityOverride)>,
    newest: u32,
    /// The stream opened last, and its slot.
    opened: (u32, u32),
    last_served: u32,
    window: i64,
    initial_window: i64,
    in_flight: usize,
    blocked: usize,
    limit: usize,
    quantum: usize,
    grants: u64,
    guard_at: u64,
}

impl Default for Scheduler {
    fn default() -> Self {
        Self {
            streams: Vec::new(),
            free: Vec::new(),
            index: Index::default(),
            positions: Positions::default(),
            levels: Default::default(),
            occupied: 0,
            line: (NONE, NONE),
            tree: Tree::default(),
            dialect: Dialect::Silent,
            early: Vec::new(),
            newest: 0,
            opened: (0, NONE),
            last_served: u32::MAX,
            window: 65_535,
            initial_window: 65_535,
            in_flight: 0,
            blocked: 0,
            limit: 16 << 10,
            quantum: 16 << 10,
            grants: 0,
            guard_at: GUARD,
        }
    }
}

/// A stream's place in the scheduler. It is the stream's as long as that is open; the number tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle {
    pub(crate) slot: u32,
    pub(crate) id: u32,
}

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// So many bytes may be sent now.
    Grant(usize),
    /// Ask again when woken.
    Wait,
    /// The stream is over; what is sent now does not matter.
    Gone,
}

impl Scheduler {
    /// A request has begun. `None` if there are too many, or the connection is ending: then it is not scheduled.
    pub(crate) fn open(&mut self, id: u32, dependency: Option<Dependency>) -> Option<Handle> {
        let is_known = self.index.get(id).is_some();
        if is_known || self.index.len() >= MAX_STREAMS || id > self.last_served {
            return None;
        }
        let slot = self.free.pop().unwrap_or(self.streams.len() as u32);
        self.index.insert(id, slot);
        self.opened = (id, slot);
        self.newest = self.newest.max(id);
        let stream = Stream {
            id,
            place: Place::Out,
            client: self.take_early(id),
            server: PriorityOverride::new(),
            application: PriorityOverride::new(),
            priority: Priority::default(),
            in_tree: false,
            window: self.initial_window,
            in_flight: 0,
            served: 0,
            since: 0,
            before: NONE,
            behind: NONE,
        };
        match self.streams.get_mut(slot as usize) {
            Some(place) => *place = stream,
            None => self.streams.push(stream),
        }
        self.positions.reserve(slot);
        if dependency.is_some() && self.dialect == Dialect::Silent {
            self.speak(Dialect::Tree);
        }
        if self.dialect == Dialect::Tree {
            self.tree.open(id, dependency);
        }
        self.renew(slot);
        Some(Handle { slot, id })
    }

    /// The stream is over, whatever it still has in flight.
    pub(crate) fn close(&mut self, id: u32) -> Option<Handle> {
        let slot = self.index.remove(id)?;
        self.leave(slot);
        self.in_flight -= self.streams[slot as usize].in_flight;
        self.streams[slot as usize].id = 0;
        if self.dialect == Dialect::Tree {
            self.tree.close(id);
        }
        self.free.push(slot);
        Some(Handle { slot, id })
    }

    /// The slot of a stream, if it was opened just now.
    pub(crate) fn opened(&self, id: u32) -> Option<u32> {
        let (opened, slot) = self.opened;
        (opened == id).then_some(slot)
    }

    pub(crate) fn open_streams(&self) -> usize {
        self.index.len()
    }

    /// No stream beyond this one is served any more.
    pub(crate) fn set_last_served(&mut self, id: u32) {
        self.last_served = self.last_served.min(id);
    }

    /// A response has `available` bytes and asks how many it may send.
    pub(crate) fn request(&mut self, handle: Handle, available: usize) -> Answer {
        let Handle { slot, .. } = handle;
        let Some(stream) = self.stream(handle) else {
            return Answer::Gone;
        };
        let room = stream.window - stream.in_flight as i64;
        let place = stream.place;
        if room <= 0 {
            self.leave(slot);
            self.streams[slot as usize].place = Place::Blocked;
            self.blocked += 1;
            return Answer::Wait;
        }
        let alone = self.occupied == 0;
        let connection = self.window - self.in_flight as i64;
        if alone && connection > 0 && self.has_room() {
            if place == Place::Blocked {
                self.leave(slot);
            }
        } else {
            if matches!(place, Place::Out | Place::Blocked) {
                self.wait(slot);
            }
            if self.next() != Some(slot) {
                return Answer::Wait;
            }
            if self.is_guarded() == Some(slot) {
                self.guard_at = self.grants + GUARD;
            }
            self.leave(slot);
        }
        // Alone it may take all there is room for.
        let most = if self.occupied == 0 {
            self.limit
        } else {
            self.share(slot)
        };
        let granted = available
            .min(most)
            .min(usize::try_from(room.min(connection)).unwrap_or(0));
        self.charge(slot, granted);
        Answer::Grant(granted)
    }

    /// The most that a response gets at once while others wait. If they are all of its kind it fills the room there is
    /// with whole frames, since whoever goes first, as much is on its way; small pieces would only cost more.
    fn share(&self, slot: u32) -> usize {
        let Stream {
            priority, in_tree, ..
        } = self.streams[slot as usize];
        let urgency = usize::from(priority.urgency());
        let Level { row, ring, .. } = &self.levels[urgency];
        let incremental = priority.is_incremental();
        let alike = self.occupied == 1 << urgency
            && (row.is_empty() || !in_tree && !incremental)
            && (ring.is_empty() || !in_tree && incremental)
            && (in_tree || self.tree.first().is_none());
        if !alike {
            return self.quantum;
        }
        let room = self.limit.saturating_sub(self.in_flight);
        self.quantum.max(room - room % SMALLEST_MAX_PAYLOAD)
    }

    /// A response does not ask any more: it has no data for now, or is gone.
    pub(crate) fn withdraw(&mut self, handle: Handle) {
        if self.stream(handle).is_some() {
            self.leave(handle.slot);
        }
    }

    /// Who should ask now.
    pub(crate) fn next(&self) -> Option<u32> {
        if !self.has_room() || self.window - self.in_flight as i64 <= 0 {
            return None;
        }
        if let Some(slot) = self.is_guarded() {
            return Some(slot);
        }
        if self.occupied == 0 {
            return None;
        }
        let urgency = self.occupied.trailing_zeros() as usize;
        let level = &self.levels[urgency];
        match (level.row.first(), level.ring.first()) {
            (Some(row), Some(ring)) => Some(if level.surplus <= 0 { row } else { ring }),
            (Some(slot), None) | (None, Some(slot)) => Some(slot),
            (None, None) => self.tree.first().and_then(|id| self.index.get(id)),
        }
    }

    fn stream(&mut self, handle: Handle) -> Option<&mut Stream> {
        self.streams
            .get_mut(handle.slot as usize)
            .filter(|stream| stream.id == handle.id)
    }

    fn charge(&mut self, slot: u32, bytes: usize) {
        self.grants += 1;
        self.in_flight += bytes;
        let stream = &mut self.streams[slot as usize];
        stream.in_flight += bytes;
        if stream.in_tree {
            let id = stream.id;
            self.tree.charge(id, bytes);
            return;
        }
        let level = &mut self.levels[usize::from(stream.priority.urgency())];
        if stream.priority.is_incremental() {
            level.clock = level.clock.max(stream.served);
            stream.served = level.clock + virtual_cost(bytes, 256);
            level.surplus -= bytes as i64;
        } else {
            level.surplus += bytes as i64;
        }
    }
}

#[cfg(test)]
mod tests;
