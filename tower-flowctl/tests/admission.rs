//! Connections that come in, are refused, closed, and drained: real sockets under an unmodified `axum::serve`.
#![cfg(all(feature = "admission", feature = "axum"))]

mod support;

use std::time::Duration;

use axum::{
    Router,
    extract::ConnectInfo,
    routing::{get, post},
};
use support::{Client, Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tower_flowctl::admission::{
    Admission, AtLimit, Class, Connection, ConnectionState, CountRequests, Cut, Limits,
    ProxyProtocol, Refusal, RemoteAddress,
};

fn app() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/echo", post(|body: String| async { body }))
        .route("/pending", get(std::future::pending::<()>))
        .route(
            "/ip",
            get(
                |ConnectInfo(address): ConnectInfo<RemoteAddress>| async move {
                    address.0.ip().to_string()
                },
            ),
        )
}

async fn serve(limits: Limits) -> Server {
    Server::start(Admission::builder().limits(limits).build().unwrap(), app()).await
}

#[tokio::test]
async fn answers_and_counts() {
    let server = serve(Limits::new()).await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        assert_eq!(client.get("/").await.text(), "hello");
    }
    let connection = server.only_connection();
    assert_eq!(connection.requests(), 3);
    assert_eq!(connection.in_flight(), 0);
    assert_eq!(connection.state(), ConnectionState::Idle);
    drop(client);
    server.until(|snapshot| snapshot.open == 0).await;
    let snapshot = server.admission.snapshot();
    assert_eq!((snapshot.accepted, snapshot.open), (1, 0));
}

#[tokio::test]
async fn the_total_is_refused_by_503_until_one_leaves() {
    let server = serve(Limits::none().total(2)).await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    first.get("/").await;
    second.get("/").await;
    let refused = server.connect().await.get("/").await;
    assert_eq!(refused.status, 503);
    assert!(refused.head.contains("Retry-After: "), "{}", refused.head);
    assert!(refused.head.contains("Connection: close"));
    assert_eq!(server.admission.snapshot().refused(Refusal::Total), 1);
    drop(first);
    server.until(|snapshot| snapshot.open == 1).await;
    assert_eq!(server.connect().await.get("/").await.status, 200);
}

#[tokio::test]
async fn the_total_pauses_until_one_leaves() {
    let server = serve(Limits::none().total(1).at_limit(AtLimit::Pause)).await;
    let mut first = server.connect().await;
    first.get("/").await;
    let mut second = server.connect().await;
    second.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    server.until(|snapshot| snapshot.pauses > 0).await;
    drop(first);
    assert_eq!(second.receive().await.unwrap().status, 200);
    assert_eq!(server.admission.snapshot().refused(Refusal::Total), 0);
}

#[tokio::test]
async fn refusing_by_reset() {
    let server = serve(Limits::none().total(1).at_limit(AtLimit::Reset)).await;
    let mut first = server.connect().await;
    first.get("/").await;
    // The reset may be there before the client sees that it is connected.
    if let Some(mut second) = Client::try_connect(server.address).await
        && second.try_send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await
    {
        assert!(second.receive().await.is_none());
    }
    assert_eq!(server.admission.snapshot().refused(Refusal::Total), 1);
}

#[tokio::test]
async fn an_address_is_refused_and_another_is_not() {
    let server = serve(Limits::none().per_address(1)).await;
    let mut first = server.connect_from([127, 0, 0, 2]).await;
    assert_eq!(first.get("/").await.status, 200);
    assert_eq!(
        server
            .connect_from([127, 0, 0, 2])
            .await
            .get("/")
            .await
            .status,
        503
    );
    assert_eq!(
        server
            .connect_from([127, 0, 0, 3])
            .await
            .get("/")
            .await
            .status,
        200
    );
    assert_eq!(server.admission.snapshot().refused(Refusal::Address), 1);
}

