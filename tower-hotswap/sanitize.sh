#!/bin/sh
# Runs the tests that swap from many threads under ThreadSanitizer.
# Needs: rustup toolchain install nightly --component rust-src
set -eu
cd "$(dirname "$0")/.."
target=$(rustc -vV | sed -n 's/^host: //p')
# The standard library is built for it, too: its atomics would look like races otherwise.
TSAN_OPTIONS="suppressions=$PWD/tower-hotswap/sanitize.suppressions" \
    RUSTFLAGS="-Zsanitizer=thread" CARGO_TARGET_DIR=target/thread \
    cargo +nightly test -Zbuild-std --locked --target "$target" -p tower-hotswap --features axum \
    --test swap --test layer --test canary --test no_loss --test clones
