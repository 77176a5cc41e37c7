# common.sh: what up.sh, run.sh, stop.sh and demo.sh share. Sourced by bash; sets `root` (the checkout) and paths.
# shellcheck shell=bash disable=SC2034

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
var=$root/var
# mariadbd is in sbin, which is not in the path of an ordinary user of Debian.
PATH=$PATH:/usr/sbin:/sbin
build=${BUILD:-build} # as make's: relative to the checkout, or absolute
case $build in
/*) bin=$build/bin ;;
*) bin=$root/$build/bin ;;
esac
bin=${KDC_BIN:-$bin}
conf=$var/kdc.conf
kdcd_pid_file=$var/kdcd.pid
mariadb_pid_file=$var/mariadb.pid
kdcd_log=$var/log/kdcd.log
mariadb_log=$var/log/mariadb.log

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# conf_get SECTION KEY: the value in kdc.conf, or nothing.
conf_get() {
    awk -v section="[$1]" -v key="$2" '
        /^[ \t]*\[/ { gsub(/[ \t]/, ""); inside = ($0 == section); next }
        inside && /^[ \t]*[^#;]/ {
            at = index($0, "=")
            name = substr($0, 1, at - 1); gsub(/[ \t]/, "", name)
            if (name == key) { value = substr($0, at + 1); sub(/^[ \t]+/, "", value); sub(/[ \t]+$/, "", value) }
        }
        END { print value }' "$conf"
}

# Where this machine reaches the KDC, as --server takes it.
kdc_server() {
    local address port
    address=$(conf_get listen address)
    port=$(conf_get listen port)
    # A KDC that listens on all addresses is reached at this machine's own.
    case ${address:=127.0.0.1} in
    0.0.0.0) address=127.0.0.1 ;;
    ::) address='[::1]' ;;
    *:*) address="[$address]" ;;
    esac
    printf '%s:%s\n' "$address" "${port:-19268}"
}

# running PID_FILE PROGRAM ARGUMENT: prints the pid when the file names a live process of that PROGRAM that was
# started with that ARGUMENT; fails otherwise, so that a pid that somebody else got since is never touched.
running() {
    local pid command
    { read -r pid <"$1"; } 2>/dev/null || [[ -n ${pid:-} ]] || return 1
    [[ $pid =~ ^[0-9]+$ ]] || return 1
    mapfile -d '' -t command 2>/dev/null <"/proc/$pid/cmdline" || return 1
    [[ ${command[0]:-} == */"$2" || ${command[0]:-} == "$2" ]] || return 1
    local argument
    for argument in "${command[@]:1}"; do
        if [[ $argument == "$3" ]]; then
            printf '%s\n' "$pid"
            return 0
        fi
    done
    return 1
}
kdcd_running() {
    running "$kdcd_pid_file" kdcd "$conf"
}
mariadb_running() {
    running "$mariadb_pid_file" mariadbd "--datadir=$var/db"
}

# end_process PID SECONDS: SIGTERM, then waits; fails when it is still there after that time.
end_process() {
    local tenths=$(($2 * 10))
    kill -TERM "$1" 2>/dev/null || return 0
    # A process that has ended but that nobody has waited for is gone too: its command line is empty.
    while [[ -n $(tr -d '\0' 2>/dev/null <"/proc/$1/cmdline") ]]; do
        ((tenths-- > 0)) || return 1
        sleep 0.1
    done
}

# With the lock, one of up.sh, stop.sh and the build of run.sh works at a time. File descriptor 9; a script that is
# run by one that has it has it too, and what is started to stay gets 9>&-, or it would hold the lock.
take_lock() {
    [[ ! /proc/self/fd/9 -ef $var/lock ]] || return 0
    mkdir -p "$var"
    [[ -O $var ]] || die "$var belongs to $(stat -c %U "$var"), not to $(id -un): run this as $(stat -c %U "$var")."
    chmod 700 "$var"
    exec 9>"$var/lock"
    flock -n 9 || {
        echo "Waiting for another make run or make stop in this checkout." >&2
        flock 9
    }
}

# The programs, built under the lock, and not under the make that runs this.
build_programs() (
    take_lock
    unset MAKEFLAGS MFLAGS MAKELEVEL
    make --no-print-directory -C "$root" BUILD="$build" -j"$(nproc)" all 9>&-
)
