use std::{
    fmt,
    future::{Future, poll_fn},
    io, mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{task::yield_now, time::Instant};

use super::{
    Accept, Admission, AdmittedStream, AtLimit, ClientAddress, Limits, ProxyProtocol, Refusal,
    Transport,
    accept::{is_of_the_connection, out_of_descriptors},
    core::Core,
    place::Reservation,
    proxy, refuse,
    shared::Handshakes,
};
use crate::{descriptors::Short, reclaim::make_room};

/// Refused clients that are waited for until they have read their answer, and never more than half of the headroom: each
/// has a descriptor. The next ones are reset.
const LINGERING: usize = 16;

/// Connections whose proxy's header is under way. The next ones wait in the kernel's queue.
const PROXYING: usize = 1024;

/// How long a pause lasts at most before the room is looked at again, should a release go unnoticed.
const PAUSE: Duration = Duration::from_millis(100);

/// A listening socket under [`Admission`]; with the feature `axum` it is an `axum::serve::Listener`.
///
/// It accepts while there is room, and else pauses or refuses, see [`Limits::at_limit`]. It never sleeps for a fixed time and
/// never spins: a pause ends when a connection does.
pub struct AdmissionListener<A: Accept> {
    /// Gone once the server drains, so that the kernel refuses newcomers.
    inner: Option<A>,
    admission: Admission,
    class: usize,
    proxy: Option<Arc<ProxyProtocol>>,
    handshakes: Handshakes,
    /// A token of the accept rate that is not spent yet.
    token: bool,
    /// One was accepted since others had their turn.
    accepted_one: bool,
    work: Work<A>,
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Accepted<A> = (AdmittedStream<<A as Accept>::Io>, <A as Accept>::Address);

/// What goes on beside accepting.
struct Work<A: Accept> {
    refusals: FuturesUnordered<Boxed<()>>,
    proxying: FuturesUnordered<Boxed<Option<Proxied<A>>>>,
}

struct Proxied<A: Accept> {
    io: A::Io,
    address: A::Address,
    rest: Vec<u8>,
    reservation: Reservation,
}

enum Gate {
    /// Accept, and then see who may come in.
    Open,
    /// Wait for a connection to end, or for the time.
    Wait(Instant),
}

impl<A: Accept> AdmissionListener<A> {
    pub(crate) fn new(inner: A, admission: Admission, class: usize) -> Self {
        Self {
            inner: Some(inner),
            admission,
            class,
            proxy: None,
            handshakes: Handshakes::default(),
            token: false,
            accepted_one: false,
            work: Work {
                refusals: FuturesUnordered::new(),
                proxying: FuturesUnordered::new(),
            },
        }
    }

    /// Reads the PROXY protocol's header from the peers that [`ProxyProtocol`] trusts.
    pub fn proxy_protocol(mut self, proxy: ProxyProtocol) -> Self {
        self.proxy = Some(Arc::new(proxy));
        self
    }

    /// The admission it belongs to.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// The address that is listened on.
    ///
    /// # Errors
    /// Those of the inner listener; `NotConnected` once the server drains.
    pub fn local_addr(&self) -> io::Result<A::Address> {
        match &self.inner {
            Some(inner) => inner.local_addr(),
            None => Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the listener is closed because the server drains",
            )),
        }
    }

    /// Waits for a connection that may come in. Once the server drains it closes the listening socket and never returns.
    ///
    /// # Cancellation
    /// No connection is lost when the future is dropped.
    pub async fn accept(&mut self) -> Accepted<A> {
        let core = Arc::clone(self.admission.core());
        loop {
            // At every turn: whoever kept the time may have stopped meanwhile, as a management does.
            self.admission.ensure_maintained();
            // What is ready runs, after a look at the sockets: an active connection waits for the head of one newcomer, and for what
            // answering it writes, and not for those of a thousand. The look is one system call more to the ten of a connection.
            if mem::take(&mut self.accepted_one) {
                yield_now().await;
            }
            if core.is_draining() {
                self.inner = None;
            }
            let Some(inner) = &mut self.inner else {
                return self.work.finish().await;
            };
            let limits = core.limits.load_full();
            let gate = match self.work.proxying.len() < PROXYING {
                true => gate(&core, self.class, &limits, &mut self.token),
                false => Gate::Wait(Instant::now() + PAUSE),
            };
            if let Gate::Wait(until) = gate {
                let room = || core.room(self.class, &limits).is_ok();
                // Room that is there already means that the pause is for something else.
                let known = room();
                let pause = core.released(until, || !known && room());
                if let Beside::Proxied(proxied) = self.work.beside(pause).await
                    && let Some(accepted) = self.finish(&core, proxied, &limits)
                {
                    return accepted;
                }
                continue;
            }
            let accept = core.until_drained(inner.accept());
            let result = match self.work.beside(accept).await {
                Beside::Proxied(proxied) => {
                    match self.finish(&core, proxied, &core.limits.load()) {
                        Some(accepted) => return accepted,
                        None => continue,
                    }
                }
                Beside::Done(None) => continue,
                Beside::Done(Some(result)) => result,
            };
            match result {
                Ok((io, address)) => {
                    self.token = false;
                    self.accepted_one = true;
                    if let Some(accepted) = self.admit(&core, io, address) {
                        return accepted;
                    }
                }
                Err(error) => {
                    if let Some(accepted) = self.failed(&core, &error).await {
                        return accepted;
                    }
                }
            }
        }
    }

    fn admit(&mut self, core: &Arc<Core>, io: A::Io, address: A::Address) -> Option<Accepted<A>> {
        // Much may have happened since the gate: places were taken or left, limits replaced.
        let limits = &*core.limits.load();
        if let Err(refusal) = core.room(self.class, limits) {
            self.refuse(core, io, refusal, limits);
            return None;
        }
        let mut reservation = core.enter(self.class);
        if let Some(proxy) = &self.proxy
            && address.ip().is_none_or(|ip| proxy.trusts(ip))
        {
            let proxied = read_header(io, address, reservation, Arc::clone(proxy));
            self.work.proxying.push(Box::pin(proxied));
            return None;
        }
        match reservation.name(address.ip(), limits) {
            Ok(()) => {
                let place = reservation.take(io.descriptor(), &self.handshakes);
                Some((AdmittedStream::new(io, Vec::new(), place, limits), address))
            }
            Err(refusal) => {
                self.refuse(core, io, refusal, limits);
                None
            }
        }
    }

    /// Admits a connection whose proxy has named the client.
    fn finish(
        &mut self,
        core: &Arc<Core>,
        proxied: Proxied<A>,
        limits: &Limits,
    ) -> Option<Accepted<A>> {
        let Proxied {
            io,
            address,
            rest,
            mut reservation,
        } = proxied;
        match reservation.name(address.ip(), limits) {
            Ok(()) => {
                let place = reservation.take(io.descriptor(), &self.handshakes);
                Some((AdmittedStream::new(io, rest, place, limits), address))
            }
            Err(refusal) => {
                self.refuse(core, io, refusal, limits);
                None
            }
        }
    }

    fn refuse(&mut self, core: &Arc<Core>, io: A::Io, refusal: Refusal, limits: &Limits) {
        core.counters.refused(refusal);
        let room = (core.descriptors.headroom() as usize / 2).min(LINGERING);
        let lingers = self.work.refusals.len() < room;
        if limits.at_limit == AtLimit::Unavailable && lingers {
            // Spread over a few seconds, so that they do not all come back at once.
            let retry_after = 1 + (core.counters.all_refused().iter().sum::<u64>() % 4) as u32;
            let counted = core.refusing();
            self.work.refusals.push(Box::pin(async move {
                refuse::unavailable(io, retry_after).await;
                drop(counted);
            }));
        } else {
            refuse::reset(io);
        }
        core.descriptors.spares().refill();
    }

    /// accept(2) failed. Who was named by a proxy while that is waited out.
    async fn failed(&mut self, core: &Arc<Core>, error: &io::Error) -> Option<Accepted<A>> {
        if is_of_the_connection(error) {
            return None;
        }
        if let Some(short) = out_of_descriptors(error) {
            core.counters.out_of_descriptors();
            core.descriptors.exhausted();
            core.descriptors.ran_out(core.open(), short);
            make_room(core);
            if short == Short::Process && core.descriptors.spares().give_up() {
                // The next accept gets this one, and finds no room.
                return None;
            }
        }
        // An error that stays, such as ENFILE of the whole system or no memory: try again soon, or when something ends.
        let pause = core.released(Instant::now() + PAUSE, || false);
        match self.work.beside(pause).await {
            Beside::Proxied(proxied) => self.finish(core, proxied, &core.limits.load()),
            Beside::Done(()) => None,
        }
    }
}

