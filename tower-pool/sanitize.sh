#!/bin/sh
# Runs the pool's tests under AddressSanitizer and ThreadSanitizer.
# Needs: rustup toolchain install nightly --component rust-src
set -eu
cd "$(dirname "$0")/.."
target=$(rustc -vV | sed -n 's/^host: //p')
for sanitizer in address thread; do
    echo "== $sanitizer"
    RUSTFLAGS="-Zsanitizer=$sanitizer" CARGO_TARGET_DIR="target/$sanitizer" \
        cargo +nightly test -Zbuild-std --target "$target" -p tower-pool --test pool --test bodies --test objects --test stress
done
