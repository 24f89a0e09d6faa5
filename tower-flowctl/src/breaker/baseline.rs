use std::{collections::BTreeMap, time::Duration};

/// A route's latencies when all is well, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Baseline {
    /// The median.
    pub p50_us: f64,
    /// The 95th percentile, with which windows are compared.
    pub p95_us: f64,
    /// The 99th percentile.
    pub p99_us: f64,
    /// How many requests it is from.
    pub samples: u64,
}

impl Baseline {
    /// From known percentiles of `samples` requests.
    pub fn new(p50: Duration, p95: Duration, p99: Duration, samples: u64) -> Self {
        let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
        Self {
            p50_us: micros(p50),
            p95_us: micros(p95),
            p99_us: micros(p99),
            samples,
        }
    }

    /// The 95th percentile; `Duration::MAX`, which nothing exceeds, if that is no duration.
    pub fn p95(&self) -> Duration {
        Duration::try_from_secs_f64(self.p95_us / 1e6).unwrap_or(Duration::MAX)
    }

    /// Whether its percentiles can be those of requests.
    #[cfg(feature = "serde")]
    fn is_valid(&self) -> bool {
        const HOUR: f64 = 3_600e6;
        [self.p50_us, self.p95_us, self.p99_us]
            .iter()
            .all(|micros| (0.0..=HOUR).contains(micros))
    }
}

/// The baselines of an application's routes, by the names that the breaker has for them.
///
/// With the feature `serde` they are the section `application` of a JSON file, whose other sections are left alone. The
/// workspace's `benches/baselines/<version>.json` has that form:
///
/// ```json
/// {
///   "application": {
///     "/books/{id}": { "p50_us": 61.0, "p95_us": 88.0, "p99_us": 140.0, "samples": 20000 }
///   }
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(transparent)
)]
pub struct Baselines {
    routes: BTreeMap<String, Baseline>,
}

impl Baselines {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a route's.
    pub fn with(mut self, route: impl Into<String>, baseline: Baseline) -> Self {
        self.routes.insert(route.into(), baseline);
        self
    }

    /// A route's.
    pub fn get(&self, route: &str) -> Option<&Baseline> {
        self.routes.get(route)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Baseline)> {
        self.routes
            .iter()
            .map(|(route, baseline)| (route.as_str(), baseline))
    }
}

#[cfg(feature = "serde")]
mod file {
    use std::{fmt, fs, io, path::Path};

    use serde_json::{Map, Value};

    use super::Baselines;

    /// The section of the file.
    const SECTION: &str = "application";

    impl Baselines {
        /// Reads the section `application` of a JSON file; there are none if it has no such section.
        ///
        /// # Errors
        /// If the file cannot be read, or is not as described above, or has a percentile that is no duration of up to an hour.
        pub fn load(path: impl AsRef<Path>) -> Result<Self, BaselineError> {
            let text = fs::read_to_string(path)?;
            let mut file: Map<String, Value> = serde_json::from_str(&text)?;
            let Some(section) = file.remove(SECTION) else {
                return Ok(Self::new());
            };
            let baselines: Self = serde_json::from_value(section)?;
            if let Some((route, _)) = baselines.iter().find(|(_, known)| !known.is_valid()) {
                return Err(BaselineError::Percentile(route.to_owned()));
            }
            Ok(baselines)
        }

        /// Writes the section `application` of a JSON file, which need not exist; what else is in it stays. The file is
        /// replaced as a whole, so that no reader sees half of it.
        ///
        /// # Errors
        /// If the file cannot be read or written, or is no JSON object.
        pub fn save(&self, path: impl AsRef<Path>) -> Result<(), BaselineError> {
            let path = path.as_ref();
            let mut file: Map<String, Value> = match fs::read_to_string(path) {
                Ok(text) => serde_json::from_str(&text)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => Map::new(),
                Err(error) => return Err(error.into()),
            };
            file.insert(SECTION.to_owned(), serde_json::to_value(self)?);
            let text = serde_json::to_string_pretty(&file)? + "\n";
            let beside = path.with_extension("json.new");
            fs::write(&beside, text)?;
            Ok(fs::rename(&beside, path)?)
        }
    }

