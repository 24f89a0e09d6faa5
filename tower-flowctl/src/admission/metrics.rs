//! What the `metrics` facade is told, ten times a second, from the counters that are kept anyway. The handles are made
//! once; nothing of it is on a request's way.

use std::sync::{OnceLock, atomic::Ordering::Relaxed};

use metrics::{Counter, Gauge, counter, gauge};

use super::{Core, Cut, Refusal};
use crate::{descriptors::Pressure, drain::Progress};

pub(crate) struct Handles {
    open: Vec<Gauge>,
    accepted: Counter,
    pauses: Counter,
    out_of_descriptors: Counter,
    refused: Vec<Counter>,
    cut: Vec<Counter>,
    descriptors: Gauge,
    limit: Gauge,
    pressure: Gauge,
    leaks: Counter,
    draining: Gauge,
    drain_seconds: Gauge,
    drain_cut: Counter,
}

/// Made at the first publication, so that a recorder installed after the admission was built still gets them.
pub(crate) type Published = OnceLock<Handles>;

impl Handles {
    fn new(core: &Core) -> Self {
        let open = core
            .classes
            .iter()
            .map(|state| gauge!("flowctl_connections_open", "class" => state.class.name()));
        let refused = Refusal::ALL.iter().map(
            |refusal| counter!("flowctl_connections_refused_total", "reason" => refusal.name()),
        );
        let cut = Cut::ALL
            .iter()
            .map(|cut| counter!("flowctl_connections_cut_total", "reason" => cut.name()));
        Self {
            open: open.collect(),
            accepted: counter!("flowctl_connections_accepted_total"),
            pauses: counter!("flowctl_accept_pauses_total"),
            out_of_descriptors: counter!("flowctl_accept_out_of_descriptors_total"),
            refused: refused.collect(),
            cut: cut.collect(),
            descriptors: gauge!("flowctl_descriptors_open"),
            limit: gauge!("flowctl_descriptors_limit"),
            pressure: gauge!("flowctl_descriptors_pressure"),
            leaks: counter!("flowctl_descriptor_leaks_total"),
            draining: gauge!("flowctl_draining"),
            drain_seconds: gauge!("flowctl_drain_seconds"),
            drain_cut: counter!("flowctl_drain_cut_total"),
        }
    }
}

impl Core {
    pub(crate) fn publish(&self) {
        let handles = self.published.get_or_init(|| Handles::new(self));
        for (gauge, class) in handles.open.iter().zip(&self.classes) {
            gauge.set(class.open());
        }
        let counters = &self.counters;
        handles.accepted.absolute(counters.accepted.load(Relaxed));
        handles.pauses.absolute(counters.pauses.load(Relaxed));
        let out = counters.out_of_descriptors.load(Relaxed);
        handles.out_of_descriptors.absolute(out);
        for (counter, count) in handles.refused.iter().zip(counters.all_refused()) {
            counter.absolute(count);
        }
        for (counter, count) in handles.cut.iter().zip(counters.all_cut()) {
            counter.absolute(count);
        }
        handles.descriptors.set(self.descriptors.used(self.open()));
        handles.limit.set(self.descriptors.limit());
        handles.pressure.set(match self.descriptors.pressure() {
            Pressure::Normal => 0.0,
            Pressure::High => 1.0,
            Pressure::Critical => 2.0,
        });
        handles.leaks.absolute(self.descriptors.leak_reports());
        handles
            .draining
            .set(f64::from(u8::from(self.is_draining())));
        let drain = self.drain().as_ref().map(Progress::snapshot);
        if let Some(drain) = drain {
            handles.drain_seconds.set(drain.took.as_secs_f64());
            handles.drain_cut.absolute(drain.cut as u64);
        }
    }
}
