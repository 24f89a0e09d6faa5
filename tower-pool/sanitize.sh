#!/bin/sh
# Runs the pool's tests under AddressSanitizer and ThreadSanitizer.
# Needs: rustup toolchain install nightly --component rust-src
set -eu
cd "$(dirname "$0")/.."
target=$(rustc -vV | sed -n 's/^host: //p')

# sanitized SANITIZER ARGUMENT...: the tests that reach `unsafe`, in a target directory of their own.
sanitized() {
    echo "== $1"
    RUSTFLAGS="-Zsanitizer=$1" CARGO_TARGET_DIR="target/$1" CARGO_INCREMENTAL=0
    export RUSTFLAGS CARGO_TARGET_DIR CARGO_INCREMENTAL
    shift
    cargo +nightly test --locked "$@" --target "$target" -p tower-pool \
        --test pool --test bodies --test objects --test stress --test writer
}

sanitized address
# The standard library must be instrumented too: what it synchronises would look like a race.
sanitized thread -Zbuild-std
