use std::fs;

/// The part of its memory that the process, or its control group, has in use.
pub(crate) fn part() -> Option<f64> {
    control_group().or_else(resident)
}

/// Version 2 of control groups, as containers see it.
fn control_group() -> Option<f64> {
    let max = number(&fs::read_to_string("/sys/fs/cgroup/memory.max").ok()?)?;
    let current = number(&fs::read_to_string("/sys/fs/cgroup/memory.current").ok()?)?;
    let stat = fs::read_to_string("/sys/fs/cgroup/memory.stat").ok()?;
    // Files that were read and can be dropped are no pressure.
    let droppable = field(&stat, "inactive_file").unwrap_or(0.0);
    Some((current - droppable).max(0.0) / max)
}

fn resident() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let machine = fs::read_to_string("/proc/meminfo").ok()?;
    Some(field(&status, "VmRSS:")? / field(&machine, "MemTotal:")?)
}

/// "max" is no number, and no limit.
fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

fn field(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        if words.next()? == name {
            number(words.next()?)
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let text = "anon 12\ninactive_file 4096\n\nMemTotal:       16384 kB\n";
        assert_eq!(field(text, "inactive_file"), Some(4096.0));
        assert_eq!(field(text, "MemTotal:"), Some(16384.0));
        assert_eq!(field(text, "file"), None);
        assert_eq!(number("max\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_some() {
        let part = resident().unwrap();
        assert!(0.0 < part && part < 1.0, "{part}");
    }
}
