#!/bin/bash
# demo.sh: two people talk through the KDC of this checkout, without a terminal; shown and checked from all sides.
# Programs that $KDC_BIN names are taken as they are; without it, what is missing is installed and built.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

if [[ -z ${KDC_BIN:-} ]]; then
    "$root/scripts/deps.sh" run
    take_lock
    build_programs
fi
started=
kdcd_running >/dev/null || started=yes
"$root/scripts/up.sh"
exec 9>&- # the lock, if it was taken
status=0
/usr/bin/python3 -B "$root/scripts/demo" --bin "$bin" --config "$conf" --log "$kdcd_log" \
    --server "$(kdc_server)" || status=$?
[[ -z $started ]] || echo "The KDC that was started for this goes on running: make stop ends it."
exit "$status"
