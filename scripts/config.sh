#!/bin/sh
# config.sh CC: prints, as make variables, what this machine's libraries and this compiler take. The Makefile
# keeps the answer in $(BUILD) and includes it.
set -eu
cc=$1

pkg_config=${PKG_CONFIG:-pkg-config}
if ! command -v "$pkg_config" >/dev/null; then
    echo "config: pkg-config is not installed: run 'make deps' first" >&2
    exit 1
fi

# Headers of libraries are system headers: our warnings are for our own code.
library() {
    name=$1
    shift
    if ! "$pkg_config" --exists "$@"; then
        echo "config: development files are missing: run 'make deps' first" >&2
        "$pkg_config" --print-errors --exists "$@" >&2 || true
        exit 1
    fi
    printf '%s_CFLAGS := %s\n' "$name" "$("$pkg_config" --cflags "$@" | sed -e 's/-I/-isystem /g')"
    printf '%s_LIBS := %s\n' "$name" "$("$pkg_config" --libs "$@" | sed -e 's,-L/usr/lib[^ ]*,,g')"
}

# flag NAME FLAG...: NAME holds those FLAGs that the compiler takes.
flag() {
    name=$1
    shift
    taken=
    for candidate in "$@"; do
        if echo 'int main(void) { return 0; }' |
            "$cc" -Werror "$candidate" -x c -o /dev/null - >/dev/null 2>&1; then
            taken="$taken $candidate"
        fi
    done
    printf '%s :=%s\n' "$name" "$taken"
}

library CRYPTO nettle hogweed gmp
library PASSWORD libcrypt
library WIRE libutf8proc
library KDC libmariadb libevent_core libevent_extra inih jansson libutf8proc libcurl
library CLIENT libevent_core libevent_extra jansson libutf8proc
library CLI inih
flag HARDEN_CFLAGS -fstack-protector-strong -fstack-clash-protection -fcf-protection -ftrivial-auto-var-init=zero
flag HARDEN_LDFLAGS -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack
