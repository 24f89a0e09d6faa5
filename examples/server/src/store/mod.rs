//! The shop in memory: tables behind one lock.
//!
//! [`Store::read`] and [`Store::write`] lend the shop to a closure, so the lock cannot be held across an
//! await; every closure is short (the longest copies one page of rows). A panic inside a closure would
//! poison the lock; rows are replaced whole, so the shop behind it is still consistent and is used on.

mod model;
mod seed;
mod table;

use std::sync::{PoisonError, RwLock};

pub(crate) use self::model::{Author, Book, Customer, Genre, Line, Order, Review, Status};
pub(crate) use self::table::{Full, Row, Table};

/// Every table of the shop.
#[derive(Debug, Default)]
pub(crate) struct Shop {
    pub(crate) authors: Table<Author>,
    pub(crate) books: Table<Book>,
    pub(crate) reviews: Table<Review>,
    pub(crate) customers: Table<Customer>,
    pub(crate) orders: Table<Order>,
}

/// The shop, shared by all requests.
#[derive(Debug, Default)]
pub(crate) struct Store {
    shop: RwLock<Shop>,
}

impl Store {
    /// A shop with a few rows in every table.
    pub(crate) fn with_demo_data() -> Self {
        Store {
            shop: RwLock::new(seed::shop()),
        }
    }

    pub(crate) fn read<R>(&self, look: impl FnOnce(&Shop) -> R) -> R {
        look(&self.shop.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn write<R>(&self, change: impl FnOnce(&mut Shop) -> R) -> R {
        change(&mut self.shop.write().unwrap_or_else(PoisonError::into_inner))
    }
}
