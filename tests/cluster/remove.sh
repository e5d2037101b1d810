#!/bin/sh
# Removes a directory when standard input ends: remove.sh DIRECTORY
#
# The other end of standard input is held by the process that wants the directory and by each
# supervise.sh: the end comes when all components are gone, or else they would write into what is
# being removed.
while read -r _; do :; done
tries=0
# A kubectl of a killed test may still be writing its cache.
until rm -rf "$1" 2>/dev/null || [ $tries -ge 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
