use std::{fs, path::Path};

/// The part of its memory that the process, or its control group, has in use.
pub(crate) fn part() -> Option<f64> {
    control_group().or_else(resident)
}

/// Version 2 of control groups.
fn control_group() -> Option<f64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    fullest(Path::new("/sys/fs/cgroup"), path)
}

/// The part in use of the limit of which most is in use: of the group's own and of those of the groups above it. A container
/// sees its own group as the root.
fn fullest(root: &Path, path: &str) -> Option<f64> {
    let mut group = root.to_path_buf();
    let mut most = part_of_group(&group);
    for name in path.split('/').filter(|name| !name.is_empty()) {
        group.push(name);
        // A group without a limit says nothing.
        let parts = most.into_iter().chain(part_of_group(&group));
        most = parts.reduce(f64::max);
    }
    most
}

fn part_of_group(group: &Path) -> Option<f64> {
    let read = |file| fs::read_to_string(group.join(file)).ok();
    let max = number(&read("memory.max")?)?;
    let current = number(&read("memory.current")?)?;
    // Files that were read and can be dropped are no pressure.
    let droppable = field(&read("memory.stat")?, "inactive_file").unwrap_or(0.0);
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

    #[test]
    fn the_fullest_of_all_groups_above_counts() {
        let root = tempfile::tempdir().unwrap();
        let service = root.path().join("system.slice/app.service");
        fs::create_dir_all(&service).unwrap();
        let limit = |group: &Path, max: &str, current: &str| {
            fs::write(group.join("memory.max"), max).unwrap();
            fs::write(group.join("memory.current"), current).unwrap();
            fs::write(group.join("memory.stat"), "anon 1\ninactive_file 100\n").unwrap();
        };
        let part = || fullest(root.path(), "system.slice/app.service");
        assert_eq!(part(), None);
        limit(&service, "max\n", "900\n");
        assert_eq!(part(), None);
        limit(&service, "1000\n", "900\n");
        assert_eq!(part(), Some(0.8));
        limit(service.parent().unwrap(), "10000\n", "9600\n");
        assert_eq!(part(), Some(0.95));
        // As from within a container.
        limit(root.path(), "1000\n", "600\n");
        assert_eq!(fullest(root.path(), ""), Some(0.5));
        assert_eq!(fullest(root.path(), "../other"), Some(0.5));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_some() {
        let part = resident().unwrap();
        assert!(0.0 < part && part < 1.0, "{part}");
    }
}
