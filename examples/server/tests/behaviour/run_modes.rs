//! Both ways to spread work over the cores serve alike.

use crate::client::Client;
use crate::process::{Server, output, program};

// The clients answer the pings of the drain while the test waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_a_core_serves_and_drains() {
    let arguments = ["--run-mode", "thread-per-core", "--threads", "3"];
    let server = Server::start(&arguments);
    for _ in 0..20 {
        // A connection each, so that every thread's socket has a chance.
        let client = Client::http1(server.address);
        assert_eq!(
            client.get("/api/v1/books/1").await.json()["title"],
            "Frankenstein"
        );
        let client = Client::http2(server.address);
        assert_eq!(client.get("/hello").await.body, "Hello, World!");
    }
    #[cfg(unix)]
    {
        server.signal("TERM");
        let line = server.logged("stopped: every request was answered");
        assert!(line.contains("requests=40"), "{line}");
        assert_eq!(server.wait().code(), Some(0));
    }
}

#[test]
fn two_servers_do_not_share_a_port_by_mistake() {
    let arguments = ["--run-mode", "thread-per-core", "--threads", "2"];
    let first = Server::start(&arguments);
    let address = first.address.to_string();
    let second = output(program(&arguments).env("SERVER_LISTEN", &address));
    let text = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{text}");
    assert!(
        text.contains(&format!("cannot listen on {address}")),
        "{text}"
    );
}
