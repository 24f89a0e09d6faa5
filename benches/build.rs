//! Tells the driver which compiler made it: instruction counts are only comparable between equal compilers.

use std::{env, process::Command};

fn main() {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version = Command::new(&rustc)
        .arg("-V")
        .output()
        .ok()
        .and_then(|out| String::from_utf8(out.stdout).ok())
        .map_or_else(|| "rustc unknown".into(), |text| text.trim().to_owned());
    println!("cargo:rustc-env=BENCHES_RUSTC={version}");
    println!("cargo:rerun-if-changed=build.rs");
}
