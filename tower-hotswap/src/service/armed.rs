//! A clone of a generation's service.

use http::Request;
use tower_service::Service;

use super::{ResponseFuture, future::Observation};
use crate::{InFlight, generation::Door, store::Stamp};

/// A clone of the primary's service in the table of that stamp.
#[derive(Debug)]
pub(crate) struct Armed<S> {
    pub(super) stamp: Stamp,
    pub(super) service: S,
    /// What requests are counted in by.
    pub(super) door: Door,
    /// The mark of a request that is not handed over yet: the service is being called, or panicked.
    pub(super) mark: Option<InFlight>,
    /// The service was called and not polled since, so that it has nothing reserved.
    pub(super) spent: bool,
}

impl<S> Armed<S> {
    pub(crate) fn new(stamp: Stamp, service: S, door: Door) -> Self {
        Self {
            stamp,
            service,
            door,
            mark: None,
            spent: false,
        }
    }

    #[cfg(all(test, hotswap_loom))]
    pub(crate) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Counts a request in, unless the generation is retired and has drained.
    #[inline]
    pub(super) fn count_in(&mut self) -> bool {
        // A mark that a panic left behind does for this request.
        if self.mark.is_none() {
            self.mark = self.door.enter();
        }
        self.mark.is_some()
    }

    /// Calls the service, which is ready; the request is counted in.
    #[inline(always)]
    pub(super) fn call<B>(&mut self, request: Request<B>) -> ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        ResponseFuture::called(self.service.call(request), self.hand_over())
    }

    /// The same while a canary runs.
    pub(super) fn call_observed<B>(
        &mut self,
        request: Request<B>,
        observation: Option<Observation>,
    ) -> ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        ResponseFuture::observed(self.service.call(request), self.hand_over(), observation)
    }

    #[inline]
    fn hand_over(&mut self) -> Option<InFlight> {
        self.spent = true;
        self.mark.take()
    }
}
