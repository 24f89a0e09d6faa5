//! The command line, built from the list of settings.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, value_parser};

use super::settings::{self, Reload};

const ABOUT: &str =
    "A bookshop over HTTP/1.1, HTTP/2 and TLS, served by every crate of this workspace.";

const AFTER: &str = "\
Each setting is taken from the first of these that has it:
  1. its flag                  server --listen 127.0.0.1:8080
  2. its environment variable  SERVER_LISTEN=127.0.0.1:8080 server
  3. the TOML file             listen = \"127.0.0.1:8080\"   (see --config)
  4. the default shown above

A setting marked [reloads] is taken from the file again on SIGHUP and when the file changes,
or from the URL when what it has changes (see --config-url).
SIGUSR2 starts the program anew and hands it the listening sockets, so that no connection is refused.
Durations are written 500ms, 10s, 2min; sizes 65536, 256KiB, 2MiB.
Stop with Ctrl-C or SIGTERM: requests in flight are finished first; a second signal stops at once.
Exit codes: 0 stopped cleanly, 1 could not serve or cut a request off, 2 a bad setting.";

pub(super) fn command() -> Command {
    let file = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Read settings from this TOML file\n[env: SERVER_CONFIG]");
    let url = Arg::new("config-url")
        .long("config-url")
        .value_name("URL")
        .help("Ask this https:// or http:// URL for them instead, again and\nagain; those that do not reload are taken from the others\n[env: SERVER_CONFIG_URL]");
    let authorities = Arg::new("config-ca")
        .long("config-ca")
        .value_name("FILE")
        .help("Believe who has a certificate by these, as PEM, at an\nhttps:// URL, which needs it\n[env: SERVER_CONFIG_CA]");
    let interval = Arg::new("config-interval")
        .long("config-interval")
        .value_name("DURATION")
        .help("How often that is\n[env: SERVER_CONFIG_INTERVAL] [default: 10s]");
    let print = Arg::new("print-config")
        .long("print-config")
        .action(ArgAction::SetTrue)
        .help("Print the settings in force and their origins\nas a TOML file, and exit");
    let check = Arg::new("check-config")
        .long("check-config")
        .action(ArgAction::SetTrue)
        .help("Build all that the settings ask for, say what is wrong, and exit");
    let health = Arg::new("check-health")
        .long("check-health")
        .action(ArgAction::SetTrue)
        .help("Ask the server that runs with this admin-listen, on that\nport, whether it answers, and exit with 0 or 1; no other\nsetting matters, and none that is wrong");
    Command::new("server")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(AFTER)
        .args(settings::ALL.iter().map(|setting| {
            let help = format!(
                "{}\n[env: {}] [default: {}]{}",
                setting.help,
                setting.variable(),
                setting.default,
                match setting.reload {
                    Reload::Live => " [reloads]",
                    Reload::Restart => "",
                },
            );
            Arg::new(setting.key)
                .long(setting.key)
                .value_name(setting.value_name)
                .help(help)
        }))
        .arg(file)
        .arg(url)
        .arg(authorities)
        .arg(interval)
        .arg(print)
        .arg(check)
        .arg(health)
}
