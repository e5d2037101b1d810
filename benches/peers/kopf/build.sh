#!/bin/sh
# Makes a virtual environment with kopf in target/peers/kopf, once for each set of requirements.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
directory=$here/../../../target/peers/kopf
python=${PYTHON:-python3}
"$python" -c 'import venv, ensurepip' 2>/dev/null || {
    echo "peers/kopf: Python with venv is missing; install Python 3.11 with venv (Debian, Ubuntu: python3 and python3-venv), or set PYTHON to one" >&2
    exit 1
}
cmp -s "$here/requirements.txt" "$directory/done" && exit 0
rm -rf "$directory"
mkdir -p "$directory"
{
    "$python" -m venv "$directory"
    "$directory/bin/python" -m pip install --disable-pip-version-check --no-input --quiet \
        --require-hashes --only-binary=:all: --requirement "$here/requirements.txt"
} >&2
cp "$here/requirements.txt" "$directory/done"
