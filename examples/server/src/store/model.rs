//! What a bookshop keeps. Each struct is what a client writes; id and revision are the table's.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Author {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) born: Option<i32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Book {
    pub(crate) title: String,
    pub(crate) author_id: u64,
    /// 13 digits without hyphens.
    pub(crate) isbn: String,
    pub(crate) published: i32,
    pub(crate) genre: Genre,
    pub(crate) price_cents: u32,
    /// Copies on the shelf.
    #[serde(default)]
    pub(crate) stock: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Genre {
    Classic,
    Computing,
    Mystery,
    Science,
}

impl Genre {
    pub(crate) const ALL: [Genre; 4] = [
        Genre::Classic,
        Genre::Computing,
        Genre::Mystery,
        Genre::Science,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Genre::Classic => "classic",
            Genre::Computing => "computing",
            Genre::Mystery => "mystery",
            Genre::Science => "science",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Genre> {
        Genre::ALL.into_iter().find(|genre| genre.name() == name)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Review {
    pub(crate) book_id: u64,
    pub(crate) reviewer: String,
    /// 1 to 5.
    pub(crate) rating: u8,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Customer {
    pub(crate) name: String,
    pub(crate) email: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) customer_id: u64,
    pub(crate) status: Status,
    pub(crate) lines: Vec<Line>,
    /// At the prices of the day the order was placed.
    pub(crate) total_cents: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) book_id: u64,
    pub(crate) title: String,
    pub(crate) quantity: u32,
    pub(crate) price_cents: u32,
}

/// An order is placed, then paid, then shipped; it can be cancelled until it is shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Placed,
    Paid,
    Shipped,
    Cancelled,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Placed => "placed",
            Status::Paid => "paid",
            Status::Shipped => "shipped",
            Status::Cancelled => "cancelled",
        })
    }
}
