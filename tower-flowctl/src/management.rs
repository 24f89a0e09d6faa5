//! A class of connections with its own thread: health checks and administration that answer while everything else is busy.
//!
//! Three things have to be apart for that: the listening socket, so that a full accept queue of the public one does not
//! matter; the descriptors, which a [`Class`](crate::admission::Class) reserves; and the thread, because a runtime whose
//! workers all compute polls nobody. The kernel shares processors among threads fairly, so a thread that mostly waits is
//! run soon after it wakes, whatever the others do.
//!
//! The admission's maintenance moves here, too: deadlines and the descriptors' guard then keep time under load.
//!
//! ```no_run
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, routing::get};
//! use tower_flowctl::{
//!     admission::{Admission, Class},
//!     management::Management,
//! };
//!
//! let admission = Admission::builder()
//!     .class(Class::new("management").limit(64).reserve(16).exempt())
//!     .build()?;
//! let app = Router::new().route("/healthz", get(|| async { "up" }));
//! let socket = std::net::TcpListener::bind("127.0.0.1:9000")?;
//! let management = Management::spawn(&admission, "management", socket, |listener| async {
//!     let _ = axum::serve(listener, app).await;
//! })?;
//! # drop(management);
//! # Ok(())
//! # }
//! ```

use std::{fmt, future::Future, io, net::SocketAddr, thread};

use futures_util::future::select;
use tokio::{net::TcpListener, sync::oneshot};

use crate::admission::{Admission, AdmissionListener, ConfigError};

/// A listening socket that is served on a thread of its own. Dropping it has the thread end by itself.
#[derive(Debug)]
pub struct Management {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl Management {
    /// Serves `socket` in the class of this name with what `serve` makes of the listener, on a new thread with a
    /// single-threaded runtime.
    ///
    /// What runs here shares one thread: a handler that computes for long delays all others of the class.
    ///
    /// # Errors
    /// If the admission has no such class, or the thread, its runtime or the socket cannot be had.
    pub fn spawn<F, S>(
        admission: &Admission,
        class: &str,
        socket: std::net::TcpListener,
        serve: F,
    ) -> Result<Self, ManagementError>
    where
        F: FnOnce(AdmissionListener<TcpListener>) -> S + Send + 'static,
        S: Future<Output = ()>,
    {
        let address = socket.local_addr()?;
        socket.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = {
            let _context = runtime.enter();
            admission.class_listener(class, TcpListener::from_std(socket)?)?
        };
        let (stop, stopped) = oneshot::channel();
        let maintenance = admission.maintain();
        let thread = thread::Builder::new()
            .name(class.to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    tokio::spawn(maintenance);
                    let serve = std::pin::pin!(serve(listener));
                    select(serve, stopped).await;
                });
            })?;
        Ok(Self {
            address,
            stop,
            thread,
        })
    }

    /// The address that is listened on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Ends it, and waits until the thread is gone. Its connections are closed without further ado.
    ///
    /// # Panics
    /// If the thread did.
    pub fn stop(self) {
        drop(self.stop);
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

/// Why there is no management listener.
#[derive(Debug)]
#[non_exhaustive]
pub enum ManagementError {
    /// The admission does not have the class.
    Config(ConfigError),
    /// The thread, its runtime, or the socket.
    Io(io::Error),
}

impl fmt::Display for ManagementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(_) => f.write_str("the management listener's class is wrong"),
            Self::Io(_) => f.write_str("the management listener's thread could not be started"),
        }
    }
}

impl std::error::Error for ManagementError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Io(error) => Some(error),
        }
    }
}

impl From<ConfigError> for ManagementError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<io::Error> for ManagementError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
