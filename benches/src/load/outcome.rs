//! What came of a load.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;

/// What a load saw. Times are nanoseconds.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Requests answered rightly.
    pub answered: u64,
    /// Requests turned away with the status that the ask allows for that.
    pub refused: u64,
    /// Bytes of bodies of all answers.
    pub bytes: u64,
    /// Connections opened anew because the server had closed one between requests.
    pub reconnects: u64,
    /// What went wrong, and how often.
    pub errors: BTreeMap<String, u64>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// From when a request was due to the end of its answer: what a client would wait.
    pub latency: Histogram<u64>,
    /// From when a request was sent to the end of its answer: what a closed loop sees.
    pub service: Histogram<u64>,
    /// `latency` by ask, in the plan's order.
    pub by_ask: Vec<Histogram<u64>>,
    /// CPU time of the plan's process during the load.
    pub cpu: Duration,
}

impl Outcome {
    pub(super) fn new(asks: usize) -> Result<Self, String> {
        // Up to ten minutes, three digits.
        let histogram = || Histogram::new_with_bounds(1, 600_000_000_000, 3);
        let histogram = || histogram().map_err(|e| e.to_string());
        Ok(Self {
            answered: 0,
            refused: 0,
            bytes: 0,
            reconnects: 0,
            errors: BTreeMap::new(),
            elapsed: Duration::ZERO,
            latency: histogram()?,
            service: histogram()?,
            by_ask: (0..asks).map(|_| histogram()).collect::<Result<_, _>>()?,
            cpu: Duration::ZERO,
        })
    }

    pub(super) fn right(&mut self, ask: usize, length: u64, waited: Duration, served: Duration) {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1);
        self.answered += 1;
        self.bytes += length;
        self.latency.saturating_record(nanos(waited));
        self.service.saturating_record(nanos(served));
        self.by_ask[ask].saturating_record(nanos(waited));
    }

    pub(super) fn wrong(&mut self, error: String) {
        *self.errors.entry(error).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: &Self) -> Result<(), String> {
        let text = |e: hdrhistogram::AdditionError| e.to_string();
        self.answered += other.answered;
        self.refused += other.refused;
        self.bytes += other.bytes;
        self.reconnects += other.reconnects;
        for (error, count) in &other.errors {
            *self.errors.entry(error.clone()).or_default() += count;
        }
        self.latency.add(&other.latency).map_err(text)?;
        self.service.add(&other.service).map_err(text)?;
        for (own, other) in self.by_ask.iter_mut().zip(&other.by_ask) {
            own.add(other).map_err(text)?;
        }
        Ok(())
    }

    /// Answers a second.
    pub fn rate(&self) -> f64 {
        self.answered as f64 / self.elapsed.as_secs_f64()
    }

    /// Microseconds of the process's CPU time for each answer.
    pub fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.answered as f64
    }

    /// The latency in microseconds at a quantile from 0 to 1.
    pub fn latency_micros(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e3
    }

    /// All errors together.
    pub fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }

    /// This, or an error when anything was answered wrongly or nothing was answered: a rate of wrong answers is none.
    pub fn checked(self) -> Result<Self, String> {
        let errors = self.error_count();
        if errors == 0 && self.answered > 0 {
            return Ok(self);
        }
        let first: Vec<_> = self.errors.keys().take(3).map(String::as_str).collect();
        Err(format!(
            "{errors} errors, {} answered rightly: {}",
            self.answered,
            first.join("; ")
        ))
    }

    /// What is kept of a load whose raw samples are too many: so many answers, and their latencies in milliseconds.
    pub fn summary(&self) -> serde_json::Value {
        let at = |quantile: f64| self.latency_micros(quantile) / 1e3;
        let kept = [
            ("p50", 0.5),
            ("p90", 0.9),
            ("p99", 0.99),
            ("p99.9", 0.999),
            ("max", 1.0),
        ];
        let mut summary = serde_json::json!({
            "answered": self.answered,
            "refused": self.refused,
            "errors": self.error_count(),
        });
        for (name, quantile) in kept {
            summary[format!("{name} ms")] = at(quantile).into();
        }
        summary
    }

    /// Points (quantile, microseconds) for [`Plot::percentiles`](crate::plot::Plot::percentiles).
    pub fn curve(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
        histogram
            .iter_quantiles(4)
            .map(|step| {
                let micros = step.value_iterated_to() as f64 / 1e3;
                (step.quantile_iterated_to(), micros)
            })
            .collect()
    }
}
