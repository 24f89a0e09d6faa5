//! CPU time and throughput of static files against tower-http's `ServeDir` and whatever of nginx, lighttpd and caddy is
//! installed.
//!
//! ```text
//! cargo bench -p tower-zerocopy-fs --features axum --bench static_files -- [rounds]
//! ```
//!
//! The same work for everyone: keep-alive connections fetch one file of each size over loopback as fast as they can for
//! a second a round, all peers in turn within each round. Every server is a process of its own with one worker,
//! pinned to core 0; the client is pinned to core 1 and throws bytes away unseen. CPU time is the time on a core of
//! the server process and its children. Medians over the rounds are printed, and ratios.
//!
//! Then the fairness suite: the median time of a 1 KiB request while four connections loop the 100 MiB file.

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        fs,
        io::{Read, Write},
        net::{SocketAddr, TcpListener, TcpStream},
        path::Path,
        process::{Child, Command, Stdio},
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        time::{Duration, Instant},
    };

    const SIZES: [(&str, usize); 6] = [
        ("1k", 1 << 10),
        ("16k", 16 << 10),
        ("64k", 64 << 10),
        ("256k", 256 << 10),
        ("1m", 1 << 20),
        ("100m", 100 << 20),
    ];

    pub(super) fn main() {
        let arguments: Vec<String> = std::env::args().collect();
        if let Some(at) = arguments.iter().position(|a| a == "serve") {
            serve(
                &arguments[at + 1],
                arguments[at + 2].parse().unwrap(),
                Path::new(&arguments[at + 3]),
            );
            return;
        }
        let rounds = arguments.iter().find_map(|a| a.parse().ok()).unwrap_or(5);
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("root");
        fs::create_dir(&root).unwrap();
        for (name, len) in SIZES {
            fs::write(root.join(name), vec![b'x'; len]).unwrap();
        }
        pin(1);
        let peers = start_peers(scratch.path(), &root);
        sizes(&peers, rounds);
        fairness(&peers);
        for mut peer in peers {
            // Not by SIGKILL, which would leave the workers of those that have some.
            let id = rustix::process::Pid::from_child(&peer.child);
            rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
            peer.child.wait().unwrap();
        }
    }

    fn pin(core: usize) {
        let mut set = rustix::thread::CpuSet::new();
        set.set(core);
        rustix::thread::sched_setaffinity(None, &set).unwrap();
    }

    /// This program as a server: ours, or the peer that lives in the same ecosystem.
    fn serve(which: &str, port: u16, root: &Path) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
                .await
                .unwrap();
            match which {
                "ServeDir" => {
                    let app = axum::Router::new()
                        .fallback_service(tower_http::services::ServeDir::new(root));
                    axum::serve(listener, app).await
                }
                "ServeFiles, plain listener" => {
                    let app = axum::Router::new()
                        .fallback_service(tower_zerocopy_fs::ServeFiles::new(root));
                    axum::serve(listener, app).await
                }
                _ => {
                    let app = axum::Router::new()
                        .fallback_service(tower_zerocopy_fs::ServeFiles::new(root));
                    axum::serve(tower_zerocopy_fs::ZeroCopyListener::new(listener), app).await
                }
            }
            .unwrap();
        });
    }

    struct Peer {
        name: &'static str,
        child: Child,
        address: SocketAddr,
    }

    fn start_peers(scratch: &Path, root: &Path) -> Vec<Peer> {
        let mut peers = Vec::new();
        for name in ["ServeFiles", "ServeFiles, plain listener", "ServeDir"] {
            peers.push(start(name, |port| {
                let mut command = on_core_0(&std::env::current_exe().unwrap());
                command
                    .arg("serve")
                    .arg(name)
                    .arg(port.to_string())
                    .arg(root);
                command
            }));
        }
        for (name, extra) in [
            ("nginx, default", "tcp_nopush on;"),
            ("nginx, tuned", "tcp_nopush off; sendfile_max_chunk 256k;"),
        ] {
            peers.push(start(name, |port| {
                let file = scratch.join(format!("{port}.nginx.conf"));
                let text = format!(
                    "daemon off; worker_processes 1; pid {}; error_log /dev/null; user root;\n\
                     events {{ worker_connections 1024; }}\n\
                     http {{ access_log off; sendfile on; {extra} keepalive_requests 1000000000;\n\
                     open_file_cache max=1000; default_type application/octet-stream;\n\
                     server {{ listen 127.0.0.1:{port}; root {}; }} }}",
                    scratch.join(format!("{port}.pid")).display(),
                    root.display()
                );
                fs::write(&file, text).unwrap();
                let mut command = on_core_0("nginx".as_ref());
                command.arg("-c").arg(file);
                command
            }));
        }
        peers.push(start("lighttpd", |port| {
            let file = scratch.join("lighttpd.conf");
            let text = format!(
                "server.document-root = \"{}\"\nserver.port = {port}\nserver.bind = \"127.0.0.1\"\n\
                 server.network-backend = \"sendfile\"\nserver.max-keep-alive-requests = 1000000000\n\
                 mimetype.assign = ( \"\" => \"application/octet-stream\" )\n",
                root.display()
            );
            fs::write(&file, text).unwrap();
            let mut command = on_core_0("lighttpd".as_ref());
            command.arg("-D").arg("-f").arg(file);
            command
        }));
        peers.push(start("caddy", |port| {
            let mut command = on_core_0("caddy".as_ref());
            command
                .env("GOMAXPROCS", "1")
                .args(["file-server", "--listen"]);
            command
                .arg(format!("127.0.0.1:{port}"))
                .arg("--root")
                .arg(root);
            command
        }));
        peers.into_iter().flatten().collect()
    }

    fn on_core_0(program: &Path) -> Command {
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).arg(program);
        command
    }

    /// Starts a server and waits until it answers; says so and goes on without it if it does not.
    fn start(name: &'static str, command: impl FnOnce(u16) -> Command) -> Option<Peer> {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut child = match command(port)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
        {
            Ok(child) => child,
            Err(error) => {
                println!("SKIPPED {name}: {error}");
                return None;
            }
        };
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(10) {
            if TcpStream::connect(address).is_ok() {
                return Some(Peer {
                    name,
                    child,
                    address,
                });
            }
            if let Ok(Some(status)) = child.try_wait() {
                println!("SKIPPED {name}: not installed, or it ended at once ({status})");
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        println!("SKIPPED {name}: no answer in ten seconds");
        child.kill().unwrap();
        child.wait().unwrap();
        None
    }

    /// Time on a core of a process and all below it, in microseconds. From schedstat, which counts nanoseconds where the
    /// times in stat count ticks of ten milliseconds.
    fn cpu_time(id: u32) -> f64 {
        let mut own = 0.0;
        let mut below = 0.0;
        for task in fs::read_dir(format!("/proc/{id}/task"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            own += read("schedstat")
                .split(' ')
                .next()
                .and_then(|ns| ns.parse::<f64>().ok())
                .unwrap_or(0.0)
                / 1e3;
            below += read("children")
                .split_whitespace()
                .filter_map(|c| c.parse().ok())
                .map(cpu_time)
                .sum::<f64>();
        }
        own + below
    }

    /// One keep-alive connection that fetches a file again and again.
    struct Client {
        stream: TcpStream,
        request: Vec<u8>,
        scratch: Vec<u8>,
    }

    impl Client {
        fn new(address: SocketAddr, path: &str) -> Self {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            let request = format!("GET /{path} HTTP/1.1\r\nhost: x\r\n\r\n").into_bytes();
            Self {
                stream,
                request,
                scratch: vec![0; 1 << 20],
            }
        }

        fn fetch(&mut self) {
            self.stream.write_all(&self.request).unwrap();
            let mut head = 0;
            let (mut end, mut length) = (None, 0);
            while end.is_none() {
                head += self.stream.read(&mut self.scratch[head..]).unwrap();
                end = self.scratch[..head]
                    .windows(4)
                    .position(|w| w == b"\r\n\r\n");
            }
            let end = end.unwrap() + 4;
            let text = std::str::from_utf8(&self.scratch[..end]).unwrap();
            assert!(text.starts_with("HTTP/1.1 200"), "{text}");
            for line in text.lines() {
                if let Some((name, value)) = line.split_once(": ")
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.parse().unwrap();
                }
            }
            let mut left = length - (head - end);
            while left > 0 {
                let piece = left.min(self.scratch.len());
                // MSG_TRUNC on TCP has the kernel drop the bytes without copying them.
                let flags = rustix::net::RecvFlags::TRUNC;
                let (_, n) =
                    rustix::net::recv(&self.stream, &mut self.scratch[..piece], flags).unwrap();
                assert!(n > 0, "closed with {left} bytes to come");
                left -= n;
            }
        }
    }

    fn sizes(peers: &[Peer], rounds: usize) {
        println!(
            "{rounds} rounds of a second; microseconds of CPU a request | requests/s | CPU s/GB | ratio to ServeDir\n"
        );
        for (file, len) in SIZES {
            let mut results: Vec<Vec<(f64, f64)>> = vec![Vec::new(); peers.len()];
            for _ in 0..rounds {
                for (peer, results) in peers.iter().zip(&mut results) {
                    results.push(measure(peer, file));
                }
            }
            let medians: Vec<(f64, f64)> = results
                .into_iter()
                .map(|r| (median(r.iter().map(|r| r.0)), median(r.iter().map(|r| r.1))))
                .collect();
            let base = peers
                .iter()
                .position(|p| p.name == "ServeDir")
                .map_or(f64::NAN, |i| medians[i].0);
            for (peer, (cpu, rate)) in peers.iter().zip(&medians) {
                let per_gb = cpu / 1e6 / (len as f64 / 1e9);
                println!(
                    "{file:>5} {:<28} {cpu:>10.1} | {rate:>9.0} | {per_gb:>7.3} | {:.2}x",
                    peer.name,
                    cpu / base
                );
            }
            println!();
        }
    }

    /// Microseconds of CPU a request, and requests a second, over about a second and four connections in turn.
    fn measure(peer: &Peer, file: &str) -> (f64, f64) {
        let mut clients: Vec<Client> = (0..4).map(|_| Client::new(peer.address, file)).collect();
        clients.iter_mut().for_each(Client::fetch);
        let (cpu, begin, mut requests) = (cpu_time(peer.child.id()), Instant::now(), 0);
        while begin.elapsed() < Duration::from_secs(1) {
            clients.iter_mut().for_each(Client::fetch);
            requests += clients.len();
        }
        let elapsed = begin.elapsed().as_secs_f64();
        let cpu = cpu_time(peer.child.id()) - cpu;
        (cpu / requests as f64, requests as f64 / elapsed)
    }

    fn fairness(peers: &[Peer]) {
        println!("time of a 1 KiB request while four connections loop 100 MiB: p50 us | p99 us\n");
        for peer in peers {
            let stop = Arc::new(AtomicBool::new(false));
            let loops: Vec<_> = (0..4)
                .map(|_| {
                    let (stop, address) = (Arc::clone(&stop), peer.address);
                    std::thread::spawn(move || {
                        let mut client = Client::new(address, "100m");
                        while !stop.load(Ordering::Relaxed) {
                            client.fetch();
                        }
                    })
                })
                .collect();
            let mut times = Vec::new();
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_secs(4) {
                let mut client = Client::new(peer.address, "1k");
                let one = Instant::now();
                client.fetch();
                times.push(one.elapsed().as_secs_f64() * 1e6);
            }
            stop.store(true, Ordering::Relaxed);
            loops.into_iter().for_each(|l| l.join().unwrap());
            times.sort_by(f64::total_cmp);
            let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
            println!("{:<28} {:>9.0} | {:>9.0}", peer.name, at(0.5), at(0.99));
        }
    }

    fn median(values: impl Iterator<Item = f64>) -> f64 {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }
}

fn main() {
    #[cfg(target_os = "linux")]
    linux::main();
    #[cfg(not(target_os = "linux"))]
    println!("SKIPPED: CPU time is read from /proc, which only Linux has");
}
