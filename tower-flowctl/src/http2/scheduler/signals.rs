//! What all parties say about a response, and what comes of it.

use super::{
    super::{
        frame::Dependency,
        priority::{DEFAULT_URGENCY, Priority, PriorityOverride},
        tree::Tree,
    },
    Dialect, Handle, MAX_EARLY, Place, Scheduler,
};

impl Scheduler {
    /// What a request's `priority` header says. PRIORITY_UPDATE stands over it (RFC 9218 §7).
    pub(crate) fn requested(&mut self, handle: Handle, field: PriorityOverride) {
        self.speak(Dialect::Fields { bridge: true });
        if let Some(stream) = self.stream(handle) {
            stream.client = stream.client.or(field);
            self.renew(handle.slot);
        }
    }

    /// What the client says in a PRIORITY_UPDATE frame, of a stream open or not.
    pub(crate) fn updated(&mut self, id: u32, field: PriorityOverride) {
        self.speak(Dialect::Fields { bridge: false });
        if let Some(slot) = self.index.get(id) {
            // All parameters are set anew (RFC 9218 §7).
            let default = PriorityOverride::from(Priority::default());
            self.streams[slot as usize].client = field.or(default);
            self.renew(slot);
        } else if id > self.newest {
            self.early.retain(|&(early, _)| early != id);
            if self.early.len() == MAX_EARLY {
                self.early.remove(0);
            }
            let default = PriorityOverride::from(Priority::default());
            self.early.push((id, field.or(default)));
        }
    }

    /// What a response's header says, which stands over the rules, and its type, which does not.
    pub(crate) fn responded(
        &mut self,
        handle: Handle,
        header: PriorityOverride,
        typed: PriorityOverride,
        application: PriorityOverride,
    ) {
        if let Some(stream) = self.stream(handle) {
            let server = header.or(stream.server).or(typed);
            self.decided(handle, server, application);
        }
    }

    /// What the server says by its rules, and what the application adds to what it said before.
    pub(crate) fn decided(
        &mut self,
        handle: Handle,
        server: PriorityOverride,
        application: PriorityOverride,
    ) {
        if let Some(stream) = self.stream(handle) {
            stream.server = server.or(stream.server);
            stream.application = application.or(stream.application);
            self.renew(handle.slot);
        }
    }

    /// A PRIORITY frame.
    pub(crate) fn depends(&mut self, id: u32, dependency: Dependency) {
        match self.dialect {
            Dialect::Fields { bridge } => {
                // Chromium re-prioritises by these frames, with weights that stand for its urgencies.
                let urgency = chromium_urgency(dependency.weight);
                if let (true, Some(urgency), Some(slot)) = (bridge, urgency, self.index.get(id)) {
                    let stream = &mut self.streams[slot as usize];
                    stream.client = PriorityOverride::new().urgency(urgency).or(stream.client);
                    self.renew(slot);
                }
                return;
            }
            Dialect::Silent => self.speak(Dialect::Tree),
            Dialect::Tree => {}
        }
        if self.index.get(id).is_some() {
            self.tree.depend(id, dependency);
        } else if id > self.newest {
            self.tree.announce(id, dependency);
        }
    }

    /// The client says it does not use RFC 7540 (RFC 9218 §2.1).
    pub(crate) fn without_tree(&mut self) {
        self.speak(Dialect::Fields { bridge: false });
    }

    /// The priority in force.
    pub(crate) fn priority(&self, handle: Handle) -> Option<Priority> {
        let stream = self.streams.get(handle.slot as usize)?;
        (stream.id == handle.id).then_some(stream.priority)
    }

    pub(super) fn take_early(&mut self, id: u32) -> PriorityOverride {
        match self.early.iter().position(|&(early, _)| early == id) {
            Some(at) => self.early.swap_remove(at).1,
            None => PriorityOverride::new(),
        }
    }

    /// Goes over to another dialect, if it is a better one.
    pub(super) fn speak(&mut self, dialect: Dialect) {
        let better = match (self.dialect, dialect) {
            (Dialect::Silent, _) | (Dialect::Tree, Dialect::Fields { .. }) => true,
            // A client that uses PRIORITY_UPDATE has no need of the bridge.
            (Dialect::Fields { bridge: true }, Dialect::Fields { bridge: false }) => {
                self.dialect = dialect;
                return;
            }
            _ => false,
        };
        if !better {
            return;
        }
        let waiting: Vec<u32> = (0..self.streams.len() as u32)
            .filter(|&slot| self.streams[slot as usize].id != 0)
            .collect();
        if dialect == Dialect::Tree {
            for &slot in &waiting {
                self.tree.open(self.streams[slot as usize].id, None);
            }
        }
        self.dialect = dialect;
        for slot in waiting {
            self.renew(slot);
        }
        if dialect != Dialect::Tree {
            self.tree = Tree::default();
        }
    }

    /// Works out a stream's priority, and moves it to where that belongs.
    pub(super) fn renew(&mut self, slot: u32) {
        let silent = match self.dialect {
            Dialect::Fields { .. } => Priority::default(),
            // Clients that do not know the fields expect their responses to share.
            Dialect::Silent | Dialect::Tree => Priority::new(DEFAULT_URGENCY, true),
        };
        let stream = &self.streams[slot as usize];
        let ours = stream.application.or(stream.server);
        let priority = ours.or(stream.client).or_priority(silent);
        let in_tree = self.dialect == Dialect::Tree && !ours.says_urgency();
        if (stream.priority, stream.in_tree) == (priority, in_tree) {
            return;
        }
        let waits = matches!(stream.place, Place::Row | Place::Ring | Place::Tree);
        if waits {
            self.leave(slot);
        }
        let clock = self.levels[usize::from(priority.urgency())].clock;
        let stream = &mut self.streams[slot as usize];
        stream.priority = priority;
        stream.in_tree = in_tree;
        stream.served = clock;
        if waits {
            self.wait(slot);
        }
    }
}

/// The urgency that Chromium means by a weight: it spaces its levels evenly from 256 down to 1.
fn chromium_urgency(weight: u16) -> Option<u8> {
    let weights = [256, 220, 183, 147, 110, 74, 37, 1];
    let urgency = weights.iter().position(|&known| known == weight)?;
    Some(urgency as u8)
}