fn gate(core: &Core, class: usize, limits: &Limits, token: &mut bool) -> Gate {
    let now = Instant::now();
    let Err(refusal) = core.room(class, limits) else {
        let rate = limits.accept_rate.filter(|_| !core.is_exempt(class));
        if let (Some(rate), false) = (rate, *token) {
            if let Err(at) = core.rate.take(now, rate, limits.accept_burst) {
                core.counters.paused();
                return Gate::Wait(at);
            }
            *token = true;
        }
        return Gate::Open;
    };
    let reclaimed = refusal == Refusal::Descriptors && make_room(core) > 0;
    if reclaimed || limits.at_limit == AtLimit::Pause {
        core.counters.paused();
        Gate::Wait(now + PAUSE)
    } else {
        Gate::Open
    }
}

async fn read_header<A: Accept>(
    mut io: A::Io,
    address: A::Address,
    reservation: Reservation,
    proxy: Arc<ProxyProtocol>,
) -> Option<Proxied<A>> {
    let read = proxy::read(&mut io);
    let header = tokio::time::timeout(proxy.deadline_value(), read).await;
    let Ok(Ok((source, rest))) = header else {
        reservation.refused(Refusal::Proxy);
        refuse::reset(io);
        return None;
    };
    let address = source.and_then(A::Address::proxied).unwrap_or(address);
    Some(Proxied {
        io,
        address,
        rest,
        reservation,
    })
}

