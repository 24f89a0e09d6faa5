//! `/api/v1/orders`: placing one takes its books from the shelf, cancelling puts them back.
//!
//! An order is not edited like a row; it moves on by `POST` to `pay`, `ship` or `cancel`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::etag;
use super::extract::{Json, Path, Query};
use super::page::Page;
use crate::app::App;
use crate::problem::{Fault, Problem};
use crate::store::{Full, Line, Order, Row, Shop, Status};

/// An order as a customer writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Basket {
    customer_id: u64,
    lines: Vec<Wanted>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    book_id: u64,
    quantity: u32,
}

/// The most lines of one order.
const MAX_LINES: usize = 20;

/// `GET /api/v1/orders`
pub(super) async fn list(State(app): State<App>, query: Query) -> Result<Response, Problem> {
    list_where(&app, query, |_| true)
}

/// As [`list`], of the orders that `belongs` lets through.
pub(super) fn list_where(
    app: &App,
    Query(mut query): Query,
    belongs: impl Fn(&Order) -> bool,
) -> Result<Response, Problem> {
    let page = Page::take(&mut query)?;
    if let Some(name) = query.keys().find(|name| *name != "status") {
        let detail =
            format!("{name:?} is no parameter of this list; there are limit, offset, status");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let status = query.get("status");
    let passes = |row: &&Row<Order>| {
        belongs(&row.fields) && status.is_none_or(|status| row.fields.status.to_string() == *status)
    };
    let (rows, total) = app
        .store
        .read(|shop| page.cut(shop.orders.iter().filter(passes), Clone::clone));
    Ok(page.respond(&rows, total, &query))
}

/// `POST /api/v1/orders`
pub(super) async fn place(
    State(app): State<App>,
    Json(basket): Json<Basket>,
) -> Result<Response, Problem> {
    app.store
        .write(|shop| {
            let order = fill(shop, &basket)?;
            let taken: Vec<_> = order
                .lines
                .iter()
                .map(|line| (line.book_id, line.quantity))
                .collect();
            let row = shop.orders.insert(order).map_err(|Full| {
                Problem::new(
                    StatusCode::INSUFFICIENT_STORAGE,
                    "this server keeps no more orders",
                )
            })?;
            let location = format!("/api/v1/orders/{}", row.id);
            let answer = (
                StatusCode::CREATED,
                [(LOCATION, location)],
                super::crud::one(row),
            )
                .into_response();
            for (book, quantity) in taken {
                shop.books.update(book, |book| book.stock -= quantity);
            }
            Ok(answer)
        })
        .await
}

/// Checks a basket against the shelves: 422 for what can never be ordered, 409 for what is short now.
fn fill(shop: &Shop, basket: &Basket) -> Result<Order, Problem> {
    // First of all, since what follows looks at every line.
    if !(1..=MAX_LINES).contains(&basket.lines.len()) {
        let detail = format!("must be 1 to {MAX_LINES} lines");
        return Err(Problem::invalid(vec![Fault::new("lines", detail)]));
    }
    let mut faults = Vec::new();
    if shop.customers.get(basket.customer_id).is_none() {
        faults.push(Fault::new(
            "customer_id",
            format!("there is no customer {}", basket.customer_id),
        ));
    }
    let mut lines: Vec<Line> = Vec::new();
    let mut short = None;
    for (index, wanted) in basket.lines.iter().enumerate() {
        let Wanted { book_id, quantity } = *wanted;
        if quantity == 0 {
            faults.push(Fault::new(
                &format!("lines/{index}/quantity"),
                "must be at least 1",
            ));
        }
        if lines.iter().any(|line| line.book_id == book_id) {
            faults.push(Fault::new(
                &format!("lines/{index}/book_id"),
                "is on an earlier line already",
            ));
        }
        match shop.books.get(book_id) {
            None => {
                let detail = format!("there is no book {book_id}");
                faults.push(Fault::new(&format!("lines/{index}/book_id"), detail));
            }
            Some(book) => {
                if book.fields.stock < quantity {
                    short.get_or_insert((book_id, book.fields.stock, quantity));
                }
                let (title, price_cents) = (book.fields.title.clone(), book.fields.price_cents);
                lines.push(Line {
                    book_id,
                    title,
                    quantity,
                    price_cents,
                });
            }
        }
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    if let Some((book, stock, quantity)) = short {
        return Err(Problem::conflict(format!(
            "book {book} has {stock} copies left, {quantity} are wanted"
        )));
    }
    let total_cents = lines
        .iter()
        .map(|line| u64::from(line.quantity) * u64::from(line.price_cents))
        .sum();
    Ok(Order {
        customer_id: basket.customer_id,
        status: Status::Placed,
        lines,
        total_cents,
    })
}

/// `GET /api/v1/orders/{id}`
pub(super) async fn read(
    State(app): State<App>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    app.store.read(|shop| {
        let row = find(shop, id)?;
        if etag::is_fresh(&headers, row) {
            return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag::of(row))]).into_response());
        }
        Ok(super::crud::one(row))
    })
}

