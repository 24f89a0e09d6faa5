use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::{
    io::{AsyncWriteExt, DuplexStream, duplex},
    net::TcpListener,
    time::{sleep, timeout},
};

use super::*;
use crate::descriptors::DescriptorGuard;

const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 80);

/// A listening socket with this connection in its queue, and no descriptor for another.
struct Exhausted {
    connection: Option<DuplexStream>,
    error: i32,
}

impl Accept for Exhausted {
    type Io = DuplexStream;
    type Address = SocketAddr;

    async fn accept(&mut self) -> io::Result<(DuplexStream, SocketAddr)> {
        // So that whoever does not wait for anything is seen to.
        sleep(Duration::from_millis(1)).await;
        match self.connection.take() {
            Some(io) => Ok((io, LOCAL)),
            None => Err(io::Error::from_raw_os_error(self.error)),
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(LOCAL)
    }
}

#[tokio::test(start_paused = true)]
async fn whom_a_proxy_names_while_descriptors_are_out_comes_in() {
    let guard = DescriptorGuard::new().spares(0);
    let admission = Admission::builder().descriptors(guard).build().unwrap();
    tokio::spawn(admission.maintain());
    let (io, mut proxy) = duplex(64);
    let socket = Exhausted {
        connection: Some(io),
        error: EMFILE,
    };
    let trusted = ProxyProtocol::from_trusted(["127.0.0.1".parse().unwrap()]);
    let mut listener = admission.listener(socket).proxy_protocol(trusted);
    let accept = tokio::spawn(async move { listener.accept().await.1 });
    sleep(PAUSE / 2).await;
    let header = b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n";
    proxy.write_all(header).await.unwrap();
    let client = timeout(10 * PAUSE, accept).await.expect("an accept");
    assert_eq!(client.unwrap(), SocketAddr::from(([192, 0, 2, 7], 4711)));
}

/// A spare would be whose who asks the system first.
#[tokio::test(start_paused = true)]
async fn spares_are_kept_where_the_system_has_no_descriptors() {
    let admission = Admission::builder().build().unwrap();
    tokio::spawn(admission.maintain());
    let socket = Exhausted {
        connection: None,
        error: ENFILE,
    };
    let mut listener = admission.listener(socket);
    let accept = tokio::spawn(async move { listener.accept().await.1 });
    sleep(3 * PAUSE).await;
    // Whoever gives one up tries again at once.
    let failures = admission.snapshot().out_of_descriptors;
    assert!(failures <= 4, "{failures}");
    accept.abort();
}

/// As a management does. The listener is in the middle of a pause that is longer.
#[tokio::test(start_paused = true)]
async fn time_is_kept_when_who_kept_it_has_stopped() {
    let limits = Limits::none().total(1).at_limit(AtLimit::Pause);
    let admission = Admission::builder().limits(limits).build().unwrap();
    let core = Arc::clone(admission.core());
    let kept = admission.maintain();
    let _full = core.enter(0);
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut listener = admission.listener(socket);
    let accept = tokio::spawn(async move { listener.accept().await.1 });
    sleep(2 * PAUSE).await;
    drop(kept);
    sleep(2 * PAUSE).await;
    assert!(!core.claim_maintenance(), "somebody keeps it");
    accept.abort();
}
