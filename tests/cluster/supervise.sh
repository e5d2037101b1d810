#!/bin/sh
# Runs one component for as long as standard input is open: supervise.sh LOG COMMAND...
#
# The other end of standard input is held by the process that wants the component. When that process
# ends, however it ends, the kernel closes it, and the component goes too. Standard output is held
# open until the component is gone: remove.sh waits for that.
log=$1
shift
# A background command would get /dev/null for its standard input.
exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- &
component=$!
{
    # Blocks until the end of standard input; nothing is ever written there.
    while read -r _ <&3; do :; done
    kill -9 $component 2>/dev/null
} &
watcher=$!
# Some shells report each job that ends by a signal.
exec 2>/dev/null
status=0
wait $component || status=$?
# A component that ended by itself: whoever waits for it to be ready need not wait for its time limit.
kill $watcher
wait $watcher
exit $status
