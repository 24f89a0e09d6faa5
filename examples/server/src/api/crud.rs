//! List, create, read, replace, patch and remove, once for every [`Resource`], answered in pooled memory (`PooledJson` of
//! tower-pool).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{ETAG, LOCATION};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tower_pool::PooledJson;

use super::etag;
use super::extract::{Json, Path, Query};
use super::page::Page;
use super::resource::Resource;
use crate::app::App;
use crate::problem::Problem;
use crate::store::{Full, Row, Shop};

/// `GET` of a collection: a page of the rows that pass the filters.
pub(super) async fn list<R: Resource>(
    State(app): State<App>,
    query: Query,
) -> Result<Response, Problem> {
    list_where::<R>(&app, query, |_| true)
}

/// As [`list`], of the rows that `belongs` lets through.
pub(super) fn list_where<R: Resource>(
    app: &App,
    Query(mut query): Query,
    belongs: impl Fn(&R) -> bool,
) -> Result<Response, Problem> {
    let page = Page::take(&mut query)?;
    let unknown = query
        .iter()
        .find(|(name, _)| !R::FILTERS.contains(&name.as_str()));
    if let Some((name, _)) = unknown {
        let known: Vec<_> = ["limit", "offset"]
            .iter()
            .chain(R::FILTERS)
            .copied()
            .collect();
        let detail = format!(
            "{name:?} is no parameter of this list; there are {}",
            known.join(", ")
        );
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let passes = |row: &&Row<R>| {
        belongs(&row.fields)
            && query
                .iter()
                .all(|(filter, value)| row.fields.passes(filter, value))
    };
    let (rows, total) = app
        .store
        .read(|shop| page.cut(R::table(shop).iter().filter(passes), Clone::clone));
    Ok(page.respond(&rows, total, &query))
}

/// `POST` to a collection.
pub(super) async fn create<R: Resource>(
    State(app): State<App>,
    Json(fields): Json<R>,
) -> Result<Response, Problem> {
    insert(&app, fields).await
}

/// Puts a checked row into its table and answers 201.
pub(super) async fn insert<R: Resource>(app: &App, fields: R) -> Result<Response, Problem> {
    app.store
        .write(|shop| {
            accept(&fields, shop, None)?;
            let row = R::table_mut(shop)
                .insert(fields)
                .map_err(|Full| full::<R>())?;
            let location = format!("/api/v1/{}/{}", R::PLURAL, row.id);
            Ok((StatusCode::CREATED, [(LOCATION, location)], one(row)).into_response())
        })
        .await
}

/// `GET` of one row; 304 when `If-None-Match` names its revision.
pub(super) async fn read<R: Resource>(
    State(app): State<App>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    app.store.read(|shop| {
        let row = find::<R>(shop, id)?;
        if etag::is_fresh(&headers, row) {
            return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag::of(row))]).into_response());
        }
        Ok(one(row))
    })
}

/// `PUT` of one row: all its fields anew.
pub(super) async fn replace<R: Resource>(
    State(app): State<App>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    Json(fields): Json<R>,
) -> Result<Response, Problem> {
    app.store
        .write(|shop| {
            etag::may_change(&headers, find::<R>(shop, id)?)?;
            store(shop, id, fields)
        })
        .await
}

/// `PATCH` of one row: the fields to change as a JSON merge patch (RFC 7396).
pub(super) async fn patch<R: Resource>(
    State(app): State<App>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    Json(changes): Json<serde_json::Map<String, Value>>,
) -> Result<Response, Problem> {
    app.store
        .write(|shop| {
            let row = find::<R>(shop, id)?;
            etag::may_change(&headers, row)?;
            let mut document = serde_json::to_value(&row.fields).expect("a row is plain data");
            merge(&mut document, Value::Object(changes));
            let fields: R = serde_json::from_value(document).map_err(|error| {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
            })?;
            store(shop, id, fields)
        })
        .await
}

/// `DELETE` of one row.
pub(super) async fn remove<R: Resource>(
    State(app): State<App>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    app.store
        .write(|shop| {
            etag::may_change(&headers, find::<R>(shop, id)?)?;
            R::may_remove(shop, id)?;
            R::table_mut(shop).remove(id);
            R::removed(shop, id);
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

pub(super) fn find<R: Resource>(shop: &Shop, id: u64) -> Result<&Row<R>, Problem> {
    R::table(shop)
        .get(id)
        .ok_or_else(|| Problem::missing(R::SINGULAR, id))
}

fn store<R: Resource>(shop: &mut Shop, id: u64, fields: R) -> Result<Response, Problem> {
    accept(&fields, shop, Some(id))?;
    let row = R::table_mut(shop).replace(id, fields);
    row.map(one)
        .ok_or_else(|| Problem::missing(R::SINGULAR, id))
}

fn accept<R: Resource>(fields: &R, shop: &Shop, id: Option<u64>) -> Result<(), Problem> {
    let faults = fields.check(shop, id);
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Problem::invalid(faults))
    }
}

/// The answer that shows one row.
pub(super) fn one<T: serde::Serialize>(row: &Row<T>) -> Response {
    ([(ETAG, etag::of(row))], PooledJson(row)).into_response()
}

pub(super) fn full<R: Resource>() -> Problem {
    let detail = format!("this server keeps no more {}; delete some first", R::PLURAL);
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, detail)
}

/// RFC 7396 §2: objects are merged member by member, `null` removes, anything else replaces.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(changes) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(members) = target else {
        return;
    };
    for (name, change) in changes {
        if change.is_null() {
            members.remove(&name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_str, to_string};

    #[test]
    fn merge_patch_follows_rfc_7396_appendix_a() {
        let cases = [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (
                r#"{"a":{"b":"c"}}"#,
                r#"{"a":{"b":"d","c":null}}"#,
                r#"{"a":{"b":"d"}}"#,
            ),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"a":"foo"}"#, "null", "null"),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"a":1,"e":null}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ];
        for (target, patch, want) in cases {
            let mut document: Value = from_str(target).unwrap();
            super::merge(&mut document, from_str(patch).unwrap());
            assert_eq!(
                to_string(&document).unwrap(),
                want,
                "{target} patched by {patch}"
            );
        }
    }
}
