//! Request bodies in pooled memory.
//!
//! [`PooledBodyLayer`] reads the whole body before the inner service is called and hands it over as
//! a [`PooledBody`]. A body of one frame is passed on as it came, without a copy (unless the
//! sender is slow to say that it was the last); one of several
//! frames is copied, once, into a buffer of the [`Pool`](crate::Pool). Small frames are copied as they
//! come and dropped before the next is asked for, so that the connection can read into the same memory
//! again; frames of 16 KiB and more, and smaller ones of which a connection reads many at once, are kept, their memory
//! accounted for, and copied at the end in one go.
//!
//! What bounds what:
//!
//! | bound | set by | answer |
//! |---|---|---|
//! | bytes of one body | [`BodyPool::limit`] | 413 |
//! | bytes of all bodies | [`PoolBuilder::limit`](crate::PoolBuilder::limit) and [`BodyPool::budget_wait`] | 503 with `Retry-After` |
//! | time a sender may take | [`BodyPool::receive_timeout`] | 408 |
//!
//! `Content-Length` is a hint. A request that announces more than the limit is refused before a byte
//! of its body is read (so no `100 Continue` is sent); otherwise the announcement chooses the first
//! buffer, up to 64 times what has arrived: holding 1 MiB takes having sent 16 KiB.
//!
//! While a request waits for memory its body is not read, so that the sender is held back by the
//! transport's flow control, and the time is not counted against the sender. When there is none in time,
//! all that was held for the request is given back at once, and the rest of its body, up to the limit and as
//! long as it keeps coming, is read and dropped before the 503: the connection stays in order, and the
//! client sees the answer.
//!
//! ```
//! # use tower_pool::{BodyPool, Pool, PooledBody, PooledBodyLayer};
//! # use tower::{ServiceBuilder, ServiceExt, service_fn};
//! # use http::{Request, Response};
//! # use http_body_util::Full;
//! # use bytes::Bytes;
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let pool = BodyPool::new(Pool::new()).limit(64 << 10);
//! let service = ServiceBuilder::new().layer(PooledBodyLayer::new(pool)).service_fn(
//!     |request: Request<PooledBody>| async move {
//!         let length = request.body().len().to_string();
//!         Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(length)))
//!     },
//! );
//! let request = Request::new(Full::<Bytes>::from(vec![0; 100 << 10]));
//! let response = service.oneshot(request).await.unwrap();
//! assert_eq!(response.status(), 413);
//! # }
//! ```

mod assembly;
mod collect;
mod config;
mod error;
mod held;
mod layer;
mod pooled;
mod timer;

pub use collect::Collect;
pub use config::BodyPool;
pub use error::{BodyError, DefaultRejection, Rejection};
pub use layer::{PooledBodies, PooledBodyFuture, PooledBodyLayer};
pub use pooled::PooledBody;
