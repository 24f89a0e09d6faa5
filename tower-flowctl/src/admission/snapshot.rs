use std::sync::atomic::Ordering::Relaxed;

use super::{ConnectionState, Core, Cut, Refusal};
use crate::{
    descriptors::{LeakReport, Pressure},
    drain::{DrainSnapshot, Progress},
};

/// The state of an [`Admission`](super::Admission) at one time. Counts are since the start.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// Connections, those whose proxy's header is under way included.
    pub open: u32,
    /// How many connections are in which state.
    pub states: States,
    /// The classes, `default` first.
    pub classes: Vec<ClassSnapshot>,
    /// Connections that came in.
    pub accepted: u64,
    /// Connections that did not, by reason, in the order of [`Refusal::ALL`].
    pub refused: Vec<(Refusal, u64)>,
    /// Connections that were ended, by reason, in the order of [`Cut::ALL`].
    pub cut: Vec<(Cut, u64)>,
    /// How often a listener paused.
    pub pauses: u64,
    /// How often accept(2) found no descriptor.
    pub out_of_descriptors: u64,
    /// The descriptors.
    pub descriptors: DescriptorSnapshot,
    /// Whether the server drains, or has.
    pub draining: bool,
    /// That drain.
    pub drain: Option<DrainSnapshot>,
}

/// How many connections are in each [`ConnectionState`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct States {
    /// [`ConnectionState::Handshaking`].
    pub handshaking: u32,
    /// [`ConnectionState::Receiving`].
    pub receiving: u32,
    /// [`ConnectionState::Idle`].
    pub idle: u32,
    /// [`ConnectionState::Active`].
    pub active: u32,
    /// [`ConnectionState::Draining`].
    pub draining: u32,
}

/// A class of connections.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClassSnapshot {
    /// Its name.
    pub name: &'static str,
    /// Its connections.
    pub open: u32,
    /// Its limit.
    pub limit: Option<u32>,
    /// Its reserved descriptors.
    pub reserve: u32,
}

/// The descriptors of the process.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DescriptorSnapshot {
    /// Open ones.
    pub used: u32,
    /// The soft `RLIMIT_NOFILE`.
    pub limit: u32,
    /// Those that connections leave to the application.
    pub headroom: u32,
    /// Open ones that are no connection and not accounted for.
    pub unaccounted: usize,
    /// How short they are.
    pub pressure: Pressure,
    /// Reports of leaks.
    pub leak_reports: u64,
    /// The last one.
    pub last_leak: Option<LeakReport>,
}

impl Snapshot {
    pub(crate) fn of(core: &Core) -> Self {
        let mut states = States::default();
        let all: Vec<ConnectionState> = core.table().iter().map(|shared| shared.state()).collect();
        for state in all {
            *match state {
                ConnectionState::Handshaking => &mut states.handshaking,
                ConnectionState::Receiving => &mut states.receiving,
                ConnectionState::Idle => &mut states.idle,
                ConnectionState::Active => &mut states.active,
                ConnectionState::Draining => &mut states.draining,
            } += 1;
        }
        let classes = core.classes.iter().map(|state| ClassSnapshot {
            name: state.class.name(),
            open: state.open(),
            limit: state.class.max(),
            reserve: state.class.reserved(),
        });
        let open = core.open();
        let counters = &core.counters;
        Self {
            open,
            states,
            classes: classes.collect(),
            accepted: counters.accepted.load(Relaxed),
            refused: Refusal::ALL
                .into_iter()
                .zip(counters.all_refused())
                .collect(),
            cut: Cut::ALL.into_iter().zip(counters.all_cut()).collect(),
            pauses: counters.pauses.load(Relaxed),
            out_of_descriptors: counters.out_of_descriptors.load(Relaxed),
            descriptors: DescriptorSnapshot {
                used: core.descriptors.used(open),
                limit: core.descriptors.limit(),
                headroom: core.descriptors.headroom(),
                unaccounted: core.unaccounted(),
                pressure: core.descriptors.pressure(),
                leak_reports: core.descriptors.leak_reports(),
                last_leak: core.descriptors.last_leak(),
            },
            draining: core.is_draining(),
            drain: core.drain().as_ref().map(Progress::snapshot),
        }
    }

    /// How many connections were refused for this reason.
    pub fn refused(&self, refusal: Refusal) -> u64 {
        self.refused[refusal as usize].1
    }

    /// How many connections were ended for this reason.
    pub fn cut(&self, cut: Cut) -> u64 {
        self.cut[cut as usize].1
    }
}
