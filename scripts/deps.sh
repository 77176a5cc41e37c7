#!/bin/sh
# deps.sh LIST...: installs what is missing of the Debian packages in LIST (run, test, bench). Costs next to nothing when all
# is there.
set -eu

run_packages="gcc make libc6-dev binutils pkgconf util-linux procps
    libmariadb-dev mariadb-server-core mariadb-client mariadb-client-core
    libcrypt-dev nettle-dev libgmp-dev libevent-dev libinih-dev libjansson-dev libutf8proc-dev
    libcurl4-gnutls-dev python3"
test_packages="git libcmocka-dev python3-pytest python3-pytest-xdist python3-pexpect python3-cryptography python3-pymysql python3-aiosmtpd tmux jq
    clang clang-tidy clang-format libclang-rt-14-dev cppcheck shellcheck gdb groff-base mandoc zsh strace systemd"
bench_packages="python3-pymysql gnuplot-nox linux-perf"

wanted=
for list in "$@"; do
    case $list in
    run) wanted="$wanted $run_packages" ;;
    test) wanted="$wanted $test_packages" ;;
    bench) wanted="$wanted $bench_packages" ;;
    *)
        echo "deps: '$list' is no list of packages: run, test or bench" >&2
        exit 2
        ;;
    esac
done

if ! command -v dpkg-query >/dev/null; then
    echo "deps: this is not Debian: install what corresponds to:$wanted" >&2
    exit 0
fi

# shellcheck disable=SC2086 # the lists are split into words on purpose
installed=$(dpkg-query -W -f='${db:Status-Abbrev}${Package}\n' $wanted 2>/dev/null | sed -n 's/^.i *//p') || true
missing=
for package in $wanted; do
    case "
$installed
" in
    *"
$package
"*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

echo "Debian packages that are missing:$missing"
if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif ! command -v sudo >/dev/null; then
    echo "deps: installing them takes root, and sudo isn't there. As root: apt-get install$missing" >&2
    exit 1
elif [ -t 0 ]; then
    as_root=sudo
else
    as_root="sudo -n"
fi

# apt_get ARGUMENT...: as root, without questions, waiting for another apt-get to finish.
apt_get() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 "$@" </dev/null
}
echo "Installing them${as_root:+ with sudo}."
if ! apt_get update; then
    echo "deps: apt-get update failed; going on with the package lists that are here" >&2
fi
# shellcheck disable=SC2086
if ! apt_get install --no-install-recommends $missing; then
    echo "deps: not installed. As root: apt-get update && apt-get install$missing" >&2
    exit 1
fi