#[tokio::test]
async fn limits_are_replaced_while_connections_are_open() {
    let server = serve(Limits::none().total(1)).await;
    let mut first = server.connect().await;
    first.get("/").await;
    assert_eq!(server.connect().await.get("/").await.status, 503);
    server
        .admission
        .set_limits(Limits::none().total(2))
        .unwrap();
    assert_eq!(server.connect().await.get("/").await.status, 200);
    let error = server
        .admission
        .set_limits(Limits::none().total(0))
        .unwrap_err();
    assert!(error.to_string().contains("`total`"));
    assert_eq!(server.admission.limits().total, Some(2));
    // An idle timeout that was not there before finds the connection that is.
    let limits = Limits::none().idle(Duration::from_millis(100));
    server.admission.set_limits(limits).unwrap();
    assert!(first.receive().await.is_none());
    assert!(server.admission.snapshot().cut(Cut::Idle) >= 1);
}

#[tokio::test]
async fn a_class_has_its_own_limit() {
    let admission = Admission::builder()
        .limits(Limits::none())
        .class(Class::new("default").limit(1))
        .class(Class::new("management"))
        .build()
        .unwrap();
    let management = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = management.local_addr().unwrap();
    let listener = admission.class_listener("management", management).unwrap();
    tokio::spawn(async { axum::serve(listener, CountRequests::new(app())).await });
    assert!(
        admission
            .class_listener("other", TcpListener::bind("127.0.0.1:0").await.unwrap())
            .unwrap_err()
            .to_string()
            .contains("`other`")
    );
    let server = Server::start(admission, app()).await;
    let mut first = server.connect().await;
    first.get("/").await;
    assert_eq!(server.connect().await.get("/").await.status, 503);
    for _ in 0..3 {
        assert_eq!(Client::connect(address).await.get("/").await.status, 200);
    }
}

#[tokio::test]
async fn an_exempt_class_neither_fills_the_limits_nor_is_held_to_them() {
    for limits in [
        Limits::none().total(1),
        Limits::none().per_address(1),
        Limits::none().per_prefix(1),
        Limits::none().accept_rate(1, 1),
    ] {
        let admission = Admission::builder()
            .limits(limits.clone())
            .class(Class::new("management").limit(3).exempt())
            .build()
            .unwrap();
        let management = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = management.local_addr().unwrap();
        let listener = admission.class_listener("management", management).unwrap();
        tokio::spawn(async { axum::serve(listener, CountRequests::new(app())).await });
        let server = Server::start(admission, app()).await;
        let mut held = Vec::new();
        for _ in 0..2 {
            let mut client = Client::connect(address).await;
            assert_eq!(client.get("/").await.status, 200, "{limits:?}");
            held.push(client);
        }
        // They have not taken the one place that there is, nor the second's one acceptance.
        let mut only = server.connect().await;
        assert_eq!(only.get("/").await.status, 200, "{limits:?}");
        assert_eq!(server.admission.snapshot().open, 3);
        // With that place taken there is room for them still, up to their own limit.
        let mut third = Client::connect(address).await;
        assert_eq!(third.get("/").await.status, 200, "{limits:?}");
        let fourth = Client::connect(address).await.get("/").await;
        assert_eq!(fourth.status, 503, "{limits:?}");
        if limits.accept_rate.is_none() {
            assert_eq!(server.connect().await.get("/").await.status, 503);
        }
    }
}

#[tokio::test]
async fn a_header_that_does_not_come_is_cut() {
    let server = serve(Limits::none().header(Duration::from_millis(200))).await;
    let mut silent = server.connect().await;
    assert!(silent.receive().await.is_none());
    let mut dribbling = server.connect().await;
    dribbling.send("GET / HTTP/1.1\r\nHos").await;
    assert!(dribbling.receive().await.is_none());
    let mut second_head = server.connect().await;
    second_head.get("/").await;
    second_head.send("GET / HT").await;
    assert!(second_head.receive().await.is_none());
    assert_eq!(server.admission.snapshot().cut(Cut::Header), 3);
}

