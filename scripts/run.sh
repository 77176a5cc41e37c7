#!/bin/bash
# run.sh: from a bare machine to the chat's prompt. Arguments go to kdc-chat.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

"$root/scripts/deps.sh" run
take_lock
build_programs
started=
kdcd_running >/dev/null || started=yes
"$root/scripts/up.sh"
exec 9>&- # the lock is for these two
fingerprint=$("$bin/kdc-admin" --config "$conf" identity show --fingerprint) ||
    die "The KDC's fingerprint could not be read."
# However the conversation ended, kdc-chat has said so: nothing is wrong with making it.
"$bin/kdc-chat" --server "$(kdc_server)" --fingerprint "$fingerprint" "$@" || true
[[ -z $started ]] || echo "The KDC that was started for this goes on running: make stop ends it." || true
