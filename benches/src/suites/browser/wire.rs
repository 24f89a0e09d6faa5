//! The order on the wire.
//!
//! What is recorded is what the server gave to TLS, and when. It leaves in that order, but not at once: the kernel takes
//! megabytes and sends them at the link's rate. When a frame has left follows from that rate.

use std::{collections::HashMap, time::Duration};

use serde::Serialize;

use super::site::{self, Visit};
use crate::report::Table;

/// What became of a resource in a visit. Times are in milliseconds from the visit's begin.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Resource {
    pub(super) path: &'static str,
    /// The request's `priority` header.
    pub(super) priority: String,
    pub(super) asked: f64,
    pub(super) first: f64,
    pub(super) last: f64,
    #[serde(skip)]
    mark: u8,
}

/// Payload bytes a millisecond: 20 Mbit/s, less the 4 % that TLS, TCP and IP take.
const RATE: f64 = 2_400.0;

/// The marks and lengths of the frames, and when they have left, in milliseconds.
fn left(visit: &Visit) -> Vec<(u8, usize, f64)> {
    let mut now = 0.0;
    let frames = visit.written.iter().map(|written| {
        now = milliseconds(written.at).max(now) + written.bytes as f64 / RATE;
        (written.mark, written.bytes, now)
    });
    frames.collect()
}

impl Resource {
    /// RFC 9218 §4.1, as far as browsers go.
    fn urgency(&self) -> u8 {
        let urgency = self.priority.split(',').find_map(|member| {
            let value = member.trim().strip_prefix("u=")?;
            value.parse().ok()
        });
        urgency.unwrap_or(3)
    }
}

/// The page's resources in the order in which they were asked for.
pub(super) fn resources(visit: &Visit) -> Result<Vec<Resource>, String> {
    let left = left(visit);
    let mut all = Vec::new();
    for asked in &visit.asked {
        let Some(resource) = site::RESOURCES.iter().find(|r| r.path == asked.path) else {
            continue;
        };
        let of_it = || left.iter().filter(|(mark, ..)| *mark == resource.mark);
        let bytes: usize = of_it().map(|(_, bytes, _)| bytes).sum();
        if bytes != resource.size {
            return Err(format!("{}: {bytes} bytes were written", resource.path));
        }
        all.push(Resource {
            path: resource.path,
            priority: asked.priority.clone(),
            asked: milliseconds(asked.at),
            first: of_it().next().map_or(f64::NAN, |(.., at)| *at),
            last: of_it().next_back().map_or(f64::NAN, |(.., at)| *at),
            mark: resource.mark,
        });
    }
    Ok(all)
}

/// What a response needs to get from its handler to the wire, in milliseconds.
const GRACE: f64 = 5.0;

/// The share of bytes that left while something more urgent was waiting, in percent.
pub(super) fn out_of_order(visit: &Visit, resources: &[Resource]) -> f64 {
    let of: HashMap<u8, &Resource> = resources.iter().map(|r| (r.mark, r)).collect();
    let (mut all, mut early) = (0, 0);
    for (mark, bytes, now) in left(visit) {
        let Some(resource) = of.get(&mark) else {
            continue;
        };
        let waits = |other: &&Resource| {
            other.urgency() < resource.urgency() && other.asked + GRACE < now && now < other.last
        };
        all += bytes;
        if resources.iter().any(|other| waits(&other)) {
            early += bytes;
        }
    }
    100.0 * early as f64 / (all.max(1)) as f64
}

/// The resources of the last visit, in the order in which they were complete.
pub(super) fn table(server: &str, resources: &[Resource]) -> Table {
    let mut table = Table::new(
        format!("The order on the wire: {server}, the last visit"),
        &[
            "resource",
            "priority",
            "asked ms",
            "first byte ms",
            "last byte ms",
        ],
    );
    let mut sorted = resources.to_vec();
    sorted.sort_by(|a, b| a.last.total_cmp(&b.last));
    for resource in sorted {
        table.row(vec![
            resource.path.to_owned(),
            resource.priority.clone(),
            format!("{:.0}", resource.asked),
            format!("{:.0}", resource.first),
            format!("{:.0}", resource.last),
        ]);
    }
    table
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
