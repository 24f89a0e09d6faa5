//! A typed request context.
//!
//! [`ContextLayer<C>`] gives each request a `C`, a plain struct with fields. Middleware below it sets
//! the fields with [`update`], handlers read them through a [`Context<C>`], which dereferences to `C`.
//! The values are pooled: made once, [`Reset`] in place, used again.
//!
//! *Where it lives.* While the inner service is called or its future polled, the context is on a
//! stack of the thread, next to those of outer [`ContextLayer`]s. Finding it compares one type
//! identifier for each layer, innermost first; after that every access is a plain field access.
//! Nothing is put into `http::Extensions`, whose first insertion costs three allocations and each
//! other at least one. Setting up, reading and tearing down a context costs none, once the pool is
//! warm; in instructions a request costs some 420 (`cargo run --release -p benches -- layers`).
//!
//! *Sharing.* Fields are set while nobody holds a [`Context`]; [`update`] says so otherwise. Usually
//! middleware sets them before the handler is called and reads them after it has returned. A
//! [`Context`] may be moved into a spawned task or a response body; the value is then not used again
//! but dropped with its last holder. Code that runs in another task (`tower::buffer`) does not see
//! the stack: take a [`Context`] along.
//!
//! ```
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//! use tower_pool::context::{self, Context, ContextLayer, Reset};
//!
//! #[derive(Debug, Default)]
//! struct Facts { user: Option<u64>, tags: Vec<&'static str> }
//!
//! impl Reset for Facts {
//!     fn reset(&mut self) {
//!         self.user = None;
//!         self.tags.clear(); // keeps its memory
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), context::ContextError> {
//! let service = ServiceBuilder::new()
//!     .layer(ContextLayer::<Facts>::new())
//!     .map_request(|request: &'static str| {
//!         context::update(|facts: &mut Facts| facts.user = Some(7)).expect("the layer is above");
//!         request
//!     })
//!     .service(service_fn(async |request: &'static str| {
//!         let facts = Context::<Facts>::current()?;
//!         Ok::<_, context::ContextError>((request, facts.user))
//!     }));
//! assert_eq!(service.oneshot("hello").await?, ("hello", Some(7)));
//! # Ok(())
//! # }
//! ```

mod current;
mod layer;

pub use current::{Context, ContextError, update};
pub use layer::{ContextFuture, ContextLayer, ContextService};

/// Makes a context as good as new while keeping its memory.
pub trait Reset {
    /// Forgets everything about the last request.
    fn reset(&mut self);
}