/// `DELETE /api/v1/orders/{id}`: only of an order that is cancelled.
pub(super) async fn remove(
    State(app): State<App>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    app.store
        .write(|shop| {
            let row = find(shop, id)?;
            etag::may_change(&headers, row)?;
            if row.fields.status != Status::Cancelled {
                return Err(Problem::conflict(format!(
                    "order {id} is {}; cancel it first",
                    row.fields.status
                )));
            }
            shop.orders.remove(id);
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

/// `POST /api/v1/orders/{id}/pay`
pub(super) async fn pay(State(app): State<App>, Path(id): Path<u64>) -> Result<Response, Problem> {
    app.store
        .write(|shop| advance(shop, id, &[Status::Placed], Status::Paid))
        .await
}

/// `POST /api/v1/orders/{id}/ship`
pub(super) async fn ship(State(app): State<App>, Path(id): Path<u64>) -> Result<Response, Problem> {
    app.store
        .write(|shop| advance(shop, id, &[Status::Paid], Status::Shipped))
        .await
}

/// `POST /api/v1/orders/{id}/cancel`
pub(super) async fn cancel(
    State(app): State<App>,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    app.store
        .write(|shop| {
            let answer = advance(shop, id, &[Status::Placed, Status::Paid], Status::Cancelled)?;
            let lines = find(shop, id)?.fields.lines.clone();
            for line in lines {
                shop.books.update(line.book_id, |book| {
                    book.stock = book.stock.saturating_add(line.quantity)
                });
            }
            Ok(answer)
        })
        .await
}

fn advance(shop: &mut Shop, id: u64, from: &[Status], to: Status) -> Result<Response, Problem> {
    let status = find(shop, id)?.fields.status;
    if !from.contains(&status) {
        return Err(Problem::conflict(format!(
            "order {id} is {status} and cannot become {to}"
        )));
    }
    let row = shop.orders.update(id, |order| order.status = to);
    row.map(super::crud::one)
        .ok_or_else(|| Problem::missing("order", id))
}

/// `GET /api/v1/orders/{id}/invoice.txt`
pub(super) async fn invoice(
    State(app): State<App>,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    app.store.read(|shop| {
        let order = &find(shop, id)?.fields;
        let customer = shop
            .customers
            .get(order.customer_id)
            .map_or("", |row| row.fields.name.as_str());
        let mut text = format!("Invoice {id} for {customer} ({})\n\n", order.status);
        for line in &order.lines {
            let cents = u64::from(line.quantity) * u64::from(line.price_cents);
            text.push_str(&format!(
                "{:>4} x {:<40} {:>10}\n",
                line.quantity,
                line.title,
                euros(cents)
            ));
        }
        text.push_str(&format!(
            "\n{:<47} {:>10}\n",
            "Total",
            euros(order.total_cents)
        ));
        Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
    })
}

fn euros(cents: u64) -> String {
    format!("{}.{:02} EUR", cents / 100, cents % 100)
}

fn find(shop: &Shop, id: u64) -> Result<&Row<Order>, Problem> {
    shop.orders
        .get(id)
        .ok_or_else(|| Problem::missing("order", id))
}
