//! How short of memory the process is, from control group v2 and pressure stall information.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// How short of memory the process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Pressure {
    /// Enough.
    #[default]
    None,
    /// Usage is over 90 % of `memory.high` or `memory.max`, or tasks stalled for memory during more
    /// than 5 % of the last ten seconds.
    High,
    /// Usage is over 97 % of `memory.max`, or tasks stalled during more than 25 % of the time.
    Critical,
}

/// Reads the pressure of the process's control group: a few small files, each read afresh.
///
/// Where there is no control group v2 (other systems, version 1) the pressure is always
/// [`Pressure::None`]. Sources: the kernel's `cgroup-v2.rst` ("memory.current", "memory.high",
/// "memory.max", "memory.pressure") and `psi.rst`.
#[derive(Debug, Clone, Default)]
pub struct PressureGauge {
    group: Option<PathBuf>,
}

impl PressureGauge {
    /// The gauge of this process's control group, if it is in one of version 2.
    #[must_use]
    pub fn detect() -> Self {
        let group = fs::read_to_string("/proc/self/cgroup")
            .ok()
            .and_then(|groups| {
                let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
                Some(Path::new("/sys/fs/cgroup").join(path))
            });
        // The root group has no memory.current.
        Self {
            group: group.filter(|group| group.join("memory.current").exists()),
        }
    }

    /// The gauge of the control group whose files are in `directory`.
    #[must_use]
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self {
            group: Some(directory.into()),
        }
    }

    /// A gauge that always reads [`Pressure::None`].
    #[must_use]
    pub fn off() -> Self {
        Self::default()
    }

    /// The pressure now. Files that are missing or say `max` set no bound.
    #[must_use]
    pub fn read(&self) -> Pressure {
        let Some(group) = &self.group else {
            return Pressure::None;
        };
        let file = |name: &str| fs::read_to_string(group.join(name)).ok();
        let number = |name: &str| file(name)?.trim().parse::<u64>().ok();
        let current = number("memory.current").unwrap_or(0);
        let over = |bound: Option<u64>, percent: u64| {
            bound.is_some_and(|bound| {
                u128::from(current) * 100 > u128::from(bound) * u128::from(percent)
            })
        };
        let (high, max) = (number("memory.high"), number("memory.max"));
        let stalled = file("memory.pressure")
            .as_deref()
            .and_then(stalled)
            .unwrap_or(0.0);
        if over(max, 97) || stalled > 25.0 {
            Pressure::Critical
        } else if over(high, 90) || over(max, 90) || stalled > 5.0 {
            Pressure::High
        } else {
            Pressure::None
        }
    }
}

/// The percentage of the last ten seconds in which some task stalled:
/// `some avg10=1.50 avg60=0.10 avg300=0.00 total=12345`.
fn stalled(pressure: &str) -> Option<f64> {
    let some = pressure
        .lines()
        .find_map(|line| line.strip_prefix("some "))?;
    some.split(' ')
        .find_map(|field| field.strip_prefix("avg10="))?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_control_group_are_understood() {
        let directory =
            std::env::temp_dir().join(format!("tower-pool-gauge-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let cases = [
            ("no bound", "900", "max", "max", "0.00", Pressure::None),
            ("below", "90", "100", "max", "0.00", Pressure::None),
            ("over high", "91", "100", "max", "0.00", Pressure::High),
            ("near max", "95", "max", "100", "0.00", Pressure::High),
            ("at max", "98", "max", "100", "0.00", Pressure::Critical),
            ("stalling", "1", "max", "100", "5.01", Pressure::High),
            (
                "stalling hard",
                "1",
                "max",
                "100",
                "30.00",
                Pressure::Critical,
            ),
            ("not a number", "x", "y", "z", "w", Pressure::None),
        ];
        for (case, current, high, max, average, wanted) in cases {
            let write = |name: &str, text: String| fs::write(directory.join(name), text).unwrap();
            write("memory.current", format!("{current}\n"));
            write("memory.high", format!("{high}\n"));
            write("memory.max", format!("{max}\n"));
            write(
                "memory.pressure",
                format!(
                    "some avg10={average} avg60=0.00 avg300=0.00 total=1\nfull avg10=90.00 avg60=0.00 avg300=0.00 total=1\n"
                ),
            );
            assert_eq!(PressureGauge::at(&directory).read(), wanted, "case {case}");
        }
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(PressureGauge::at(&directory).read(), Pressure::None);
        assert_eq!(PressureGauge::off().read(), Pressure::None);
    }
}
