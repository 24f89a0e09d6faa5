//! The breaker reads the file that the driver writes.

use std::{fs, path::Path};

use serde_json::Value;
use tower_flowctl::breaker::Baselines;

#[test]
fn the_breaker_reads_every_baseline() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("baselines");
    let mut files = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display();
        let json: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let written = json["application"].as_object().unwrap();
        assert!(written.len() >= 5, "{name}: only {} routes", written.len());
        let read = Baselines::load(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.iter().count(), written.len(), "{name}");
        for (route, baseline) in read.iter() {
            let p95 = written[route]["p95_us"].as_f64().unwrap();
            assert!(
                (baseline.p95().as_secs_f64() * 1e6 - p95).abs() < 0.01,
                "{name}: {route}"
            );
            assert!(
                written[route]["samples"].as_u64().unwrap() >= 1_000,
                "{name}: {route}"
            );
        }
        files += 1;
    }
    assert!(files > 0, "there is no baseline");
}