    /// Why baselines could not be read or written.
    #[derive(Debug)]
    #[non_exhaustive]
    pub enum BaselineError {
        /// The file.
        Io(io::Error),
        /// Its content.
        Format(serde_json::Error),
        /// A route whose percentiles are no durations.
        Percentile(String),
    }

    impl fmt::Display for BaselineError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Self::Io(_) => f.write_str("the file of baselines could not be read or written"),
                Self::Format(_) => f.write_str(
                    "the file of baselines must be a JSON object whose section `application` has percentiles by route",
                ),
                Self::Percentile(route) => write!(
                    f,
                    "the percentiles of `{route}` must be microseconds, from 0 to those of an hour"
                ),
            }
        }
    }

    impl std::error::Error for BaselineError {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            match self {
                Self::Io(error) => Some(error),
                Self::Format(error) => Some(error),
                Self::Percentile(_) => None,
            }
        }
    }

    impl From<io::Error> for BaselineError {
        fn from(error: io::Error) -> Self {
            Self::Io(error)
        }
    }

    impl From<serde_json::Error> for BaselineError {
        fn from(error: serde_json::Error) -> Self {
            Self::Format(error)
        }
    }
}

#[cfg(feature = "serde")]
pub use file::BaselineError;

/// A baseline that is learned while nothing is stored: a moving average of the 95th percentile over windows in which all was
/// well: within the factor to which a breaker must recover.
///
/// It rises by at most 5 % a window: otherwise a slow decline would become the normal state. The first windows only warm it
/// up.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    p95: Option<Duration>,
    windows: u32,
}

impl Learned {
    const WARM_UP: u32 = 4;
    const WEIGHT: f64 = 0.1;
    const MOST_RISE: f64 = 1.05;

    pub(crate) fn p95(&self) -> Option<Duration> {
        self.p95.filter(|_| self.windows >= Self::WARM_UP)
    }

    pub(crate) fn healthy(&mut self, p95: Duration) {
        self.windows = self.windows.saturating_add(1);
        self.p95 = Some(match self.p95 {
            None => p95,
            Some(known) => {
                let average = known.mul_f64(1.0 - Self::WEIGHT) + p95.mul_f64(Self::WEIGHT);
                average.min(known.mul_f64(Self::MOST_RISE))
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_learned_after_four_windows_and_rises_slowly() {
        let mut learned = Learned::default();
        let (ten, hundred) = (Duration::from_millis(10), Duration::from_millis(100));
        for _ in 0..3 {
            learned.healthy(ten);
            assert_eq!(learned.p95(), None);
        }
        learned.healthy(ten);
        assert_eq!(learned.p95(), Some(ten));
        learned.healthy(hundred);
        assert_eq!(learned.p95(), Some(Duration::from_micros(10_500)));
        learned.healthy(Duration::ZERO);
        assert!(learned.p95() < Some(ten));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn a_file_keeps_its_other_sections() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.1.0.json");
        let [p50, p95, p99] = [61, 88, 140].map(Duration::from_micros);
        let baselines = Baselines::new().with("/x", Baseline::new(p50, p95, p99, 9));
        assert_eq!(baselines.get("/x").unwrap().p95(), p95);
        baselines.save(&path).unwrap();
        assert_eq!(Baselines::load(&path).unwrap(), baselines);
        std::fs::write(&path, r#"{"version":"0.1.0"}"#).unwrap();
        assert_eq!(Baselines::load(&path).unwrap(), Baselines::new());
        baselines.save(&path).unwrap();
        assert_eq!(Baselines::load(&path).unwrap(), baselines);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(r#""version": "0.1.0""#), "{text}");
        std::fs::write(&path, r#"{"application":{"/x":7}}"#).unwrap();
        assert!(matches!(
            Baselines::load(&path),
            Err(BaselineError::Format(_))
        ));
        for micros in ["-1", "1e300", "3600000001"] {
            let route = format!(r#"{{"p50_us":1,"p95_us":{micros},"p99_us":1,"samples":1}}"#);
            std::fs::write(&path, format!(r#"{{"application":{{"/x":{route}}}}}"#)).unwrap();
            let error = Baselines::load(&path).unwrap_err();
            assert!(matches!(&error, BaselineError::Percentile(route) if route == "/x"));
        }
        assert!(matches!(
            Baselines::load(folder.path()),
            Err(BaselineError::Io(_))
        ));
    }
}
