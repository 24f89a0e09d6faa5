use std::collections::{BTreeMap, HashSet};

/// What the process's descriptors are, but for some that are known: counts by kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inventory {
    pub(crate) kinds: BTreeMap<String, Kind>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Kind {
    pub(crate) count: usize,
    /// One of them, as `/proc` names it: that of the highest descriptor, which is likely the youngest.
    pub(crate) example: String,
}

impl Inventory {
    /// Walks `/proc/self/fd`. It blocks, for about a microsecond a descriptor.
    pub(crate) fn take(known: &HashSet<i32>) -> Self {
        let mut inventory = Self::default();
        let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
            return inventory;
        };
        let mut links: Vec<(i32, String)> = entries
            .flatten()
            .filter_map(|entry| {
                let number = entry.file_name().to_str()?.parse().ok()?;
                if known.contains(&number) {
                    return None;
                }
                // The walk's own descriptor is gone by the time its link is read in most cases, and does not grow.
                let target = std::fs::read_link(entry.path()).ok()?;
                Some((number, target.to_string_lossy().into_owned()))
            })
            .collect();
        links.sort_unstable();
        for (_, target) in links {
            let kind = inventory.kinds.entry(kind_of(&target)).or_default();
            kind.count += 1;
            kind.example = target;
        }
        inventory
    }
}

/// The kind that a link in `/proc/self/fd` tells: `socket`, `pipe`, `eventpoll`, `memfd`, `device`, `file`.
fn kind_of(target: &str) -> String {
    if let Some(inside) = target.strip_prefix("anon_inode:") {
        return inside.trim_matches(['[', ']']).to_owned();
    }
    if target.starts_with("/memfd:") {
        return "memfd".to_owned();
    }
    if target.starts_with("/dev/") {
        return "device".to_owned();
    }
    if target.starts_with('/') {
        return "file".to_owned();
    }
    // "socket:[4711]", "pipe:[4711]".
    target.split(':').next().unwrap_or(target).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let cases = [
            ("socket:[4711]", "socket"),
            ("pipe:[4711]", "pipe"),
            ("anon_inode:[eventpoll]", "eventpoll"),
            ("anon_inode:inotify", "inotify"),
            ("/memfd:sealed (deleted)", "memfd"),
            ("/dev/null", "device"),
            ("/var/log/x.log", "file"),
        ];
        for (target, kind) in cases {
            assert_eq!(kind_of(target), kind, "{target}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn known_descriptors_are_left_out() {
        use std::os::fd::AsRawFd;
        let (reader, _writer) = std::io::pipe().unwrap();
        let name = std::fs::read_link(format!("/proc/self/fd/{}", reader.as_raw_fd())).unwrap();
        let all = Inventory::take(&HashSet::new());
        assert!(all.kinds["pipe"].count >= 2, "{name:?} in {all:?}");
        let known: HashSet<i32> = (0..i32::from(i16::MAX)).collect();
        assert!(Inventory::take(&known).kinds.is_empty());
    }
}
