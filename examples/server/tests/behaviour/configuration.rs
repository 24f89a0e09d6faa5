//! Flags, environment, file, defaults; and what is said of values that cannot be used.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::client::Client;
use crate::process::{Server, output, program};

/// A file under the target directory that is removed with this value.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> File {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, text).expect("the target directory can be written to");
        File(path)
    }

    fn path(&self) -> &str {
        self.0
            .to_str()
            .expect("the target directory's name is UTF-8")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Every setting: its key and three values that differ from the default.
const SETTINGS: [(&str, [&str; 3]); 46] = [
    ("listen", ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]),
    ("tls-listen", ["127.0.0.1:1", "off", "127.0.0.1:3"]),
    ("admin-listen", ["127.0.0.1:1", "off", "127.0.0.1:3"]),
    ("admin-token", ["opensesame1", "opensesame2", "opensesame3"]),
    ("tls-certificate", ["a.pem", "b.pem", "c.pem"]),
    ("tls-key", ["a.pem", "b.pem", "c.pem"]),
    ("tls-ticket-keys", ["a.keys", "b.keys", "c.keys"]),
    ("tls-early-data", ["1KiB", "2KiB", "3KiB"]),
    (
        "run-mode",
        ["thread-per-core", "multi-thread", "thread-per-core"],
    ),
    ("threads", ["1", "2", "3"]),
    ("drain-timeout", ["1s", "2s", "3s"]),
    ("max-connections", ["1", "2", "3"]),
    ("max-connections-per-address", ["1", "2", "3"]),
    ("max-connections-per-prefix", ["1", "2", "3"]),
    ("accept-rate", ["1", "2", "3"]),
    ("at-limit", ["pause", "reset", "pause"]),
    ("handshake-timeout", ["1s", "2s", "3s"]),
    ("header-timeout", ["1s", "2s", "3s"]),
    ("idle-timeout", ["1s", "2s", "3s"]),
    ("min-rate", ["1", "2", "3"]),
    ("unsent", ["1KiB", "2KiB", "unlimited"]),
    ("half-closed", ["cancel", "answer", "cancel"]),
    ("proxy-protocol", ["10.0.0.0/8", "::1/128", "127.0.0.1"]),
    ("request-timeout", ["1s", "2s", "3s"]),
    ("body-limit", ["1KiB", "2KiB", "3KiB"]),
    ("body-budget", ["8MiB", "16MiB", "32MiB"]),
    ("receive-budget", ["8MiB", "off", "32MiB"]),
    ("pooled-bodies", ["off", "on", "off"]),
    ("breaker", ["off", "on", "off"]),
    ("breaker-baselines", ["a.json", "b.json", "c.json"]),
    ("adaptive-limit", ["off", "on", "off"]),
    ("zero-copy", ["off", "on", "off"]),
    ("priority-rules", ["off", "on", "off"]),
    ("security-headers", ["off", "on", "off"]),
    ("access-log", ["json", "common", "json"]),
    ("access-log-sample", ["10", "20", "30"]),
    (
        "otlp-collector",
        ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"],
    ),
    ("log", ["warn", "error", "debug"]),
    ("log-format", ["json", "text", "json"]),
    ("data", ["/a", "/b", "/c"]),
    ("demo-data", ["off", "on", "off"]),
    ("site", ["/", "/tmp", "/usr"]),
    ("upload-limit", ["1MiB", "2MiB", "3MiB"]),
    ("upload-quota", ["1MiB", "2MiB", "3MiB"]),
    ("upload-keep", ["1h", "2days", "unlimited"]),
    ("proxy-upstream", ["off", "127.0.0.1:1", "127.0.0.1:2"]),
];

/// What a setting cannot be without.
fn needed_with(key: &str) -> &'static [&'static str] {
    match key {
        "tls-certificate" => &["--tls-key", "k.pem"],
        "tls-key" => &["--tls-certificate", "c.pem"],
        _ => &[],
    }
}

/// Of the settings in force all but the free ports, which are of the tests.
fn without_ports(command: &mut std::process::Command) -> String {
    for port in ["SERVER_LISTEN", "SERVER_TLS_LISTEN", "SERVER_ADMIN_LISTEN"] {
        command.env_remove(port);
    }
    String::from_utf8(output(command).stdout).unwrap()
}