/// Below a layer with a handshake of five bytes.
#[tokio::test]
async fn a_handshake_that_is_not_finished_is_cut() {
    let limits = Limits::none().handshake(Duration::from_millis(500));
    let admission = Admission::builder().limits(limits).build().unwrap();
    let server = Server::start_with(admission, |mut listener| {
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await;
                tokio::spawn(async move {
                    stream.read_exact(&mut [0; 5]).await?;
                    stream.connection().established();
                    stream.read_exact(&mut [0; 5]).await
                });
            }
        });
    })
    .await;
    let mut silent = server.connect().await;
    assert!(silent.receive().await.is_none());
    assert_eq!(server.admission.snapshot().cut(Cut::Handshake), 1);
    let mut honest = server.connect().await;
    honest.send("hello").await;
    let mut dribbling = server.connect().await;
    dribbling.send("he").await;
    assert!(dribbling.receive().await.is_none());
    // The honest one is still there.
    server.until(|snapshot| snapshot.open == 1).await;
    assert_eq!(server.admission.snapshot().cut(Cut::Handshake), 2);
    assert!(!honest.has_ended());
}

#[tokio::test]
async fn a_keep_alive_connection_has_no_header_deadline() {
    let limits = Limits::none().header(Duration::from_millis(100));
    let server = serve(limits).await;
    let mut client = server.connect().await;
    client.get("/").await;
    let mut other = server.connect().await;
    assert!(other.receive().await.is_none(), "the deadline is at work");
    assert_eq!(client.get("/").await.status, 200);
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_order() {
    let server = serve(Limits::none().idle(Duration::from_millis(200))).await;
    let mut client = server.connect().await;
    client.get("/").await;
    assert!(client.is_at_end_of_file().await);
    assert_eq!(server.admission.snapshot().cut(Cut::Idle), 1);
}

#[tokio::test]
async fn a_slow_body_is_cut_and_a_steady_one_is_not() {
    let limits = Limits::none().rate(1000, Duration::from_millis(300));
    let server = serve(limits).await;
    let head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n";
    let mut slow = server.connect().await;
    slow.send(head).await;
    let mut steady = server.connect().await;
    steady.send(head).await;
    let cut = async {
        slow.receive()
            .await
            .is_none_or(|response| response.status != 200)
    };
    let answered = async {
        let piece = [b'x'; 5000];
        for _ in 0..20 {
            steady.io.write_all(&piece).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        steady.receive().await.unwrap()
    };
    let (cut, answered) = tokio::join!(cut, answered);
    assert!(cut);
    assert_eq!((answered.status, answered.body.len()), (200, 100_000));
    assert_eq!(server.admission.snapshot().cut(Cut::SlowBody), 1);
}

#[tokio::test]
async fn a_slow_reader_is_cut() {
    let limits = Limits::none().rate(1000, Duration::from_millis(300));
    let app = app().route("/large", get(|| async { vec![b'x'; 64 << 20] }));
    let admission = Admission::builder().limits(limits).build().unwrap();
    let server = Server::start(admission, app).await;
    let mut client = server.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    server
        .until(|snapshot| snapshot.cut(Cut::SlowRead) == 1)
        .await;
    server.until(|snapshot| snapshot.open == 0).await;
    drop(client);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_the_kernel_holds_unsent_is_bounded() {
    for (limits, expected) in [
        (Limits::new(), 128 << 10),
        (Limits::new().unsent(1000), 1000),
        (Limits::new().unsent(None), u32::MAX),
    ] {
        let admission = Admission::builder().limits(limits).build().unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut listener = admission.listener(socket);
        let address = listener.local_addr().unwrap();
        let (_client, (stream, _)) = tokio::join!(Client::connect(address), listener.accept());
        let socket = socket2::SockRef::from(stream.get_ref());
        // The system's own value is reported as 0.
        let held = socket.tcp_notsent_lowat().unwrap();
        assert_eq!(if held == 0 { u32::MAX } else { held }, expected);
    }
}

#[tokio::test]
async fn a_long_poll_outlives_every_deadline() {
    let limit = Duration::from_millis(100);
    let limits = Limits::none().header(limit).idle(limit).rate(1000, limit);
    let server = serve(limits).await;
    let mut poll = server.connect().await;
    poll.send("GET /pending HTTP/1.1\r\nHost: x\r\n\r\n").await;
    server.until(|snapshot| snapshot.states.active == 1).await;
    for _ in 0..5 {
        let mut idle = server.connect().await;
        idle.get("/").await;
        assert!(idle.is_at_end_of_file().await);
    }
    assert_eq!(server.admission.snapshot().states.active, 1);
}

#[tokio::test]
async fn drain_answers_closes_and_reports() {
    let server = serve(Limits::none()).await;
    let mut idle = server.connect().await;
    idle.get("/").await;
    let mut posting = server.connect().await;
    posting
        .send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
        .await;
    let mut stuck = server.connect().await;
    stuck.send("GET /pending HTTP/1.1\r\nHost: x\r\n\r\n").await;
    server.until(|snapshot| snapshot.states.active == 2).await;
    let admission = server.admission.clone();
    let drain = tokio::spawn(async move { admission.drain(Duration::from_secs(1)).await });
    assert!(idle.is_at_end_of_file().await);
    assert!(
        tokio::net::TcpStream::connect(server.address)
            .await
            .is_err()
    );
    posting.send("cd").await;
    let response = posting.receive().await.unwrap();
    assert_eq!(response.text(), "abcd");
    assert!(
        response.head.contains("connection: close"),
        "{}",
        response.head
    );
    let report = drain.await.unwrap();
    assert_eq!((report.open, report.finished), (3, 2));
    assert_eq!((report.cut.len(), report.cut[0].in_flight), (1, 1));
    assert!(stuck.receive().await.is_none());
    assert_eq!(server.admission.snapshot().open, 0);
}

#[tokio::test]
async fn an_application_closes_its_connection() {
    let app = app().route(
        "/bye",
        get(
            |ConnectInfo(connection): ConnectInfo<Connection>| async move {
                connection.close();
                "bye"
            },
        ),
    );
    let admission = Admission::builder().build().unwrap();
    let server = Server::start_with(admission, |listener| {
        let make = app.into_make_service_with_connect_info::<Connection>();
        tokio::spawn(async { axum::serve(listener, CountRequests::new(make)).await });
    })
    .await;
    let mut client = server.connect().await;
    let response = client.get("/bye").await;
    assert_eq!(response.text(), "bye");
    assert!(
        response.head.contains("connection: close"),
        "{}",
        response.head
    );
    assert!(client.is_at_end_of_file().await);
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client() {
    let start = |trusted: &'static str| async move {
        let admission = Admission::builder()
            .limits(Limits::none().per_address(1))
            .build()
            .unwrap();
        Server::start_with(admission, |listener| {
            let listener =
                listener.proxy_protocol(ProxyProtocol::from_trusted([trusted.parse().unwrap()]));
            let make = app().into_make_service_with_connect_info::<RemoteAddress>();
            tokio::spawn(async { axum::serve(listener, CountRequests::new(make)).await });
        })
        .await
    };
    let server = start("127.0.0.0/8").await;
    let mut client = server.connect().await;
    let header = "PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n";
    client
        .send(&format!("{header}GET /ip HTTP/1.1\r\nHost: x\r\n\r\n"))
        .await;
    assert_eq!(client.receive().await.unwrap().text(), "192.0.2.7");
    assert_eq!(client.get("/ip").await.text(), "192.0.2.7");
    // A second connection of the same client is over the limit, one of another is not.
    let mut second = server.connect().await;
    second.send(header).await;
    let refused = second.receive().await.unwrap();
    assert_eq!(refused.status, 503, "by the policy of `at_limit`");
    let mut other = server.connect().await;
    other
        .send("PROXY TCP4 192.0.2.8 10.0.0.1 4711 80\r\n")
        .await;
    assert_eq!(other.get("/ip").await.text(), "192.0.2.8");
    // Without a header there is no guessing.
    let mut without = server.connect().await;
    without.send("GET /ip HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(without.receive().await.is_none());
    assert_eq!(server.admission.snapshot().refused(Refusal::Proxy), 1);

    let server = start("10.0.0.0/8").await;
    let mut stranger = server.connect().await;
    stranger
        .send(&format!("{header}GET /ip HTTP/1.1\r\nHost: x\r\n\r\n"))
        .await;
    assert_eq!(
        stranger.receive().await.map(|response| response.status),
        Some(400)
    );
}
