//! Medians, spreads and confidence intervals.

use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// An estimate and where it lies with a confidence of 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The estimate.
    pub middle: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// A value that is exact.
    pub const fn exact(value: f64) -> Self {
        Self {
            middle: value,
            low: value,
            high: value,
        }
    }

    /// Whether the two could be the same.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.low <= other.high && other.low <= self.high
    }
}

/// The quantile `q` (0 to 1) by linear interpolation; not a number when there are no values.
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = q * last as f64;
    let (below, above) = (sorted[at as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

/// The middle value.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// Half the range of the middle half, as a share of the median, in percent.
pub fn spread(values: &[f64]) -> f64 {
    50.0 * (quantile(values, 0.75) - quantile(values, 0.25)) / median(values).abs()
}

/// The median and its interval by the percentile bootstrap: 2,000 resamples, always the same ones.
pub fn median_interval(values: &[f64]) -> Interval {
    if values.is_empty() {
        return Interval::exact(f64::NAN);
    }
    let mut rng = Rng::new(0x5EED);
    let mut sample = vec![0.0; values.len()];
    let mut medians: Vec<f64> = (0..2_000)
        .map(|_| {
            for slot in &mut sample {
                *slot = *rng.pick(values);
            }
            median(&sample)
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    Interval {
        middle: median(values),
        low: quantile(&medians, 0.025),
        high: quantile(&medians, 0.975),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate() {
        let cases = [(0.0, 1.0), (0.5, 2.5), (1.0, 4.0), (0.25, 1.75)];
        for (q, want) in cases {
            let got = quantile(&[4.0, 1.0, 3.0, 2.0], q);
            assert!((got - want).abs() < 1e-9, "{q}: {got}");
        }
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn the_interval_narrows_with_agreement_and_holds_the_median() {
        let wide = median_interval(&[1.0, 5.0, 9.0, 13.0, 17.0]);
        let narrow = median_interval(&[8.9, 9.0, 9.0, 9.0, 9.1]);
        assert!(wide.low < narrow.low && narrow.high < wide.high);
        assert!(wide.low <= wide.middle && wide.middle <= wide.high);
        assert!(wide.overlaps(&narrow));
        assert!(!narrow.overlaps(&Interval::exact(9.2)));
    }
}
