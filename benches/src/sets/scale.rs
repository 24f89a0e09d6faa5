//! REST interfaces of any size: `/api/v1/{service}/{resource}/{id}/{sub}/{sub_id}/...`, the first two by name.
//!
//! A resource has ten routes, of which a fifth are static siblings of an id:
//! the list, one of them, a search, a batch, and three sub-resources with a
//! list and an item each. A service has twenty resources.

const PER_RESOURCE: usize = 10;
const PER_SERVICE: usize = 20;

const SERVICES: [&str; 25] = [
    "accounts",
    "analytics",
    "audit",
    "auth",
    "billing",
    "catalog",
    "checkout",
    "content",
    "delivery",
    "events",
    "identity",
    "inventory",
    "logistics",
    "media",
    "messaging",
    "notifications",
    "orders",
    "payments",
    "pricing",
    "profiles",
    "reporting",
    "search",
    "shipping",
    "support",
    "warehouse",
];

const REGIONS: [&str; 20] = [
    "core", "eu", "us", "asia", "internal", "partner", "mobile", "web", "admin", "batch", "public",
    "private", "edge", "legacy", "next", "beta", "staff", "store", "cloud", "data",
];

const RESOURCES: [&str; 20] = [
    "users",
    "invoices",
    "carts",
    "products",
    "shipments",
    "tickets",
    "documents",
    "sessions",
    "subscriptions",
    "customers",
    "devices",
    "refunds",
    "campaigns",
    "vouchers",
    "addresses",
    "contracts",
    "locations",
    "teams",
    "reviews",
    "webhooks",
];

const SUBS: [&str; 12] = [
    "items",
    "comments",
    "attachments",
    "events",
    "permissions",
    "labels",
    "history",
    "members",
    "settings",
    "versions",
    "notes",
    "lines",
];

/// The first `count` routes, at most 100,000.
pub(super) fn patterns(count: usize) -> Vec<String> {
    (0..count).map(pattern).collect()
}

fn pattern(index: usize) -> String {
    let resource = index / PER_RESOURCE;
    let service = resource / PER_SERVICE;
    let base = format!(
        "/api/v1/{}/{}",
        service_name(service),
        RESOURCES[resource % PER_SERVICE]
    );
    let id = format!(
        "{{{}_id}}",
        RESOURCES[resource % PER_SERVICE].trim_end_matches('s')
    );
    let sub = |which: usize| SUBS[(resource + which) % SUBS.len()];
    match index % PER_RESOURCE {
        0 => base,
        1 => format!("{base}/{id}"),
        2 => format!("{base}/search"),
        3 => format!("{base}/{id}/{}", sub(0)),
        4 => format!("{base}/{id}/{}/{{sub_id}}", sub(0)),
        5 => format!("{base}/batch"),
        6 => format!("{base}/{id}/{}", sub(1)),
        7 => format!("{base}/{id}/{}/{{sub_id}}", sub(1)),
        8 => format!("{base}/{id}/{}", sub(2)),
        _ => format!("{base}/{id}/{}/{{sub_id}}/status", sub(2)),
    }
}

fn service_name(service: usize) -> String {
    let name = SERVICES[service % SERVICES.len()];
    match service / SERVICES.len() {
        0 => name.to_owned(),
        round => format!("{name}-{}", REGIONS[round % REGIONS.len()]),
    }
}
