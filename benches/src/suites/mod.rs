//! The suites: one file each, with what it measures and for whom at its head.

mod admission;
mod axum;
mod browser;
mod flowctl;
mod generator;
mod hotswap;
mod layers;
mod locality;
mod pool;
mod router;
mod server;
mod zerocopy;

use crate::suite::Suite;

/// All suites, in the order of `all`.
pub const ALL: &[Suite] = &[
    router::SUITE,
    admission::SUITE,
    axum::SUITE,
    locality::SUITE,
    layers::SUITE,
    pool::SUITE,
    flowctl::SUITE,
    browser::SUITE,
    server::SUITE,
    generator::SUITE,
    hotswap::SUITE,
    zerocopy::SUITE,
];

/// The suite of that name.
pub fn named(name: &str) -> Result<&'static Suite, String> {
    ALL.iter()
        .find(|suite| suite.name == name)
        .ok_or_else(|| format!("no suite is called `{name}`"))
}
