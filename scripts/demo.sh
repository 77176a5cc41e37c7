#!/bin/bash
# demo.sh: two people talk through the KDC of this checkout, without a terminal; shown and checked from all sides.
# Programs that $KDC_BIN names are taken as they are; without it, what is missing is installed and built.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

if [[ -z ${KDC_BIN:-} ]]; then
    "$root/scripts/deps.sh" run
    build_programs
fi
started=
kdcd_running >/dev/null || started=yes
"$root/scripts/up.sh"
address=$(conf_get listen address)
# A KDC that listens on all addresses is reached at this machine's own.
case ${address:=127.0.0.1} in
0.0.0.0) address=127.0.0.1 ;;
::) address='[::1]' ;;
*:*) address="[$address]" ;;
esac
status=0
/usr/bin/python3 -B "$root/scripts/demo" --bin "$bin" --config "$conf" --log "$kdcd_log" \
    --server "$address:$(conf_get listen port)" || status=$?
[[ -z $started ]] || echo "The KDC that was started for this goes on running: make stop ends it."
exit "$status"
