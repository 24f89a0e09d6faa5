//! `GET /api/v1/openapi.json`: the API as an OpenAPI 3.1 document.
//!
//! Paths and their parameters are read off the patterns of the router; [`operations`] says what each route takes and
//! answers, and a test holds the two together.

mod operations;
mod schemas;

use std::sync::LazyLock;

use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use self::operations::{Answer, Operation};

static DOCUMENT: LazyLock<String> = LazyLock::new(|| document().to_string());

pub(super) async fn show() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

fn document() -> Value {
    let mut paths = Map::new();
    for operation in operations::all() {
        let path = paths
            .entry(mounted(operation.path))
            .or_insert_with(|| json!({"parameters": path_parameters(operation.path)}));
        path[operation.method] = describe(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "A bookshop",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/api"}],
        "paths": paths,
        "components": {"schemas": schemas::all()},
    })
}

fn describe(operation: &Operation) -> Value {
    let mut parameters: Vec<Value> = operation
        .query
        .iter()
        .map(|name| query_parameter(name))
        .collect();
    for header in operation.headers {
        parameters.push(json!({"name": header, "in": "header", "schema": {"type": "string"}}));
    }
    let mut answers = Map::new();
    for (status, answer) in operation.answers {
        answers.insert((*status).to_owned(), answered(*answer));
    }
    // The body's limits, its type, the time it may take, a full store: whatever else is wrong is said alike.
    for status in ["4XX", "503", "507"] {
        answers.insert(status.to_owned(), answered(Answer::Problem));
    }
    let mut described = json!({
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": parameters,
        "responses": answers,
    });
    if let Some(body) = operation.body {
        described["requestBody"] = json!({
            "required": true,
            "content": {"application/json": {"schema": schemas::reference(body)}},
        });
    }
    described
}

fn answered(answer: Answer) -> Value {
    let content = |kind: &str, schema: Value| json!({kind: {"schema": schema}});
    let text = json!({"type": "string"});
    let (description, content) = match answer {
        Answer::Nothing => return json!({"description": "Nothing more to say"}),
        Answer::Json(schema) => (
            "What was asked for",
            content("application/json", schemas::reference(schema)),
        ),
        Answer::Page(schema) => (
            "A page of the list",
            content("application/json", schemas::page(schema)),
        ),
        Answer::List(schema) => (
            "The list",
            content(
                "application/json",
                json!({"type": "array", "items": schemas::reference(schema)}),
            ),
        ),
        Answer::Text(kind) => ("What was asked for", content(kind, text)),
        Answer::Problem => (
            "What is wrong (RFC 9457)",
            content("application/problem+json", schemas::reference("Problem")),
        ),
    };
    json!({"description": description, "content": content})
}

/// The path below `/api`. The index is at the mount itself, which below `/api/v1` could only be written as `/api/v1/`.
fn mounted(pattern: &str) -> String {
    match pattern {
        "/" => "/v1".to_owned(),
        _ => format!("/v1{}", plain(pattern)),
    }
}

/// A pattern without its constraints.
fn plain(pattern: &str) -> String {
    let mut path = String::new();
    for (literal, parameter) in pieces(pattern) {
        path.push_str(literal);
        if let Some((name, _)) = parameter {
            path.push_str(&format!("{{{name}}}"));
        }
    }
    path
}

fn path_parameters(pattern: &str) -> Vec<Value> {
    let parameters = pieces(pattern).filter_map(|(_, parameter)| parameter);
    let described = parameters.map(|(name, constraint)| {
        let schema = match constraint {
            "u64" => json!({"type": "integer", "minimum": 0, "maximum": u64::MAX}),
            "u16" => json!({"type": "integer", "minimum": 0, "maximum": u16::MAX}),
            "i32" => json!({"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX}),
            "digit" => json!({"type": "string", "pattern": "^[0-9]+$"}),
            "alpha" => json!({"type": "string", "pattern": "^[A-Za-z]+$"}),
            pattern => json!({"type": "string", "pattern": format!("^{pattern}$")}),
        };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    });
    described.collect()
}

/// Each literal with the parameter that follows it, and that one's constraint.
fn pieces(pattern: &str) -> impl Iterator<Item = (&str, Option<(&str, &str)>)> {
    pattern
        .split_inclusive('}')
        .map(|piece| match piece.split_once('{') {
            Some((literal, parameter)) => {
                (literal, parameter.trim_end_matches('}').split_once(':'))
            }
            None => (piece, None),
        })
}

fn query_parameter(name: &str) -> Value {
    let schema = match name {
        "limit" => json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
        "offset" => {
            json!({"type": "integer", "minimum": 0, "maximum": usize::MAX, "default": 0})
        }
        "q" => json!({"type": "string", "minLength": 1}),
        _ => json!({"type": "string"}),
    };
    json!({"name": name, "in": "query", "required": name == "q", "schema": schema})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_document_has_every_route_of_the_api_and_no_other() {
        let app = crate::api::routes().with_state(crate::app::tests::app());
        let router = app.try_build().expect("the routes fit together");
        let routed: BTreeSet<(String, String)> = router
            .routes()
            .flat_map(|route| {
                let methods = route
                    .methods()
                    .iter()
                    .map(|method| method.as_str().to_lowercase());
                methods.map(move |method| (route.pattern().to_owned(), method))
            })
            .collect();
        let documented: BTreeSet<(String, String)> = operations::all()
            .map(|operation| (operation.path.to_owned(), operation.method.to_owned()))
            .collect();
        assert_eq!(documented, routed);
        let names: BTreeSet<_> = operations::all().map(|operation| operation.name).collect();
        assert_eq!(
            names.len(),
            operations::all().count(),
            "two operations share a name"
        );
    }

    #[test]
    fn every_schema_that_is_referred_to_is_there() {
        let document = document();
        let text = document.to_string();
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap_or_default();
            assert!(
                document["components"]["schemas"][name].is_object(),
                "{name}"
            );
        }
    }

    #[test]
    fn patterns_become_templates() {
        let path = "/books/published/{from:i32}-{to:i32}";
        assert_eq!(plain(path), "/books/published/{from}-{to}");
        let parameters = path_parameters(path);
        assert_eq!(parameters[1]["name"], "to");
        assert_eq!(parameters[1]["schema"]["type"], "integer");
        assert_eq!(mounted("/stats"), "/v1/stats");
        assert_eq!(mounted("/"), "/v1");
    }
}
