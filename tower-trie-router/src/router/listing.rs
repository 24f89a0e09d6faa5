//! The routes of a router, listed and drawn.

use std::fmt;

use http::Method;

use super::{draft::Entry, prefix::segments};

/// A route as it is listed.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) host: Option<String>,
    pub(crate) pattern: String,
    pub(crate) methods: Vec<Method>,
    pub(crate) any: bool,
}

impl Listed {
    pub(crate) fn new<E>(host: Option<String>, entry: &Entry<E>) -> Self {
        Self {
            host,
            pattern: entry.pattern.clone(),
            methods: entry.methods.registered().cloned().collect(),
            any: entry.methods.any.is_some(),
        }
    }
}

/// One route of a router: its pattern, its host and the methods that were registered for it.
#[derive(Debug, Clone, Copy)]
pub struct RouteInfo<'r>(&'r Listed);

impl<'r> RouteInfo<'r> {
    /// The pattern, with the prefixes of the routers it is nested in.
    pub fn pattern(&self) -> &'r str {
        &self.0.pattern
    }

    /// The host pattern, for a route of a host.
    pub fn host(&self) -> Option<&'r str> {
        self.0.host.as_deref()
    }

    /// The methods that were registered, the standard ones first; those the router answers by
    /// itself are not among them.
    pub fn methods(&self) -> &'r [Method] {
        &self.0.methods
    }

    /// Whether an endpoint for any other method is there too.
    pub fn any_method(&self) -> bool {
        self.0.any
    }
}

/// As in `GET,POST /users/{id}`; `*` stands for any method.
impl fmt::Display for RouteInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", MethodNames(*self), self.pattern())?;
        match self.host() {
            Some(host) => write!(f, " on {host}"),
            None => Ok(()),
        }
    }
}

struct MethodNames<'r>(RouteInfo<'r>);

impl fmt::Display for MethodNames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for method in self.0.methods() {
            write!(f, "{separator}{method}")?;
            separator = ",";
        }
        if self.0.any_method() {
            write!(f, "{separator}*")?;
        }
        Ok(())
    }
}

/// Iterates over a router's routes; see [`RouteInfo`].
#[derive(Clone)]
pub struct Routes<'r>(std::slice::Iter<'r, Listed>);

impl<'r> Routes<'r> {
    pub(crate) fn new(listed: &'r [Listed]) -> Self {
        Self(listed.iter())
    }
}

impl<'r> Iterator for Routes<'r> {
    type Item = RouteInfo<'r>;

    fn next(&mut self) -> Option<RouteInfo<'r>> {
        self.0.next().map(RouteInfo)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Routes<'_> {}

impl fmt::Debug for Routes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = self.clone().map(|route| route.to_string());
        f.debug_list().entries(routes).finish()
    }
}

/// A segment and what is below it.
#[derive(Default)]
struct Node<'r> {
    label: &'r str,
    routes: Vec<RouteInfo<'r>>,
    children: Vec<Node<'r>>,
}

/// Draws routes as a tree of segments.
pub(crate) fn tree(routes: Routes<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut hosts: Vec<(Option<&str>, Node<'_>)> = Vec::new();
    for route in routes {
        let host = route.host();
        let at = hosts.iter().position(|(taken, _)| *taken == host);
        let at = at.unwrap_or_else(|| {
            hosts.push((host, Node::default()));
            hosts.len() - 1
        });
        let mut node = &mut hosts[at].1;
        for label in segments(route.pattern()) {
            let at = node.children.iter().position(|child| child.label == label);
            let at = at.unwrap_or_else(|| {
                node.children.push(Node {
                    label,
                    ..Node::default()
                });
                node.children.len() - 1
            });
            node = &mut node.children[at];
        }
        node.routes.push(route);
    }
    for (host, root) in &hosts {
        writeln!(f, "{}", host.unwrap_or("*"))?;
        draw(root, "", f)?;
    }
    Ok(())
}

fn draw(node: &Node<'_>, indent: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (at, child) in node.children.iter().enumerate() {
        let last = at + 1 == node.children.len();
        let (branch, below) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        write!(f, "{indent}{branch}/{}", child.label)?;
        for route in &child.routes {
            write!(f, "  {}", MethodNames(*route))?;
        }
        writeln!(f)?;
        draw(child, &format!("{indent}{below}"), f)?;
    }
    Ok(())
}
