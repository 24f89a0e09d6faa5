//! How much idle memory is kept, and for how long.
//!
//! Nothing happens behind the pool's back: a [`Maintenance`] that the program runs looks at the pool
//! once a tick, asks a [`RetentionPolicy`] how many idle buffers of each class to keep, and gives the
//! pages of the others back to the kernel.
//!
//! What a policy knows is cheap to know. Each lane remembers the fewest buffers that lay idle since
//! the last tick; those were not needed, and all the others were at some moment. Demand is therefore
//! a peak, not a sample.
//!
//! ```
//! # use tower_pool::{Maintenance, Pool};
//! # use std::time::Duration;
//! let pool = Pool::new();
//! drop(pool.try_acquire(1 << 20)?);
//! let mut maintenance = Maintenance::new(pool.clone());
//! maintenance.tick(Duration::from_secs(5));
//! assert_eq!(pool.stats().idle_bytes(), 1 << 20, "it was needed a moment ago");
//! for _ in 0..60 {
//!     maintenance.tick(Duration::from_secs(5));
//! }
//! assert_eq!(pool.stats().idle_bytes(), 0);
//! # Ok::<(), tower_pool::AcquireError>(())
//! ```

mod gauge;
mod maintenance;
mod policy;

pub use gauge::{Pressure, PressureGauge};
pub use maintenance::{Decision, HeapTrim, Maintenance};
pub use policy::{ClassDemand, DecayingDemand, Demand, RetentionPolicy};
