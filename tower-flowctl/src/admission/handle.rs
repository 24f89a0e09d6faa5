use std::{fmt, sync::Arc, time::Duration};

use super::{
    Accept, AdmissionListener, Class, Connection, Limits, LimitsError, Snapshot, class::ClassState,
    core::Core, maintenance,
};
use crate::{
    descriptors::{DescriptorGuard, ThresholdError},
    reclaim::{recheck, reclaim_in_turns},
};

/// The admission control of a process: the limits, the connections of all its listeners, and the descriptors.
///
/// A cheap handle. One process has one: descriptors and the total are the process's.
#[derive(Clone)]
pub struct Admission {
    core: Arc<Core>,
}

/// What an [`Admission`] is made of.
#[derive(Clone, Debug)]
pub struct AdmissionBuilder {
    limits: Limits,
    classes: Vec<Class>,
    descriptors: DescriptorGuard,
}

impl Admission {
    /// With all defaults.
    ///
    /// # Example
    /// ```
    /// use tower_flowctl::admission::Admission;
    ///
    /// let admission = Admission::builder().build()?;
    /// assert_eq!(admission.snapshot().open, 0);
    /// # Ok::<(), tower_flowctl::admission::ConfigError>(())
    /// ```
    pub fn builder() -> AdmissionBuilder {
        AdmissionBuilder {
            limits: Limits::default(),
            classes: vec![Class::new("default")],
            descriptors: DescriptorGuard::default(),
        }
    }

    /// Puts a listening socket under control, in the class `default`.
    pub fn listener<A: Accept>(&self, inner: A) -> AdmissionListener<A> {
        AdmissionListener::new(inner, self.clone(), 0)
    }

    /// Puts a listening socket under control, in the class of this name.
    ///
    /// # Errors
    /// If the builder was given no class of this name.
    pub fn class_listener<A: Accept>(
        &self,
        class: &str,
        inner: A,
    ) -> Result<AdmissionListener<A>, ConfigError> {
        let index = self
            .core
            .classes
            .iter()
            .position(|state| state.class.name() == class)
            .ok_or_else(|| ConfigError::UnknownClass(class.to_owned()))?;
        Ok(AdmissionListener::new(inner, self.clone(), index))
    }

    /// The limits in force.
    pub fn limits(&self) -> Arc<Limits> {
        self.core.limits.load_full()
    }

    /// Replaces the limits, at once and for all: for the next connection, and for the deadlines of those that are open.
    /// Connections over a lowered limit stay until they end.
    ///
    /// # Errors
    /// If a limit is zero; the limits in force then stay.
    pub fn set_limits(&self, limits: Limits) -> Result<(), LimitsError> {
        limits.check()?;
        self.core.limits.store(Arc::new(limits));
        recheck(&self.core, self.core.clock.now());
        Ok(())
    }

    /// The state of it all, for a status page. It looks at every connection: about a millisecond for 100,000.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.core)
    }

    /// Handles of all connections, in no order.
    pub fn connections(&self) -> Vec<Connection> {
        self.core.table().iter().cloned().map(Connection).collect()
    }

    /// Closes up to `count` connections that are idle and were silent for so long, longest idle first and in order, and says
    /// how many: when something else than descriptors runs short, such as memory.
    ///
    /// A few go in every millisecond, 2,000 to 4,000 a second and more under pressure: thousands that end at once would hold up
    /// the active ones.
    ///
    /// # Cancellation
    /// What was closed until then stays so.
    pub async fn reclaim(&self, count: usize, silent: Duration) -> usize {
        reclaim_in_turns(&self.core, count, silent).await
    }

    /// What keeps the deadlines and the descriptors' guard going, for a runtime of one's own that stays responsive, such as the
    /// management's. Without it the first `accept`, or drain, starts a thread for it. The future ends at once if somebody does it
    /// already, such as a `Management` or such a thread, and takes over from nobody; else it ends with the
    /// admission.
    ///
    /// # Cancellation
    /// When the future is dropped, as with its runtime, a thread is started that goes on, if somebody has accepted or drained before.
    pub fn maintain(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        maintenance::here(&self.core)
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Has somebody keep the deadlines going.
    pub(crate) fn ensure_maintained(&self) {
        maintenance::ensure(&self.core);
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("open", &self.core.open())
            .field("draining", &self.core.is_draining())
            .field("pressure", &self.core.descriptors.pressure())
            .finish_non_exhaustive()
    }
}

impl AdmissionBuilder {
    /// The limits to begin with.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Adds a class, or sets the one that is there already: `default`.
    pub fn class(mut self, class: Class) -> Self {
        match self
            .classes
            .iter_mut()
            .find(|known| known.name() == class.name())
        {
            Some(known) => *known = class,
            None => self.classes.push(class),
        }
        self
    }

    /// The guard of the descriptors.
    pub fn descriptors(mut self, guard: DescriptorGuard) -> Self {
        self.descriptors = guard;
        self
    }

    /// Builds it.
    ///
    /// # Errors
    /// If a limit is zero, or the guard's thresholds are not in order.
    pub fn build(self) -> Result<Admission, ConfigError> {
        self.limits.check()?;
        let descriptors = self.descriptors.build()?;
        let classes = self.classes.into_iter().map(ClassState::new).collect();
        Ok(Admission {
            core: Arc::new(Core::new(self.limits, classes, descriptors)),
        })
    }
}

/// A configuration that cannot be.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A limit is zero.
    Limits(LimitsError),
    /// The descriptors' thresholds are not in order.
    Thresholds(ThresholdError),
    /// No class has this name.
    UnknownClass(String),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limits(_) => f.write_str("the limits of admission are wrong"),
            Self::Thresholds(_) => f.write_str("the thresholds of the descriptor guard are wrong"),
            Self::UnknownClass(name) => write!(
                f,
                "there is no class `{name}`; it must be given to the builder with `AdmissionBuilder::class`"
            ),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Limits(error) => Some(error),
            Self::Thresholds(error) => Some(error),
            Self::UnknownClass(_) => None,
        }
    }
}

impl From<LimitsError> for ConfigError {
    fn from(error: LimitsError) -> Self {
        Self::Limits(error)
    }
}

impl From<ThresholdError> for ConfigError {
    fn from(error: ThresholdError) -> Self {
        Self::Thresholds(error)
    }
}