fn variable(key: &str) -> String {
    format!("SERVER_{}", key.replace('-', "_").to_uppercase())
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    // A secret is not shown, so where it comes from cannot be seen here.
    for (key, [flag, environment, file]) in SETTINGS.iter().filter(|(key, _)| *key != "admin-token")
    {
        let (flag, environment, file) = (*flag, *environment, *file);
        let file_name = format!("precedence-{key}.toml");
        let config = File::new(&file_name, &format!("# one setting\n{key} = \"{file}\"\n"));
        let shown = |use_flag: bool, use_environment: bool, use_file: bool| {
            let mut command = program(&["--print-config"]);
            command.env_remove(variable(key)).args(needed_with(key));
            if use_flag {
                command.args([&format!("--{key}"), flag]);
            }
            if use_environment {
                command.env(variable(key), environment);
            }
            if use_file {
                command.args(["--config", config.path()]);
            }
            let output = output(&mut command);
            assert!(
                output.status.success(),
                "{key}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            let text = String::from_utf8(output.stdout).unwrap();
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("{key} = ")));
            let line = line.unwrap_or_else(|| panic!("{key} is not in {text}"));
            let (assignment, origin) = line.split_once('#').unwrap();
            (assignment.trim().to_owned(), origin.trim().to_owned())
        };
        let from_file = format!("{}:2: {key}", config.path());
        let set = |value: &str| format!("{key} = {value:?}");
        assert_eq!(shown(true, true, true), (set(flag), format!("--{key}")));
        assert_eq!(shown(false, true, true), (set(environment), variable(key)));
        assert_eq!(shown(false, false, true), (set(file), from_file));
        if needed_with(key).is_empty() {
            assert_eq!(shown(false, false, false).1, "default", "{key}");
        }
    }
}

#[test]
fn the_file_can_be_named_by_the_environment() {
    let config = File::new("by-environment.toml", "threads = 3\ndemo-data = false\n");
    let shown = output(program(&["--print-config"]).env("SERVER_CONFIG", config.path()));
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(
        text.contains("threads = \"3\"") && text.contains("demo-data = \"off\""),
        "{text}"
    );
}

#[test]
fn the_shown_configuration_is_a_configuration_file() {
    let shown = output(&mut program(&["--print-config", "--threads", "2"]));
    let config = File::new("shown.toml", &String::from_utf8(shown.stdout).unwrap());
    let again = output(&mut program(&["--print-config", "--config", config.path()]));
    assert!(
        again.status.success(),
        "{}",
        String::from_utf8_lossy(&again.stderr)
    );
    assert!(String::from_utf8_lossy(&again.stdout).contains("threads = \"2\""));
}

#[test]
fn the_example_file_holds_the_defaults() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/server.toml");
    let (file, defaults) = (
        without_ports(&mut program(&["--print-config", "--config", path])),
        without_ports(&mut program(&["--print-config"])),
    );
    assert_eq!(file.lines().count(), SETTINGS.len(), "{file}");
    for (from_file, default) in file.lines().zip(defaults.lines()) {
        let (from_file, origin) = from_file.split_once('#').unwrap();
        assert!(
            origin.contains("server.toml:"),
            "{from_file} is not in the file"
        );
        assert_eq!(from_file.trim(), default.split('#').next().unwrap().trim());
    }
}

#[test]
fn help_names_every_flag_variable_and_default() {
    let help = output(&mut program(&["--help"]));
    assert!(help.status.success());
    let text = String::from_utf8(help.stdout).unwrap();
    let shown = without_ports(&mut program(&["--print-config"]));
    assert_eq!(
        shown.lines().count(),
        SETTINGS.len(),
        "a setting is missing from this test"
    );
    for line in shown.lines() {
        let (key, rest) = line.split_once(" = ").unwrap();
        let default = rest.split('"').nth(1).unwrap();
        for want in [
            format!("--{key} <"),
            format!("[env: {}]", variable(key)),
            format!("[default: {default}]"),
        ] {
            assert!(text.contains(&want), "no {want} in {text}");
        }
    }
    for want in [
        "--config <FILE>",
        "--print-config",
        "--check-config",
        "--help",
        "--version",
        "SERVER_CONFIG",
        "1. its flag",
    ] {
        assert!(text.contains(want), "no {want} in {text}");
    }
}

