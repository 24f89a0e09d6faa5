//! A pool of things that are not buffers: header maps made to size, parsers, compressors, upstream
//! connections.
//!
//! It stands on the same depot as the buffer [`Pool`](crate::Pool): sharded idle objects, a limit on
//! what exists, a fair queue, and the life `Initialized → Active → Closing → Terminated`. What is its
//! own is that making an object may take time and fail ([`Manage::create`]), that an idle one may have
//! gone bad ([`Manage::validate`]), and that objects grow old
//! ([`max_idle`](ObjectPoolBuilder::max_idle), [`max_age`](ObjectPoolBuilder::max_age)).
//!
//! Things that are made at once, and only need to be cleaned:
//!
//! ```
//! use http::HeaderMap;
//! use tower_pool::ObjectPool;
//!
//! let maps: ObjectPool<HeaderMap> = ObjectPool::plain(|| HeaderMap::with_capacity(32), HeaderMap::clear);
//! let mut headers = maps.try_acquire()?;
//! headers.insert("x-served-by", "a".parse().expect("a header value"));
//! drop(headers);
//! let headers = maps.try_acquire()?;
//! assert!(headers.is_empty() && headers.capacity() >= 32);
//! assert_eq!(maps.stats().hits, 1);
//! # Ok::<(), tower_pool::AcquireError>(())
//! ```
//!
//! Connections:
//!
//! ```
//! use std::{io, time::Duration};
//! use tokio::net::TcpStream;
//! use tower_pool::{Manage, ObjectPool, Recycle};
//!
//! struct Upstream(std::net::SocketAddr);
//!
//! impl Manage<TcpStream> for Upstream {
//!     type Error = io::Error;
//!
//!     async fn create(&self) -> io::Result<TcpStream> {
//!         TcpStream::connect(self.0).await
//!     }
//!
//!     async fn validate(&self, stream: &mut TcpStream) -> bool {
//!         // An idle connection has nothing to say: bytes or an end mean that it is of no use.
//!         matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
//!     }
//!
//!     fn recycle(&self, _: &mut TcpStream) -> Recycle {
//!         Recycle::Keep
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let address = listener.local_addr()?;
//! let connections = ObjectPool::builder(Upstream(address))
//!     .limit(32)
//!     .max_idle(Duration::from_secs(60))
//!     .max_age(Duration::from_secs(3600))
//!     .build();
//! let connection = connections.acquire_timeout(Duration::from_secs(1)).await?;
//! # let accepted = listener.accept().await?;
//! assert_eq!(connection.peer_addr()?, address);
//! drop(connection);
//! assert_eq!((connections.stats().idle, connections.stats().in_use), (1, 0));
//! connections.close(Duration::from_secs(5)).await?;
//! # Ok(())
//! # }
//! ```

mod config;
mod manage;
mod pool;
mod pooled;

pub use config::ObjectPoolBuilder;
pub use manage::{Manage, Plain, Recycle};
pub use pool::{ObjectError, ObjectPool, ObjectStats};
pub use pooled::PooledObject;
