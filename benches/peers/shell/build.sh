#!/bin/sh
# Nothing is built; says which of its tools is missing. kubectl comes with the control plane of the benchmark.
set -eu
for tool in bash curl jq; do
    command -v "$tool" >/dev/null 2>&1 || {
        echo "peers/shell: $tool is missing; install it (Debian, Ubuntu: apt-get install $tool)" >&2
        exit 1
    }
done