#[test]
fn bad_values_are_refused_by_the_name_of_their_place() {
    let file = File::new("bad-value.toml", "log = \"info\"\nbody-limit = \"huge\"\n");
    let key = File::new("bad-key.toml", "\nlisten-on = \"[::]:80\"\n");
    let syntax = File::new("bad-syntax.toml", "threads = 2\nlog = info\n");
    let in_file = |file: &File, rest: &str| format!("error: {}:{rest}", file.path());
    let cases = [
        (
            program(&["--listen", "localhost"]),
            "error: --listen: \"localhost\" is not an address and port".to_owned(),
        ),
        (
            program(&["--threads", "many"]),
            "error: --threads: \"many\" is not a number of threads".to_owned(),
        ),
        (
            program(&["--lisen", "x"]),
            "error: unexpected argument '--lisen' found".to_owned(),
        ),
        (
            program(&["--config", file.path()]),
            in_file(&file, "2: body-limit: \"huge\" is not a size in bytes"),
        ),
        (
            program(&["--config", key.path()]),
            in_file(&key, "2: listen-on: no such setting; there are listen,"),
        ),
        (
            program(&["--config", syntax.path()]),
            in_file(&syntax, "2: not TOML: "),
        ),
        (
            program(&["--config", "absent.toml"]),
            "error: --config: cannot read absent.toml: No such file".to_owned(),
        ),
    ];
    let together: [(&[&str], &str); 4] = [
        (
            &[
                "--listen",
                "127.0.0.1:3000",
                "--tls-listen",
                "127.0.0.1:3000",
            ],
            "error: --tls-listen: listen has that address",
        ),
        (
            &[
                "--admin-listen",
                "127.0.0.1:3000",
                "--listen",
                "127.0.0.1:3000",
            ],
            "error: --admin-listen: another port of this server has that address",
        ),
        (
            &["--body-limit", "3MiB", "--body-budget", "2MiB"],
            "error: --body-limit: one body may not be larger than body-budget",
        ),
        (
            &["--tls-early-data", "16KiB", "--tls-ticket-keys", "keys"],
            "error: --tls-early-data: early data needs sessions that are used once",
        ),
    ];
    let together = together.map(|(arguments, want)| (program(arguments), want.to_owned()));
    for (mut command, want) in cases.into_iter().chain(together) {
        let refused = output(&mut command);
        let text = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{text}");
        assert!(text.starts_with(&want), "wanted {want}\nin {text}");
    }
    let refused = output(program(&[]).env("SERVER_REQUEST_TIMEOUT", "10 parsecs"));
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(
        text,
        "error: SERVER_REQUEST_TIMEOUT: \"10 parsecs\" is not a duration; write 500ms, 10s or 2min\n"
    );
}

#[tokio::test]
async fn a_port_in_use_is_named_with_advice() {
    let first = Server::start(&[]);
    let address = first.address.to_string();
    let refused = output(&mut program(&["--listen", &address]));
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{text}");
    let want =
        format!("error: cannot listen on {address} (--listen): another program listens there;");
    assert!(text.starts_with(&want), "{text}");
    assert_eq!(
        Client::http1(first.address).get("/healthz").await.status,
        200
    );
}

#[tokio::test]
async fn the_banner_leads_to_the_server() {
    let server = Server::start(&["--threads", "1"]);
    assert!(server.banner.contains("server "), "{}", server.banner);
    assert_eq!(Client::http1(server.address).get("/").await.status, 200);
}

#[tokio::test]
async fn a_closed_standard_output_does_not_keep_it_from_serving() {
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    let mut command = program(&["--log-format", "json"]);
    let mut child = command
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built");
    let mut line = String::new();
    let mut log = BufReader::new(child.stderr.take().expect("stderr is piped"));
    log.read_line(&mut line).expect("the log is UTF-8");
    let event: serde_json::Value = serde_json::from_str(&line).expect("a log line is JSON");
    let address = event["address"]
        .as_str()
        .and_then(|address| address.parse().ok());
    let address = address.unwrap_or_else(|| panic!("no address in {event}"));
    assert_eq!(Client::http1(address).get("/healthz").await.status, 200);
    child.kill().expect("it is still running");
    child.wait().expect("the child is ours");
}

#[test]
fn a_configuration_can_be_checked_without_serving() {
    let good = output(&mut program(&["--check-config"]));
    assert!(good.status.success(), "{good:?}");
    assert_eq!(good.stdout, b"the configuration is good\n");
}

#[test]
fn a_check_finds_what_would_keep_it_from_starting() {
    let empty = File::new("empty", "");
    let cases: [(&[&str], &str); 5] = [
        (
            &["--tls-certificate", "/no.pem", "--tls-key", "/no.pem"],
            "cannot read /no.pem: No such file",
        ),
        (
            &["--tls-certificate", empty.path(), "--tls-key", empty.path()],
            "cannot use the certificate: ",
        ),
        (
            &["--tls-ticket-keys", empty.path()],
            "cannot use the ticket keys of ",
        ),
        (
            &["--breaker-baselines", empty.path()],
            "the file of baselines must be",
        ),
        (&["--data", empty.path()], "is not a folder"),
    ];
    for (arguments, want) in cases {
        let bad = output(program(arguments).arg("--check-config"));
        let text = String::from_utf8(bad.stderr).unwrap();
        assert_eq!(bad.status.code(), Some(1), "{arguments:?}: {text}");
        assert!(text.starts_with("error: ") && text.contains(want), "{text}");
        // And the start, for the same reason.
        let started = output(&mut program(arguments));
        assert_eq!(started.status.code(), Some(1), "{arguments:?}");
    }
}
