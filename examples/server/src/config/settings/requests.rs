//! What a request may take.

use super::Setting;

pub(crate) const REQUEST_TIMEOUT: Setting = Setting::live(
    "request-timeout",
    "DURATION",
    "10s",
    "From a request's head until its response's head; then 408",
);

pub(crate) const BODY_LIMIT: Setting = Setting::live(
    "body-limit",
    "BYTES",
    "256KiB",
    "The largest request body; more is answered by 413",
);

pub(crate) const BODY_BUDGET: Setting = Setting::fixed(
    "body-budget",
    "BYTES",
    "64MiB",
    "Memory for all bodies in flight together;\nwhat finds none in time is answered by 503",
);
