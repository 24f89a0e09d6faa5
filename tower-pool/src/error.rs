//! What can go wrong with a pool.

use std::{fmt, io, panic::Location, time::Duration};

/// Why no buffer or object could be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcquireError {
    /// The pool is closing or closed.
    Closed,
    /// Everything the limit permits is out, or others wait already.
    Exhausted,
    /// The time to wait ran out.
    Timeout,
    /// More bytes were asked for than can ever be had.
    TooLarge {
        /// Bytes asked for.
        requested: usize,
        /// The most that can be had in bytes: the pool's limit, or what a buffer holds that cannot grow beside itself.
        limit: usize,
    },
    /// The allocator has no memory.
    OutOfMemory,
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the pool is closed and hands out nothing any more"),
            Self::Exhausted => f.write_str("the pool's limit is reached and nothing is idle"),
            Self::Timeout => f.write_str("nothing came home to the pool within the time to wait"),
            Self::TooLarge { requested, limit } => write!(
                f,
                "{requested} bytes were asked of the pool, but at most {limit} can be had"
            ),
            Self::OutOfMemory => f.write_str("the allocator has no memory left"),
        }
    }
}

impl std::error::Error for AcquireError {}

impl From<AcquireError> for io::Error {
    fn from(error: AcquireError) -> Self {
        let kind = match error {
            AcquireError::Timeout => io::ErrorKind::TimedOut,
            AcquireError::Closed => io::ErrorKind::BrokenPipe,
            _ => io::ErrorKind::OutOfMemory,
        };
        io::Error::new(kind, error)
    }
}

/// Why a pool could not be built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// No size class was given.
    NoClasses,
    /// There are more size classes than a pool can tell apart.
    TooManyClasses {
        /// The classes given.
        given: usize,
        /// The most there can be.
        most: usize,
    },
    /// A size class is 0 or not larger than the one before.
    Unordered {
        /// The offending class in bytes.
        class: usize,
    },
    /// The limit is smaller than the largest size class.
    LimitTooSmall {
        /// The limit in bytes.
        limit: usize,
        /// The largest class in bytes.
        largest: usize,
    },
    /// Buffers of a size that is no class were to be made in advance.
    UnknownClass {
        /// The size in bytes.
        size: usize,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoClasses => f.write_str("a pool needs at least one size class"),
            Self::TooManyClasses { given, most } => {
                write!(
                    f,
                    "{given} size classes were given, but a pool has at most {most}"
                )
            }
            Self::Unordered { class } => write!(
                f,
                "size class {class} is out of order: classes must rise and be greater than 0"
            ),
            Self::LimitTooSmall { limit, largest } => write!(
                f,
                "the limit of {limit} bytes is below the largest size class of {largest} bytes"
            ),
            Self::UnknownClass { size } => {
                write!(
                    f,
                    "{size} bytes is no size class of this pool, so none can be made in advance"
                )
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// The deadline of a `close` passed with things still out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseError {
    /// How many are out.
    pub in_use: usize,
    /// Where each was acquired; empty unless leak tracking is on.
    pub leaks: Vec<Leak>,
}

impl fmt::Display for CloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} still out at the deadline", self.in_use)?;
        for leak in &self.leaks {
            write!(f, "; {leak}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CloseError {}

/// A thing that is out, as leak tracking knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leak {
    /// The line that acquired it.
    pub location: &'static Location<'static>,
    /// How long it has been out.
    pub age: Duration,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "acquired at {} {:?} ago", self.location, self.age)
    }
}
