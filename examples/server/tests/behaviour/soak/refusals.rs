//! What is refused under overload: by the limiter, with 503 and `Retry-After`, to clients that come again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::Value;

use crate::client::{Answer, Client};

/// What the clients of all loads were answered.
#[derive(Clone, Default)]
pub(super) struct Refusals(Arc<Noted>);

#[derive(Default)]
struct Noted {
    answers: AtomicUsize,
    refused: Mutex<Vec<Instant>>,
}

impl Refusals {
    /// Whether an answer is a refusal; if it is, returns when its client may come again. A 503 that does not say when that is, is none.
    pub(super) async fn wait(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        self.0.answers.fetch_add(1, Ordering::Relaxed);
        let after = headers.get("retry-after").map(|after| {
            let seconds = after.to_str().ok().and_then(|after| after.parse().ok());
            Duration::from_secs(seconds.expect("it is a number of seconds"))
        });
        let Some(after) = after.filter(|_| status == StatusCode::SERVICE_UNAVAILABLE) else {
            return false;
        };
        self.0.refused.lock().unwrap().push(Instant::now());
        tokio::time::sleep(after).await;
        true
    }

    /// How many answers there were, refusals included.
    pub(super) fn answers(&self) -> usize {
        self.0.answers.load(Ordering::Relaxed)
    }

    /// When there were refusals.
    pub(super) fn refused(&self) -> Vec<Instant> {
        self.0.refused.lock().unwrap().clone()
    }
}

/// A [`Client`] that comes again when it is refused.
pub(super) struct Patient {
    pub(super) client: Client,
    pub(super) refusals: Refusals,
}

impl Patient {
    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let request = self.client.request(method, path, headers, body);
        self.send_raw(request).await
    }

    pub(super) async fn send_raw(&self, request: Request<Full<Bytes>>) -> Answer {
        loop {
            let answer = self.client.send_raw(request.clone()).await;
            if !self.refusals.wait(answer.status, &answer.headers).await {
                return answer;
            }
        }
    }
}
