//! A pool's figures.

/// The figures of a pool at one moment. Lanes are read one after another, so that under traffic the
/// sums are off by what moved meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// By size class, the smallest first.
    pub classes: Vec<ClassStats>,
    /// Buffers out, of a class or larger.
    pub in_use: usize,
    /// Bytes in all blocks, idle and in use.
    pub allocated: usize,
    /// The most that `allocated` can be, in bytes.
    pub limit: usize,
    /// Acquisitions that wait.
    pub waiting: usize,
    /// Acquisitions that have had to wait since the pool was built.
    pub waits: u64,
    /// Idle buffers given up since the pool was built: by trimming, or to make room for another size.
    pub trims: u64,
    /// The bytes of those.
    pub trimmed: u64,
}

/// The figures of one size class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassStats {
    /// Bytes of a buffer.
    pub size: usize,
    /// Buffers kept for later.
    pub idle: usize,
    /// Buffers out.
    pub in_use: usize,
    /// Acquisitions served from idle buffers since the pool was built.
    pub hits: u64,
    /// Acquisitions that had to allocate since the pool was built.
    pub misses: u64,
}

impl Stats {
    /// Buffers kept for later.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.classes.iter().map(|class| class.idle).sum()
    }

    /// Bytes kept for later.
    #[must_use]
    pub fn idle_bytes(&self) -> usize {
        self.classes
            .iter()
            .map(|class| class.idle * class.size)
            .sum()
    }

    /// Acquisitions served from idle buffers.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.classes.iter().map(|class| class.hits).sum()
    }

    /// Acquisitions that had to allocate.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.classes.iter().map(|class| class.misses).sum()
    }
}
