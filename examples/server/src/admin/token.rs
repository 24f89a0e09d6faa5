//! The token that a change through the admin port must bear.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use uuid::Uuid;

use crate::config::Config;
use crate::problem::Problem;

/// A secret. It is not shown by `Debug`.
#[derive(Clone)]
pub(crate) struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// The operator's, or a random one, which is then to be shown.
    pub(crate) fn of(config: &Config) -> Self {
        match &config.admin_token {
            Some(token) => Token(token.clone()),
            None => Token(Uuid::new_v4().simple().to_string()),
        }
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether `text` is the token. Takes as long for a wrong one that begins right as for any other.
    fn is(&self, text: &str) -> bool {
        let differences = self
            .0
            .bytes()
            .zip(text.bytes())
            .map(|(ours, theirs)| ours ^ theirs);
        let differ = differences.fold(0, |sum, difference| sum | difference);
        std::hint::black_box(differ) == 0 && self.0.len() == text.len()
    }
}

/// Lets requests pass that bear the token.
pub(super) async fn required(State(token): State<Token>, request: Request, next: Next) -> Response {
    let value = request.headers().get(AUTHORIZATION);
    let borne = value
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if borne.is_some_and(|borne| token.is(borne)) {
        return next.run(request).await;
    }
    let problem = Problem::new(
        StatusCode::UNAUTHORIZED,
        "bear the admin token, which is printed at the start: Authorization: Bearer ...",
    );
    ([(WWW_AUTHENTICATE, "Bearer")], problem).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_the_token() {
        let token = Token("opensesame".to_owned());
        for (text, is) in [
            ("opensesame", true),
            ("opensesam", false),
            ("opensesamee", false),
            ("Opensesame", false),
            ("", false),
        ] {
            assert_eq!(token.is(text), is, "{text:?}");
        }
        assert_eq!(format!("{token:?}"), "Token");
    }
}
