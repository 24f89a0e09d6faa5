//! Interleaved rounds of whole measurements: every subject once a round, each round beginning with another one.
//!
//! For work of microseconds in this process there is [`timing`](crate::timing); this is for what takes a second, such
//! as load on a server. Nothing is discarded: all samples of all rounds are kept and saved. Ratios are of samples of the same round, since
//! a shared machine drifts between rounds, and have a confidence interval.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    progress::Progress,
    stats::{self, Interval},
};

/// What one measurement gave, by metric: `Sample::new().with("cpu us", 9.5).with("requests/s", 1e5)`.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(transparent)]
pub struct Sample(BTreeMap<String, f64>);

impl Sample {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more metric.
    pub fn with(mut self, metric: impl Into<String>, value: f64) -> Self {
        self.0.insert(metric.into(), value);
        self
    }
}

/// All samples of one subject, in the order of the rounds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Series {
    /// Whose.
    pub name: String,
    /// The samples by metric.
    pub metrics: BTreeMap<String, Vec<f64>>,
}

impl Series {
    /// Keeps one more sample.
    pub fn keep(&mut self, metric: &str, value: f64) {
        self.metrics
            .entry(metric.to_owned())
            .or_default()
            .push(value);
    }

    /// The samples of a metric; empty when it was not measured.
    pub fn samples(&self, metric: &str) -> &[f64] {
        self.metrics.get(metric).map_or(&[], Vec::as_slice)
    }

    /// The median of a metric; not a number when it was not measured.
    pub fn median(&self, metric: &str) -> f64 {
        stats::median(self.samples(metric))
    }

    /// Half the range of the middle half of the samples, as a share of the median, in percent.
    pub fn spread(&self, metric: &str) -> f64 {
        stats::spread(self.samples(metric))
    }

    /// This subject's metric as a multiple of the reference's, round by round.
    pub fn ratio(&self, reference: &Self, metric: &str) -> Interval {
        ratio(self.samples(metric), reference.samples(metric))
    }

    /// One metric as a multiple of another one, round by round.
    pub fn ratio_within(&self, metric: &str, reference: &str) -> Interval {
        ratio(self.samples(metric), self.samples(reference))
    }
}

fn ratio(own: &[f64], reference: &[f64]) -> Interval {
    let pairs = own.iter().zip(reference);
    let ratios: Vec<f64> = pairs.map(|(own, other)| own / other).collect();
    stats::median_interval(&ratios)
}

/// Measures all subjects in turn, `rounds` times after one warm-up that is measured and thrown away by `measure`'s
/// caller only if it says so: the first call of each subject has `round == None` and its sample is not kept.
pub fn interleave<S>(
    title: &str,
    subjects: &mut [(String, S)],
    rounds: usize,
    mut measure: impl FnMut(&str, &mut S, Option<usize>) -> Result<Sample, String>,
) -> Result<Vec<Series>, String> {
    let progress = Progress::new(title, (rounds + 1) * subjects.len());
    for (name, subject) in subjects.iter_mut() {
        progress.step(name);
        measure(name, subject, None).map_err(|e| format!("{name}: {e}"))?;
    }
    let mut all: Vec<Series> = subjects
        .iter()
        .map(|(name, _)| Series {
            name: name.clone(),
            ..Series::default()
        })
        .collect();
    for round in 0..rounds {
        for turn in 0..subjects.len() {
            let index = (round + turn) % subjects.len();
            let (name, subject) = &mut subjects[index];
            progress.step(name);
            let sample = measure(name, subject, Some(round)).map_err(|e| format!("{name}: {e}"))?;
            for (metric, value) in sample.0 {
                all[index].keep(&metric, value);
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_begins_with_another_subject_and_keeps_all_samples() {
        let mut order = Vec::new();
        let mut subjects = [("a".to_owned(), 1.0), ("b".to_owned(), 2.0)];
        let all = interleave("t", &mut subjects, 3, |name, value, round| {
            order.push((name.to_owned(), round));
            Ok(Sample::new().with("x", *value * (round.unwrap_or(9) + 1) as f64))
        })
        .unwrap();
        let names: String = order.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, "ababbaab");
        assert_eq!(all[0].samples("x"), [1.0, 2.0, 3.0]);
        let ratio = all[1].ratio(&all[0], "x");
        assert!((ratio.middle - 2.0).abs() < 1e-9 && (ratio.low - 2.0).abs() < 1e-9);
        assert!(all[0].median("y").is_nan());
    }

    #[test]
    fn an_error_names_the_subject() {
        let mut subjects = [("a".to_owned(), ())];
        let error = interleave("t", &mut subjects, 1, |_, (), _| Err("broken".into()));
        assert_eq!(error.unwrap_err(), "a: broken");
    }
}
