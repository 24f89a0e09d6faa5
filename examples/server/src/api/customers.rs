//! `/api/v1/customers`

use axum::extract::State;
use axum::response::Response;

use super::crud::find;
use super::extract::{Path, Query};
use super::resource::{Resource, check_text, contains};
use crate::app::App;
use crate::problem::{Fault, Problem};
use crate::store::{Customer, Shop, Table};

impl Resource for Customer {
    const SINGULAR: &'static str = "customer";
    const PLURAL: &'static str = "customers";
    const FILTERS: &'static [&'static str] = &["name", "email"];

    fn table(shop: &Shop) -> &Table<Self> {
        &shop.customers
    }

    fn table_mut(shop: &mut Shop) -> &mut Table<Self> {
        &mut shop.customers
    }

    fn check(&self, shop: &Shop, id: Option<u64>) -> Vec<Fault> {
        let mut faults = Vec::new();
        check_text(&mut faults, "name", &self.name, 100);
        check_text(&mut faults, "email", &self.email, 254);
        match self.email.split_once('@') {
            Some((user, host)) if !user.is_empty() && host.contains('.') && !host.contains('@') => {
            }
            _ => faults.push(Fault::new("email", "must look like name@example.com")),
        }
        let taken = shop
            .customers
            .iter()
            .find(|row| row.fields.email == self.email);
        if let Some(other) = taken
            && Some(other.id) != id
        {
            faults.push(Fault::new(
                "email",
                format!("is customer {}'s already", other.id),
            ));
        }
        faults
    }

    fn passes(&self, filter: &str, value: &str) -> bool {
        contains(
            if filter == "email" {
                &self.email
            } else {
                &self.name
            },
            value,
        )
    }

    fn may_remove(shop: &Shop, id: u64) -> Result<(), Problem> {
        let orders = shop
            .orders
            .iter()
            .filter(|order| order.fields.customer_id == id)
            .count();
        if orders == 0 {
            return Ok(());
        }
        Err(Problem::conflict(format!(
            "customer {id} has {orders} orders; delete those first"
        )))
    }
}

/// `GET /api/v1/customers/{id}/orders`
pub(super) async fn orders(
    State(app): State<App>,
    Path(id): Path<u64>,
    query: Query,
) -> Result<Response, Problem> {
    app.store
        .read(|shop| find::<Customer>(shop, id).map(|_| ()))?;
    super::orders::list_where(&app, query, |order| order.customer_id == id)
}
