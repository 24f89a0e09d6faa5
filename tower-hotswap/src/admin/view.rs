//! Snapshots and events as JSON.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::{Event, Handle, InService, Role, SnapshotInfo};

pub(super) fn snapshot(info: &SnapshotInfo) -> Value {
    json!({
        "id": info.id.to_string(),
        "version": info.version.to_string(),
        "number": info.version.number().to_string(),
        "sha256": info.version.hash().to_string(),
        "schema": info.schema,
        "created": rfc3339(info.created()),
        "origin": &*info.origin,
        "note": &*info.note,
        "has_content": info.content.is_some(),
    })
}

pub(super) fn list<T>(handle: &Handle<T>) -> (String, Value) {
    // Read again if it changed meanwhile, so that the tag belongs to what is shown.
    loop {
        let (revision, current) = handle.revision_and_current();
        let canary = handle.running_canary();
        let history = handle.history();
        if handle.revision() != revision {
            continue;
        }
        let value = json!({
            "current": current.id.to_string(),
            "canary": canary.map(|(canary, rule)| json!({ "id": canary.id.to_string(), "takes": rule })),
            "snapshots": history.iter().map(|each| snapshot(each)).collect::<Vec<_>>(),
        });
        return (super::entity_tag::of_list(revision, current.id), value);
    }
}

pub(super) fn generation(generation: &InService) -> Value {
    let role = match generation.role {
        Role::Primary => "primary",
        Role::Canary => "canary",
        Role::Retired => "retired",
    };
    json!({
        "id": generation.snapshot.id.to_string(),
        "version": generation.snapshot.version.to_string(),
        "role": role,
        "in_flight": generation.in_flight,
    })
}

pub(super) fn event(event: &Event) -> Value {
    match event {
        Event::Rejected { origin, error } => {
            json!({ "origin": &**origin, "error": error.to_string() })
        }
        _ => event.snapshot().map(snapshot).unwrap_or_default(),
    }
}

/// A time as RFC 3339 has it, in UTC and to the millisecond.
fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs(), since.subsec_millis());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days to a date, with years that begin in March: the leap day comes last (Hinnant, "chrono-compatible low-level
    // date algorithms").
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ];
        for (millis, text) in cases {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_millis(millis)), text);
        }
    }
}