/// What [`Work::beside`] ended with.
enum Beside<A: Accept, T> {
    /// A connection's proxy has named the client.
    Proxied(Proxied<A>),
    Done(T),
}

impl<A: Accept> Work<A> {
    /// Drives what goes on beside `future` until either has something.
    async fn beside<F: Future>(&mut self, future: F) -> Beside<A, F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Some(proxied) = self.poll(cx) {
                return Poll::Ready(Beside::Proxied(proxied));
            }
            future.as_mut().poll(cx).map(Beside::Done)
        })
        .await
    }

    /// Nobody is admitted any more: lets go of those whose proxy has not named them yet, and has refused clients read their
    /// answers. Never ends.
    async fn finish<T>(&mut self) -> T {
        self.proxying.clear();
        poll_fn(|cx| {
            self.poll_refusals(cx);
            Poll::Pending
        })
        .await
    }

    fn poll_refusals(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(())) = self.refusals.poll_next_unpin(cx) {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Option<Proxied<A>> {
        self.poll_refusals(cx);
        while let Poll::Ready(Some(outcome)) = self.proxying.poll_next_unpin(cx) {
            if outcome.is_some() {
                return outcome;
            }
        }
        None
    }
}

impl<A: Accept> fmt::Debug for AdmissionListener<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmissionListener")
            .field("class", &self.admission.core().classes[self.class].class)
            .field("closed", &self.inner.is_none())
            .field("refusals", &self.work.refusals.len())
            .field("proxying", &self.work.proxying.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
