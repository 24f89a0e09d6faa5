//! Who is let in.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use subtle::ConstantTimeEq;

use super::{AdminError, problem::Problem};
use crate::ContentHash;

/// Bytes that a token needs.
pub(super) const LEAST_TOKEN: usize = 8;

#[derive(Default)]
pub(super) struct Guard {
    remote: bool,
    token: Option<Token>,
}

/// Only the hash is kept: it is of one length, and no use to whoever reads the memory.
struct Token {
    hash: ContentHash,
    length: usize,
}

impl Guard {
    pub(super) fn set_token(&mut self, token: &str) {
        self.token = Some(Token {
            hash: ContentHash::of(token.as_bytes()),
            length: token.len(),
        });
    }

    pub(super) fn allow_remote(&mut self) {
        self.remote = true;
    }

    pub(super) fn check(&self) -> Result<(), AdminError> {
        match &self.token {
            None if self.remote => Err(AdminError::RemoteWithoutToken),
            Some(Token { length, .. }) if *length < LEAST_TOKEN => {
                Err(AdminError::ShortToken { length: *length })
            }
            _ => Ok(()),
        }
    }

    fn judge(&self, request: &Request) -> Result<(), Problem> {
        if !self.remote {
            let peer: Option<&ConnectInfo<SocketAddr>> = request.extensions().get();
            let Some(ConnectInfo(peer)) = peer else {
                return Err(Problem::new(
                    StatusCode::FORBIDDEN,
                    "the peer's address is not known: serve this router with its connection's address",
                ));
            };
            if !peer.ip().to_canonical().is_loopback() {
                let detail = "only peers of the loopback interface are let in";
                return Err(Problem::new(StatusCode::FORBIDDEN, detail));
            }
            // A page of another site that made its name resolve to this machine.
            if !host_is_loopback(request) {
                let detail = "the host is not a name of the loopback interface";
                return Err(Problem::new(StatusCode::FORBIDDEN, detail));
            }
        }
        match &self.token {
            Some(token) if !token.is_in(request.headers()) => {
                let detail = "the admin token is missing or wrong";
                Err(Problem::new(StatusCode::UNAUTHORIZED, detail))
            }
            _ => Ok(()),
        }
    }
}

impl Token {
    fn is_in(&self, headers: &HeaderMap) -> bool {
        let credentials = headers
            .get(header::AUTHORIZATION)
            .map(|value| value.as_bytes());
        let Some((scheme, token)) = credentials.and_then(|bytes| bytes.split_at_checked(7)) else {
            return false;
        };
        let given = ContentHash::of(token);
        let equal: bool = given.as_bytes().ct_eq(self.hash.as_bytes()).into();
        equal & scheme.eq_ignore_ascii_case(b"Bearer ")
    }
}

fn host_is_loopback(request: &Request) -> bool {
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    let host = request.headers().get(header::HOST);
    let Some(host) = authority.or_else(|| host.and_then(|host| host.to_str().ok())) else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || bare
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The middleware.
pub(super) async fn admit(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Response {
    match guard.judge(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("remote", &self.remote)
            .field("token", &self.token.is_some())
            .finish()
    }
}
