//! What is served.

use super::Setting;

pub(crate) const DATA: Setting = Setting::fixed(
    "data",
    "FOLDER|memory",
    "memory",
    "Where the shop and the uploads are kept;\nin memory they end with the process",
);

pub(crate) const DEMO_DATA: Setting = Setting::fixed(
    "demo-data",
    "on|off",
    "on",
    "Fill an empty shop with a few authors, books,\nreviews and customers",
);

pub(crate) const SITE: Setting = Setting::live(
    "site",
    "FOLDER|built-in",
    "built-in",
    "The folder served under /site/, such as target/doc",
);

pub(crate) const UPLOAD_LIMIT: Setting = Setting::live(
    "upload-limit",
    "BYTES",
    "1GiB",
    "The largest upload; more is answered by 413",
);

pub(crate) const UPLOAD_QUOTA: Setting = Setting::live(
    "upload-quota",
    "BYTES",
    "4GiB",
    "The most that all uploads take; more is answered by 507.\nWhat is announced counts for a minute, then only what has arrived",
);

pub(crate) const UPLOAD_KEEP: Setting = Setting::live(
    "upload-keep",
    "DURATION|unlimited",
    "7days",
    "For how long an upload is kept once it is whole; what is older\nmakes room when another is begun",
);

pub(crate) const PROXY_UPSTREAM: Setting = Setting::live(
    "proxy-upstream",
    "ADDRESS:PORT|self|off",
    "self",
    "What answers under /proxy/",
);
