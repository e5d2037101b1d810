#!/bin/sh
# Builds the static program of the image, and prints its path last.
#
# Needs Rust and the GNU toolchain with a static libc (Debian: libc6-dev).
set -eu

cd "$(dirname "$0")/../.."
triple=$(uname -m)-unknown-linux-gnu
directory=target/image/build
# A target is named so that the flag is not for build scripts, too, and a directory of its own keeps it from
# building all of target/release anew.
RUSTFLAGS="-C target-feature=+crt-static" ${CARGO:-cargo} build --locked --release --bin modelarts-pool-controller \
    --target "$triple" --target-dir "$directory" >&2
echo "$directory/$triple/release/modelarts-pool-controller"
