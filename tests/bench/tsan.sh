#!/bin/bash
# tsan.sh FOLDER: kdc-bench of a build with ThreadSanitizer, short: relay (several ways) and storm. Fails when a message is
# lost or when ThreadSanitizer has anything to say, of kdcd (its log is looked at when it ends) or of kdc-bench.
set -euo pipefail
cd "$(dirname "$0")/../.."
bench=${1:?tsan.sh FOLDER}/kdc-bench
export TSAN_OPTIONS="halt_on_error=1:exitcode=66:second_deadlock_stack=1"
export KDC_SAN=thread
# With many bits of address randomisation gcc's ThreadSanitizer can't find room for its shadow.
fixed=()
if (($(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0) > 28)) && setarch -R true 2>/dev/null; then
    fixed=(setarch -R)
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() {
    printf 'kdc-bench %-60s' "$*"
    if "${fixed[@]}" "$bench" "$@" --no-limits --json >"$log" 2>&1 && ! grep -q ThreadSanitizer "$log"; then
        echo ' clean'
    else
        echo ' not clean'
        cat "$log"
        exit 1
    fi
}
run relay --seconds 2 --pairs 8 --reactors 4 --workers 2
run relay --seconds 1 --pairs 8 --reactors 4 --batch --inner real
run storm --seconds 2 --pairs 6 --reactors 4 --workers 2 --cost 10 --concurrency 4 --group ffdhe2048
