#!/bin/bash
# stop.sh: ends what up.sh started in this checkout, and nothing else. Accounts stay in var/.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

if [[ ! -d $var ]]; then
    echo "Nothing runs."
    exit 0
fi
take_lock
ended=
if pid=$(kdcd_running); then
    if ! end_process "$pid" 30; then
        echo "kdcd (pid $pid) still drains after 30 seconds: ending it now." >&2
        kill -KILL "$pid" 2>/dev/null || true
    fi
    ended=kdcd
fi
if pid=$(mariadb_running); then
    end_process "$pid" 60 || die "MariaDB (pid $pid) does not end: see $mariadb_log"
    ended="${ended:+$ended and }MariaDB"
fi
rm -f "$kdcd_pid_file" "$mariadb_pid_file"
if [[ -s $var/socket-folder ]]; then
    { read -r folder && read -r owner; } <"$var/socket-folder" || true
    [[ ! -O $folder || -L $folder || $owner != "$root" ]] || rmdir "$folder" 2>/dev/null || true
fi
if [[ -n $ended ]]; then echo "Ended: $ended."; else echo "Nothing runs."; fi
