#!/bin/bash
# run.sh: from a bare machine to the chat's prompt. Arguments go to kdc-chat.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

"$root/scripts/deps.sh" run
build_programs
"$root/scripts/up.sh"
fingerprint=$("$bin/kdc-admin" --config "$conf" identity show --fingerprint) ||
    die "The KDC's fingerprint could not be read."
exec "$bin/kdc-chat" --server "$(conf_get listen address):$(conf_get listen port)" --fingerprint "$fingerprint" "$@"
