#!/bin/bash
# lint.sh [TOOL...]: format, rooms, cppcheck, tidy, scripts; all of them without arguments. Says for each tool
# "ok TOOL" or "not ok TOOL", with its findings before; fails when one found something.
# shellcheck disable=SC2317 # the lint_ functions are called by name
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=${BUILD:-build}
variable() {
    make -s --no-print-directory BUILD="$build" "print-$1"
}
read -ra sources <<<"$(variable ALL_SRCS)"
read -ra headers <<<"$(variable ALL_HEADERS)"

lint_format() {
    clang-format --dry-run -Werror "${sources[@]}" "${headers[@]}"
}

# Arrows between the rooms point one way: crypto <- wire <- kdc, client.
lint_rooms() {
    local found=0
    # forbid FOLDER PATTERN WHY
    forbid() {
        if grep -rnE --include='*.[ch]' "$2" "$1" 2>/dev/null; then
            echo "  ^ $3"
            found=1
        fi
    }
    forbid crypto '#include "(wire|kdc|client|tests)/' 'crypto/ knows no other room'
    forbid wire '#include "(kdc|client|tests)/' 'wire/ knows only crypto/'
    forbid kdc '#include "(client|tests)/' 'kdc/ knows only wire/ and crypto/'
    forbid client '#include "(kdc|tests)/|#include "crypto/password\.h"' 'client/ knows only wire/ and crypto/, and never hashes'
    forbid crypto '#include <(sys/socket|netinet/.*|mysql.*|event2/.*)\.h>' 'crypto/ does no input or output'
    forbid wire '#include <(sys/socket|netinet/.*|mysql.*|event2/.*|pthread|unistd|time|sys/time)\.h>' \
        'wire/ does no input or output and has no clock'
    forbid client '#include <(mysql|mariadb|crypt)\b.*>' 'only kdc/ knows SQL and bcrypt'
    local library
    for library in crypto wire; do
        forbid "$library" '\b(exit|_exit|abort|printf|fprintf|perror|syslog) *\(' 'a library neither exits nor logs'
    done
    return "$found"
}

lint_cppcheck() {
    mkdir -p "$build/cppcheck"
    cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr \
        --suppressions-list=.cppcheck-suppressions --cppcheck-build-dir="$build/cppcheck" --std=c11 --language=c \
        --library=posix --library=gnu -D_GNU_SOURCE -D__linux__ -DKDC_CHAT_VERSION='"0"' -I. -j"$(nproc)" \
        --template='{file}:{line}: {severity}: {message} [{id}]' "${sources[@]}"
}

lint_tidy() {
    make --no-print-directory -k -j"$(nproc)" BUILD="$build" tidy
}

lint_scripts() {
    shellcheck -x scripts/*.sh .ci/run &&
    /usr/bin/python3 -W error -c '
import ast, pathlib, sys
for path in sorted([*pathlib.Path("tests").rglob("*.py"), *pathlib.Path("scripts").rglob("*.py")]):
    ast.parse(path.read_text(), str(path))'
}

if (($# == 0)); then
    set -- format rooms scripts cppcheck tidy
fi
bad=0
for tool in "$@"; do
    if output=$("lint_$tool" 2>&1); then
        echo "ok $tool"
    else
        printf '%s\n' "$output"
        echo "not ok $tool"
        bad=1
    fi
done
exit "$bad"
