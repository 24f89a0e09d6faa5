//! What was counted since the start.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Cut, Refusal};

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) pauses: AtomicU64,
    pub(crate) out_of_descriptors: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
    cut: [AtomicU64; Cut::ALL.len()],
}

impl Counters {
    pub(crate) fn refused(&self, refusal: Refusal) {
        self.refused[refusal as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn cut(&self, cut: Cut) {
        self.cut[cut as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn paused(&self) {
        self.pauses.fetch_add(1, Relaxed);
    }

    pub(crate) fn out_of_descriptors(&self) {
        self.out_of_descriptors.fetch_add(1, Relaxed);
    }

    pub(crate) fn all_refused(&self) -> [u64; Refusal::ALL.len()] {
        std::array::from_fn(|index| self.refused[index].load(Relaxed))
    }

    pub(crate) fn all_cut(&self) -> [u64; Cut::ALL.len()] {
        std::array::from_fn(|index| self.cut[index].load(Relaxed))
    }
}
