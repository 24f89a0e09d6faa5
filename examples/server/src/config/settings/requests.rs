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

pub(crate) const RECEIVE_BUDGET: Setting = Setting::fixed(
    "receive-budget",
    "BYTES|off",
    "256MiB",
    "Memory that the HTTP/2 uploads of all connections are promised;\neach one's windows follow what it can use. off is 1 MiB for each",
);

pub(crate) const BODY_BUDGET: Setting = Setting::fixed(
    "body-budget",
    "BYTES",
    "64MiB",
    "Memory for all bodies in flight together;\nwhat finds none in time is answered by 503",
);
