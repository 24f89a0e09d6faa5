//! A hundred thousand connections over streams in memory: who is closed, in which order, and what it takes to find them.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use tokio::io::{AsyncRead, DuplexStream, ReadBuf, duplex};

use crate::admission::{Admission, AdmittedStream, Limits, TICK};

const CONNECTIONS: usize = 100_000;
/// Connections come in groups, a tick apart.
const GROUP: usize = 1_000;
/// More looks at slots than it takes to find a connection, to close it, or to put it where it belongs by now: its own and its
/// neighbours' in two lists.
const LOOKS: usize = 20;

/// The numbers of those that were woken, which an idle connection only is to be closed.
type Woken = Arc<Mutex<Vec<usize>>>;

struct Task {
    number: usize,
    woken: Woken,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.woken.lock().unwrap().push(self.number);
    }
}

struct Client {
    stream: AdmittedStream<DuplexStream>,
    _other_end: DuplexStream,
    waker: Waker,
}

impl Client {
    /// An idle connection: it has had a request, and waits for the next.
    fn connect(admission: &Admission, number: usize, woken: &Woken) -> Self {
        let (io, other_end) = duplex(1);
        let place = admission.core().enter(0).take(None, &Default::default());
        let task = Task {
            number,
            woken: Arc::clone(woken),
        };
        let mut client = Self {
            stream: AdmittedStream::new(io, Vec::new(), place, &admission.limits()),
            _other_end: other_end,
            waker: Arc::new(task).into(),
        };
        client.stream.connection().established();
        client.request();
        assert!(!client.has_ended());
        client
    }

    fn request(&self) {
        drop(self.stream.connection().begin());
    }

    /// Whether its task would see an end of file by now.
    fn has_ended(&mut self) -> bool {
        let mut context = Context::from_waker(&self.waker);
        let mut byte = [0];
        let mut byte = ReadBuf::new(&mut byte);
        let read = Pin::new(&mut self.stream).poll_read(&mut context, &mut byte);
        assert!(byte.filled().is_empty());
        matches!(read, Poll::Ready(Ok(())))
    }
}

struct Server {
    admission: Admission,
    clients: Vec<Option<Client>>,
    woken: Woken,
}

impl Server {
    /// All the connections, which have been silent for the longer the lower their number is.
    async fn full() -> Self {
        let limits = Limits::none();
        let admission = Admission::builder().limits(limits).build().unwrap();
        let mut server = Self {
            admission,
            clients: Vec::with_capacity(CONNECTIONS),
            woken: Woken::default(),
        };
        for number in 0..CONNECTIONS {
            if number % GROUP == 0 {
                server.pass_a_tick().await;
            }
            let client = Client::connect(&server.admission, number, &server.woken);
            server.clients.push(Some(client));
        }
        server.pass_a_tick().await;
        server
    }

    async fn pass_a_tick(&self) {
        tokio::time::advance(TICK).await;
        self.admission.core().clock.advance();
    }

    /// Reclaims so many; who was closed, and how often a slot was looked at for it.
    async fn reclaim(&mut self, count: usize) -> (Vec<usize>, usize) {
        let touched = |admission: &Admission| admission.core().table().touched();
        let before = touched(&self.admission);
        let closed = self.admission.reclaim(count, Duration::ZERO).await;
        let touched = touched(&self.admission) - before;
        let woken = std::mem::take(&mut *self.woken.lock().unwrap());
        assert_eq!(woken.len(), closed);
        // As their tasks do. That the pipe below is gone wakes them, too.
        for number in &woken {
            let client = self.clients[*number].take();
            assert!(client.is_some_and(|mut client| client.has_ended()));
        }
        self.woken.lock().unwrap().clear();
        (woken, touched)
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_hundred_thousand_the_longest_idle_are_found_without_a_look_at_the_others() {
    let mut server = Server::full().await;
    assert_eq!(server.admission.core().open() as usize, CONNECTIONS);

    // Two groups and a half, in order.
    let (closed, touched) = server.reclaim(2_500).await;
    assert_eq!(closed, (0..2_500).collect::<Vec<_>>());
    assert!(touched <= LOOKS * 2_500, "{touched}");

    // Those that were active since are spared, and so are those with a request; each is met once.
    for number in 2_500..2_600 {
        server.clients[number].as_ref().unwrap().request();
    }
    let requests: Vec<_> = (2_600..2_700)
        .map(|number| {
            server.clients[number]
                .as_ref()
                .unwrap()
                .stream
                .connection()
                .begin()
        })
        .collect();
    let (closed, touched) = server.reclaim(1_000).await;
    assert_eq!(closed, (2_700..3_700).collect::<Vec<_>>());
    assert!(touched <= LOOKS * 1_200, "{touched}");
    let (closed, touched) = server.reclaim(1_000).await;
    assert_eq!(closed, (3_700..4_700).collect::<Vec<_>>());
    assert!(touched <= LOOKS * 1_000, "{touched}");

    // Nobody else was told to end.
    let open = server.clients.iter_mut().flatten();
    assert_eq!(
        open.filter(|client| !client.stream.connection().is_closing())
            .count(),
        CONNECTIONS - 4_500
    );
    drop(requests);

    // The counts above are worth something: a walk over the table is seen.
    let table = server.admission.core().table();
    let before = table.touched();
    let walked = table.iter().count();
    assert!(table.touched() - before >= walked && walked > 90_000);
}
