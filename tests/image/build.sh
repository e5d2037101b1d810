#!/bin/sh
# Builds the image into an OCI archive with an SBOM beside it, checks both, and prints the image's name last.
#
# Needs Rust, the GNU toolchain with a static libc (Debian: libc6-dev), and buildah or podman. No daemon and no
# network: the image starts from nothing.
set -eu

cd "$(dirname "$0")/../.."
out=target/image
triple=$(uname -m)-unknown-linux-gnu
say() { echo "image: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

tool=
for candidate in buildah podman; do
    ! command -v $candidate >/dev/null 2>&1 || { tool=$candidate; break; }
done
[ -n "$tool" ] || fail "neither buildah nor podman is here: install one of them (Debian: apt-get install buildah)"
# Mozilla's alone: what this machine trusts beside them is its owner's, and no stranger's to trust.
mozilla=/usr/share/ca-certificates/mozilla
[ -n "${CA_CERTIFICATES:-}" ] || [ -d $mozilla ] ||
    fail "$mozilla is missing: install ca-certificates of Debian or Ubuntu, or name a PEM file with CA_CERTIFICATES"
[ -z "${CA_CERTIFICATES:-}" ] || [ -s "$CA_CERTIFICATES" ] || fail "CA_CERTIFICATES=$CA_CERTIFICATES is no file, or empty"

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
# The commit's time, not the clock's: the same commit gives the same labels.
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
created=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)
name=localhost/modelarts-pool-controller:$version

say "1/4 building the static binary (the first time some minutes)"
binary=$(tests/image/binary.sh)

say "2/4 building the image with $tool"
rm -rf "$out/context" "$out/storage"
mkdir -p "$out/context"
cp "$binary" LICENSE "$out/context/"
if [ -n "${CA_CERTIFICATES:-}" ]; then
    cp "$CA_CERTIFICATES" "$out/context/ca-certificates.crt"
else
    cat $mozilla/*.crt >"$out/context/ca-certificates.crt"
fi
# Read by another user than the one who built it.
chmod 755 "$out/context/modelarts-pool-controller"
chmod 644 "$out/context/LICENSE" "$out/context/ca-certificates.crt"
# Nothing is run in the image, so that neither an overlay nor a container is needed.
STORAGE_DRIVER=vfs
BUILDAH_ISOLATION=chroot
export STORAGE_DRIVER BUILDAH_ISOLATION
storage="--root $PWD/$out/storage/root --runroot $PWD/$out/storage/run"
archive=$out/modelarts-pool-controller.oci.tar
# shellcheck disable=SC2086 # two options
$tool $storage build --quiet --format oci --timestamp "$epoch" --file Dockerfile --tag "$name" \
    --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "CREATED=$created" \
    "$out/context" >/dev/null
rm -f "$archive"
# shellcheck disable=SC2086
$tool $storage push --quiet "$name" "oci-archive:$archive:$name" >/dev/null
rm -rf "$out/storage"

say "3/4 writing the SBOM"
# A version of our own choice, in a cache: what it writes is checked below.
cyclonedx=0.5.9
cache=${XDG_CACHE_HOME:-$HOME/.cache}/modelarts-pool-controller/cyclonedx-$cyclonedx
[ -x "$cache/bin/cargo-cyclonedx" ] || {
    say "building cargo-cyclonedx $cyclonedx: once"
    ${CARGO:-cargo} install --quiet --locked --root "$cache" --version $cyclonedx cargo-cyclonedx >&2
}
# It writes beside each Cargo.toml of the workspace and nowhere else.
SOURCE_DATE_EPOCH=$epoch "$cache/bin/cargo-cyclonedx" cyclonedx --quiet --format json --spec-version 1.5 --target "$triple" \
    --override-filename modelarts-pool-controller.cdx >&2
mv modelarts-pool-controller.cdx.json "$out/"
rm -f examples/*/modelarts-pool-controller.cdx.json

say "4/4 checking"
python3 tests/image/check.py "$archive" "$out/modelarts-pool-controller.cdx.json" >&2
echo "$name"
