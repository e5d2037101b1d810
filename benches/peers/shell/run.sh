#!/bin/sh
set -eu
exec bash "$(dirname "$0")/mirror.sh"
