//! The places of connections: counted as soon as one is accepted, and given back when it has ended.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use super::{Core, Cut, Limits, Refusal, Shared, clock::ticks, shared::Handshakes};

impl Core {
    /// Takes a place for a connection whose address is not known yet.
    pub(crate) fn enter(self: &Arc<Self>, class: usize) -> Reservation {
        self.open.fetch_add(1, Relaxed);
        self.classes[class].enter();
        Reservation {
            core: Arc::clone(self),
            class,
            ip: None,
            was_leaving: false,
        }
    }

    /// Counts a refused connection until the guard is dropped.
    pub(crate) fn refusing(self: &Arc<Self>) -> Refusing {
        self.refusing.fetch_add(1, Relaxed);
        Refusing(Arc::clone(self))
    }
}

/// A counted place without a connection yet.
pub(crate) struct Reservation {
    core: Arc<Core>,
    class: usize,
    ip: Option<IpAddr>,
    /// Whether its class counts it among those that will leave.
    was_leaving: bool,
}

impl Reservation {
    /// Counts the client, too.
    pub(crate) fn name(&mut self, ip: Option<IpAddr>, limits: &Limits) -> Result<(), Refusal> {
        if let Some(ip) = ip
            && !self.core.is_exempt(self.class)
        {
            self.core.addresses.enter(ip, limits)?;
            self.ip = Some(ip);
        }
        Ok(())
    }

    /// Counts a refusal for the connection that it was for.
    pub(crate) fn refused(self, refusal: Refusal) {
        self.core.counters.refused(refusal);
    }

    /// Makes the connection known to everybody.
    pub(crate) fn take(self, descriptor: Option<i32>, handshakes: &Handshakes) -> Place {
        let core = &self.core;
        let shared = Arc::new(Shared::new(
            Arc::clone(core),
            self.class,
            self.ip,
            descriptor,
            handshakes.clone(),
        ));
        let now = core.clock.now();
        let first_check = now + ticks(core.limits.load().first_check());
        let index = core.table().insert(Arc::clone(&shared), now, first_check);
        core.counters.accepted.fetch_add(1, Relaxed);
        if core.is_draining() {
            // It slipped in between the drain's round and its own entry.
            shared.close(Cut::Drained);
        }
        Place {
            shared,
            index,
            reservation: self,
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.core.leave(self.class, self.ip, self.was_leaving);
    }
}

/// A connection's place in the table; its stream owns it.
pub(crate) struct Place {
    shared: Arc<Shared>,
    index: u32,
    reservation: Reservation,
}

impl Place {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.shared.is_closing() && self.shared.reason() == Cut::Reclaimed {
            self.shared.core.kept_promise();
        }
        // The entry's own handle is dropped after the lock, with `shared`.
        let mark = self.shared.core.table().remove(self.index);
        self.reservation.was_leaving = mark.is_some_and(|mark| mark.leaving);
    }
}

/// A refused connection that has not closed yet.
pub(crate) struct Refusing(Arc<Core>);

impl Drop for Refusing {
    fn drop(&mut self) {
        self.0.refusing.fetch_sub(1, Relaxed);
    }
}
