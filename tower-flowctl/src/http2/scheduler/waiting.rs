//! Who waits, in its urgency and in the line of all.

use super::{super::priority::DEFAULT_URGENCY, GUARD, NONE, Place, Scheduler};

impl Scheduler {
    /// Puts a stream among those who wait.
    pub(super) fn wait(&mut self, slot: u32) {
        self.leave(slot);
        let stream = &mut self.streams[slot as usize];
        let urgency = usize::from(stream.priority.urgency());
        let level = &mut self.levels[urgency];
        if stream.in_tree {
            stream.place = Place::Tree;
            self.tree.set_ready(stream.id, true);
        } else if stream.priority.is_incremental() {
            stream.place = Place::Ring;
            stream.served = stream.served.max(level.clock);
            if level.ring.is_empty() {
                level.surplus = 0;
            }
            level.ring.push(&mut self.positions, stream.served, slot);
        } else {
            stream.place = Place::Row;
            if level.row.is_empty() {
                level.surplus = 0;
            }
            level
                .row
                .push(&mut self.positions, u64::from(stream.id), slot);
        }
        self.occupied |= 1 << urgency;
        let stream = &mut self.streams[slot as usize];
        stream.since = self.grants;
        stream.before = self.line.1;
        stream.behind = NONE;
        match self.line.1 {
            NONE => self.line.0 = slot,
            last => self.streams[last as usize].behind = slot,
        }
        self.line.1 = slot;
    }

    /// Takes a stream out from wherever it waits.
    pub(super) fn leave(&mut self, slot: u32) {
        let stream = &mut self.streams[slot as usize];
        let urgency = usize::from(stream.priority.urgency());
        let level = &mut self.levels[urgency];
        match std::mem::replace(&mut stream.place, Place::Out) {
            Place::Out => return,
            Place::Blocked => {
                self.blocked -= 1;
                return;
            }
            Place::Row => level.row.remove(&mut self.positions, slot),
            Place::Ring => level.ring.remove(&mut self.positions, slot),
            Place::Tree => self.tree.set_ready(stream.id, false),
        }
        let tree_waits = urgency == usize::from(DEFAULT_URGENCY) && self.tree.first().is_some();
        if level.row.is_empty() && level.ring.is_empty() && !tree_waits {
            self.occupied &= !(1 << urgency);
        }
        let (before, behind) = (stream.before, stream.behind);
        match before {
            NONE => self.line.0 = behind,
            before => self.streams[before as usize].behind = behind,
        }
        match behind {
            NONE => self.line.1 = before,
            behind => self.streams[behind as usize].before = before,
        }
    }

    pub(super) fn unblock(&mut self, slot: u32) {
        let stream = &self.streams[slot as usize];
        if stream.place == Place::Blocked && stream.window - stream.in_flight as i64 > 0 {
            self.wait(slot);
        }
    }

    /// Who has waited too long, if it is time to look.
    pub(super) fn is_guarded(&self) -> Option<u32> {
        if self.grants < self.guard_at || self.line.0 == NONE {
            return None;
        }
        let oldest = &self.streams[self.line.0 as usize];
        (self.grants - oldest.since >= GUARD).then_some(self.line.0)
    }
}
