use std::fmt;

use super::Inventory;

/// Descriptors that nobody accounts for and that only grow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LeakReport {
    /// All descriptors that are neither connections of ours nor accounted for.
    pub unaccounted: usize,
    /// By how many they grew since the window in which they were first seen to grow.
    pub grown: usize,
    /// What grew, the most first.
    pub kinds: Vec<LeakKind>,
}

/// One kind of descriptors in a [`LeakReport`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LeakKind {
    /// `socket`, `pipe`, `file`, `memfd`, `device`, or the kernel's name of an anonymous one, such as `eventfd`.
    pub kind: String,
    /// How many there are.
    pub count: usize,
    /// By how many they grew since then.
    pub grown: usize,
    /// One of them, as `/proc/self/fd` names it.
    pub example: String,
}

impl fmt::Display for LeakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} descriptors are not accounted for, {} more since they were seen to grow:",
            self.unaccounted, self.grown
        )?;
        for kind in &self.kinds {
            write!(
                f,
                " {} of kind {} (+{}, as {})",
                kind.count, kind.kind, kind.grown, kind.example
            )?;
        }
        Ok(())
    }
}

/// Growth in two windows, with none in between that fell below the first's. In the first the descriptors are merely listed, in
/// the second compared, so that a report can say what grew and nothing is listed in a healthy process.
#[derive(Debug, Default)]
pub(crate) struct LeakDetector {
    before: Option<usize>,
    suspect: Option<(usize, Inventory)>,
}

/// What the detector wants after a window.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Suspicion {
    None,
    /// An inventory, to be given to [`LeakDetector::inspect`].
    Grown,
}

impl LeakDetector {
    /// A window has ended with so many unaccounted descriptors. One without growth says nothing: a slow leak has many.
    pub(crate) fn window(&mut self, unaccounted: usize) -> Suspicion {
        let before = self.before.replace(unaccounted);
        if before.is_some_and(|before| unaccounted > before) {
            return Suspicion::Grown;
        }
        if self
            .suspect
            .as_ref()
            .is_some_and(|(then, _)| unaccounted < *then)
        {
            self.suspect = None;
        }
        Suspicion::None
    }

    /// The inventory of a window that has grown: a report if one before had, too.
    pub(crate) fn inspect(&mut self, unaccounted: usize, now: Inventory) -> Option<LeakReport> {
        let (before, then) = self.suspect.replace((unaccounted, now.clone()))?;
        let mut kinds: Vec<LeakKind> = now
            .kinds
            .into_iter()
            .filter_map(|(kind, now)| {
                let before = then.kinds.get(&kind).map_or(0, |kind| kind.count);
                let grown = now.count.checked_sub(before).filter(|grown| *grown > 0)?;
                Some(LeakKind {
                    kind,
                    count: now.count,
                    grown,
                    example: now.example,
                })
            })
            .collect();
        kinds.sort_by_key(|kind| std::cmp::Reverse(kind.grown));
        Some(LeakReport {
            unaccounted,
            grown: unaccounted.saturating_sub(before),
            kinds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::inventory::Kind, *};

    fn inventory(kinds: &[(&str, usize)]) -> Inventory {
        Inventory {
            kinds: kinds
                .iter()
                .map(|(kind, count)| {
                    let example = format!("{kind}:[1]");
                    (
                        (*kind).to_owned(),
                        Kind {
                            count: *count,
                            example,
                        },
                    )
                })
                .collect(),
        }
    }

    #[test]
    fn two_windows_of_growth_are_a_leak() {
        let mut detector = LeakDetector::default();
        assert_eq!(detector.window(10), Suspicion::None);
        assert_eq!(detector.window(15), Suspicion::Grown);
        assert_eq!(
            detector.inspect(15, inventory(&[("pipe", 10), ("file", 5)])),
            None
        );
        assert_eq!(detector.window(21), Suspicion::Grown);
        let report = detector
            .inspect(21, inventory(&[("pipe", 16), ("file", 5)]))
            .unwrap();
        assert_eq!((report.unaccounted, report.grown), (21, 6));
        assert_eq!(report.kinds.len(), 1);
        assert_eq!(
            (report.kinds[0].kind.as_str(), report.kinds[0].count),
            ("pipe", 16)
        );
        assert!(
            report.to_string().contains("16 of kind pipe (+6"),
            "{report}"
        );
    }

    /// One in a hundred and fifty seconds, say, with windows of a minute.
    #[test]
    fn windows_without_growth_do_not_hide_a_slow_leak() {
        let mut detector = LeakDetector::default();
        detector.window(10);
        assert_eq!(detector.window(11), Suspicion::Grown);
        assert_eq!(detector.inspect(11, inventory(&[("pipe", 11)])), None);
        assert_eq!(detector.window(11), Suspicion::None);
        assert_eq!(detector.window(11), Suspicion::None);
        assert_eq!(detector.window(12), Suspicion::Grown);
        let report = detector.inspect(12, inventory(&[("pipe", 12)])).unwrap();
        assert_eq!((report.unaccounted, report.grown), (12, 1));
    }

    #[test]
    fn a_window_below_the_first_clears_the_suspicion() {
        let mut detector = LeakDetector::default();
        detector.window(10);
        assert_eq!(detector.window(15), Suspicion::Grown);
        assert_eq!(detector.inspect(15, inventory(&[("pipe", 15)])), None);
        assert_eq!(detector.window(14), Suspicion::None);
        assert_eq!(detector.window(16), Suspicion::Grown);
        assert_eq!(detector.inspect(16, inventory(&[("pipe", 16)])), None);
    }
}
