use std::future::{Future, Pending};

/// Says for each connection what asks for its close; see [`Serve::close_when`](super::Serve::close_when).
pub trait CloseWhen<Io>: Send + 'static {
    /// What resolves when the connection is to close.
    type Future: Future<Output = ()> + Send + 'static;

    /// The future for this connection; `None` if it is never asked to close.
    fn close_when(&mut self, io: &Io) -> Option<Self::Future>;
}

impl<Io, C, F> CloseWhen<Io> for C
where
    C: FnMut(&Io) -> Option<F> + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    type Future = F;

    fn close_when(&mut self, io: &Io) -> Option<F> {
        self(io)
    }
}

/// Connections close when they are done.
#[derive(Clone, Copy, Debug)]
pub struct NeverClose;

impl<Io> CloseWhen<Io> for NeverClose {
    type Future = Pending<()>;

    fn close_when(&mut self, _: &Io) -> Option<Self::Future> {
        None
    }
}
