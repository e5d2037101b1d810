#!/bin/sh
# Makes a virtual environment with the official SDK of ModelArts for Python once, into a cache, and
# prints its Python. PYTHON is the Python to make it with (default: python3).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
say() { echo "sdk: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

python=${PYTHON:-python3}
remedy="install Python 3.10 or later with venv (Debian, Ubuntu: python3 and python3-venv), or set PYTHON to one"
# What the caller has set for Pythons of their own would change what is installed and imported.
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV
command -v "$python" >/dev/null 2>&1 ||
    fail "Python is missing ($python): the tests with the cloud's official SDK need it; $remedy"
version=$("$python" -c 'import sys; print(sys.version, sys.implementation.cache_tag, sys.prefix)' 2>&1) ||
    fail "$python does not run: $version; $remedy"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "$python is too old: $version; $remedy"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "$python has no venv; $remedy"

key=$(cat "$here/requirements.txt" "$here/environment.sh" - <<END | cksum | tr ' ' -
$version
END
)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/modelarts-pool-controller
directory=$cache/sdk-$key

if [ ! -x "$directory/bin/python" ]; then
    mkdir -p "$cache"
    # The kernel frees the lock when its holder ends, however that ends. A system without flock may
    # install twice at the same time; the result is moved into place whole.
    if command -v flock >/dev/null 2>&1; then
        exec 9>"$cache/sdk.lock"
        if ! flock -n 9; then
            say "another installation is under way; waiting for it"
            flock 9
        fi
        # Whoever left these was killed: this process holds the lock.
        rm -rf "$cache"/sdk.??????
    fi
fi
if [ ! -x "$directory/bin/python" ]; then
    say "installing the official SDK of ModelArts with $python: once, about 80 MB"
    work=$(mktemp -d "$cache/sdk.XXXXXX")
    # A shell that dies of a signal runs no EXIT trap unless the signal is turned into an exit.
    trap 'rm -rf "$work"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    # Nothing is compiled here and no code of a package is run. The lock is not handed down (9>&-).
    {
        "$python" -m venv "$work" &&
            "$work/bin/python" -m pip install --disable-pip-version-check --no-input \
                --require-hashes --only-binary=:all: --requirement "$here/requirements.txt"
    } >"$work/log" 2>&1 9>&- || {
        tail -n 20 "$work/log" >&2
        fail "failed to install the SDK: see above; is the package index of pip within reach?"
    }
    # mktemp makes it private to its owner.
    chmod 755 "$work"
    # Its Python finds its packages beside itself, so that it can be moved; its scripts can not.
    # Without flock another installation may have been faster: then its result is as good.
    [ -x "$directory/bin/python" ] || {
        rm -rf "$directory"
        mv "$work" "$directory"
    }
fi
echo "$directory/bin/python"
