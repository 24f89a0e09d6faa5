//! The list of routes is the truth: everything on it answers, and everything that answers is on it.

use http::Method;
use serde_json::Value;

use crate::client::Client;
use crate::process::Server;

/// Path and methods of every route the server lists.
async fn listed(client: &Client) -> Vec<(String, Vec<String>)> {
    let list = client.get("/_routes").await.json();
    let routes = list["routes"]
        .as_array()
        .unwrap_or_else(|| panic!("no routes in {list}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let methods = |route: &Value| {
        route["methods"]
            .as_array()
            .unwrap()
            .iter()
            .map(text)
            .collect()
    };
    routes
        .iter()
        .map(|route| (text(&route["path"]), methods(route)))
        .collect()
}

#[tokio::test]
async fn the_list_is_complete() {
    let server = Server::start(&[]);
    let routes = listed(&Client::http1(server.address)).await;
    let find = |path: &str| {
        let route = routes.iter().find(|(listed, _)| listed == path);
        route
            .unwrap_or_else(|| panic!("{path} is not in {routes:#?}"))
            .1
            .clone()
    };
    for path in [
        "/",
        "/_routes",
        "/healthz",
        "/api/v1/stats",
        "/api/v1/covers/{id:u64}-{width:u16}.svg",
    ] {
        assert!(find(path).contains(&"GET".to_owned()), "{path}");
    }
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        assert!(
            find("/api/v1/books/{id:u64}").contains(&method.to_owned()),
            "{method}"
        );
    }
    assert_eq!(find("/api/v1/orders/{id:u64}/pay"), ["POST"]);
    assert!(routes.len() >= 30, "{} routes", routes.len());
}

#[tokio::test]
async fn every_listed_method_answers() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let values = [
        ("{id:u64}-{width:u16}", "1-40"),
        ("{from:i32}-{to:i32}", "1800-1900"),
        ("{id:u64}", "1"),
        ("{isbn:digit}", "9780141439471"),
        ("{table:alpha}", "books"),
        ("{genre:[a-z]+}", "classic"),
        ("{name}", "ada"),
        ("{*path}", "healthz"),
        ("{*__nest_tail}", "index.html"),
        ("{id:alnum}", "0123abcd"),
    ];
    // What these answer is for tests of their own: there is no end to the one, nothing to get from the others.
    let elsewhere = ["/events", "/echo", "/uploads/0123abcd"];
    for (pattern, methods) in listed(&client).await {
        let path = values
            .iter()
            .fold(pattern.clone(), |path, (parameter, value)| {
                path.replace(parameter, value)
            });
        assert!(!path.contains('{'), "this test has no value for {pattern}");
        let query = if path == "/api/v1/search" {
            "?q=the"
        } else {
            ""
        };
        for method in methods {
            let method: Method = method.parse().unwrap();
            if elsewhere.contains(&path.as_str()) {
                continue;
            }
            if method == Method::GET {
                let answer = client.get(&format!("{path}{query}")).await;
                assert_eq!(answer.status, 200, "GET {path}: {}", answer.body);
            } else if method != Method::DELETE {
                // Without a body a change is refused, but by its handler.
                let answer = client.send(method.clone(), &path, &[], None).await;
                assert!(
                    ![404, 405].contains(&answer.status.as_u16()),
                    "{method} {path}: {}",
                    answer.body
                );
            }
        }
    }
}

#[tokio::test]
async fn the_tree_is_drawn_for_those_who_ask() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let tree = client.get("/_routes?format=tree").await;
    assert_eq!(tree.header("content-type"), "text/plain; charset=utf-8");
    for part in ["healthz", "{id:u64}", ".svg", "GET"] {
        assert!(tree.body.contains(part), "no {part} in\n{}", tree.body);
    }
    let cases = [
        ("text/plain", true),
        ("text/*;q=0.5", true),
        ("application/json", false),
        ("application/json, text/plain", false),
        ("*/*", false),
    ];
    for (accept, as_tree) in cases {
        let answer = client
            .send(Method::GET, "/_routes", &[("accept", accept)], None)
            .await;
        assert_eq!(answer.body == tree.body, as_tree, "Accept: {accept}");
        assert_eq!(answer.header("vary"), "accept");
    }
    client.get("/_routes?format=xml").await.problem(400);
}

#[tokio::test]
async fn the_landing_page_links_only_to_what_answers() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let page = client.get("/").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let targets = page
        .body
        .split("href=\"")
        .chain(page.body.split("src=\""))
        .filter(|rest| rest.starts_with('/'));
    let targets: Vec<_> = targets
        .map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&"))
        .collect();
    assert!(targets.len() >= 10, "{targets:?}");
    for target in targets {
        assert_eq!(client.get(&target).await.status, 200, "{target}");
    }
}
