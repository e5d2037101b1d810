#!/bin/sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# Standalone: no peering objects; one replica. Nothing is watched outside of the namespace.
exec "$here/../../../target/peers/kopf/bin/python" -m kopf run --standalone --quiet \
    --namespace "$NAMESPACE" "$here/mirror.py"
