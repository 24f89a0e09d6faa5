//! The files in `deploy/` fit the server that they run; `deploy/check` holds them against those that read them.

use crate::client::Client;
use crate::process::{Server, output, program};

macro_rules! deploy {
    ($file:literal) => {
        include_str!(concat!("../../deploy/", $file))
    };
}

/// The settings in force by a file and by flags, as `--print-config` has them.
fn settings(arguments: &[&str]) -> String {
    let shown = output(program(arguments).arg("--print-config"));
    let error = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(shown.status.success(), "{arguments:?}: {error}");
    String::from_utf8(shown.stdout).unwrap()
}

fn seconds(settings: &str, key: &str) -> u64 {
    let line = settings.lines().find(|line| line.starts_with(key));
    let text = line.unwrap_or_else(|| panic!("no {key} in {settings}"));
    let text = text.split('"').nth(1).unwrap();
    text.strip_suffix('s').unwrap().parse().unwrap()
}

/// The number behind the first `name` of a text.
fn number(text: &str, name: &str) -> u64 {
    let (_, rest) = text.split_once(name).unwrap_or_else(|| panic!("no {name}"));
    let digits = rest.trim_start_matches([':', '=', ' ', '{']);
    let end = digits.find(|c: char| !c.is_ascii_digit());
    digits[..end.unwrap_or(digits.len())].parse().unwrap()
}

/// The settings that the ConfigMap holds.
fn config_map() -> String {
    let (_, block) = deploy!("kubernetes/configmap.yaml")
        .split_once("server.toml: |\n")
        .unwrap();
    block
        .lines()
        .map(|line| format!("{}\n", line.trim_start()))
        .collect()
}

#[test]
fn the_pods_settings_are_settings_and_leave_time_to_drain() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    std::fs::write(&file, config_map()).unwrap();
    let settings = settings(&["--config", file.to_str().unwrap()]);
    for track in [
        deploy!("kubernetes/deployment.yaml"),
        deploy!("kubernetes/canary.yaml"),
    ] {
        let pause = number(track, "preStop: {sleep: {seconds");
        let grace = number(track, "terminationGracePeriodSeconds");
        assert!(pause + seconds(&settings, "drain-timeout") + 10 <= grace);
        for (mount, volume) in [
            ("/etc/server/settings", "configMap: {name: server}"),
            ("/etc/server/tickets", "key: keys, path: keys"),
            ("/etc/server/tls", "secretName: server-tls"),
        ] {
            assert!(track.contains(mount) && track.contains(volume), "{mount}");
        }
    }
    for path in ["/etc/server/tickets/keys", "/etc/server/tls/tls.crt"] {
        assert!(settings.contains(path), "{path} is not in {settings}");
    }
}

/// What the deployment has in the place of a number.
const NO_REPLICAS: &str =
    "  # No replicas: the autoscaler has them, and each `apply` would take them back.\n";

#[test]
fn the_canary_is_the_deployment_but_for_its_name_share_and_image() {
    let stable = deploy!("kubernetes/deployment.yaml");
    assert!(stable.contains(NO_REPLICAS));
    let stable = stable
        .replace("name: server\n  labels", "name: server-canary\n  labels")
        .replace("track: stable", "track: canary")
        .replace(NO_REPLICAS, "  replicas: 0\n")
        .replace("server:latest", "server:canary");
    let (_, canary) = deploy!("kubernetes/canary.yaml")
        .split_once("apiVersion")
        .unwrap();
    assert_eq!(stable, format!("apiVersion{canary}"));
}

#[test]
fn the_images_ports_are_those_of_the_pods() {
    let image = deploy!("Dockerfile");
    let pods = deploy!("kubernetes/deployment.yaml");
    for (variable, name) in [
        ("SERVER_LISTEN=0.0.0.0", "http"),
        ("SERVER_TLS_LISTEN=0.0.0.0", "https"),
        ("SERVER_ADMIN_LISTEN=0.0.0.0", "admin"),
    ] {
        let port = number(image, variable);
        assert!(
            pods.contains(&format!("{{name: {name}, containerPort: {port}}}")),
            "{name}: {port}"
        );
    }
    assert_eq!(
        number(pods, "prometheus.io/port: \""),
        number(image, "SERVER_ADMIN_LISTEN=0.0.0.0")
    );
    let version = env!("CARGO_PKG_RUST_VERSION");
    assert!(image.contains(&format!("FROM rust:{version}")), "{version}");
}

#[tokio::test]
async fn pods_are_scaled_and_probed_by_what_there_is() {
    let server = Server::start(&[]);
    let admin = Client::http1(server.admin());
    let metrics = admin.get("/metrics").await.body;
    let (_, metric) = deploy!("kubernetes/autoscaler.yaml")
        .split_once("metric: {name: ")
        .unwrap();
    let metric = metric.split('}').next().unwrap();
    assert!(metrics.contains(&format!("\n{metric} ")), "{metric}");
    let probes = deploy!("kubernetes/deployment.yaml").split("httpGet: {path: ");
    let paths: Vec<_> = probes
        .skip(1)
        .filter_map(|rest| rest.split(',').next())
        .collect();
    assert_eq!(paths, ["/readyz", "/healthz"]);
    for path in paths {
        assert_eq!(admin.get(path).await.status, 200, "{path}");
    }
}

#[test]
fn the_unit_starts_what_there_is_and_leaves_time_to_drain() {
    let unit = deploy!("systemd/server.service");
    let (_, command) = unit.split_once("ExecStart=/usr/local/bin/server ").unwrap();
    let words: Vec<_> = command.lines().next().unwrap().split(' ').collect();
    let ["--config", _, rest @ ..] = &words[..] else {
        panic!("{words:?}")
    };
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/server.toml");
    let settings = settings(&[&["--config", example], rest].concat());
    // What is cut off has a second, the admin port another, the log and the collector four; and the database is closed.
    assert!(seconds(&settings, "drain-timeout") + 10 <= number(unit, "TimeoutStopSec"));
    for (socket, name) in [
        (deploy!("systemd/server.socket"), "http"),
        (deploy!("systemd/server-tls.socket"), "https"),
    ] {
        assert!(
            socket.contains(&format!("FileDescriptorName={name}\n")),
            "{name}"
        );
    }
}
