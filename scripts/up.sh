#!/bin/bash
# up.sh: starts this checkout's private MariaDB and kdcd, if they don't run. Everything they keep is in var/.
# Safe to run at any time, also twice at once, also after a crash or a restart of the machine. $KDC_PORT is the port
# that the configuration gets: when it is made (without it 19268), and later, while kdcd doesn't run.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

# A UNIX socket's path has room for 107 bytes: a deep checkout gets a private folder in /tmp, remembered in var/.
socket_folder() {
    if ((${#var} <= 80)); then
        printf '%s\n' "$var"
        return
    fi
    local folder="" owner=""
    if [[ -s $var/socket-folder ]]; then
        { read -r folder && read -r owner; } <"$var/socket-folder" || true
    fi
    # A copy of a checkout must not share it.
    if [[ -z $folder || $owner != "$root" ]]; then
        folder=$(mktemp -d /tmp/kdc-chat.XXXXXXXX)
        printf '%s\n' "$folder" "$root" >"$var/socket-folder"
    fi
    [[ -d $folder ]] || mkdir -m 700 "$folder"
    if [[ -L $folder || ! -O $folder || $(stat -c %a "$folder") != 700 ]]; then
        die "$folder, made for this checkout's sockets, isn't ours alone any more. Remove $var/socket-folder and try again."
    fi
    printf '%s\n' "$folder"
}

# Once: the configuration (yours to edit afterwards) and the database password of kdcd.
make_config() {
    if [[ ! -s $var/kdc-password ]]; then
        od -An -N24 -v -tx1 /dev/urandom | tr -d ' \n' >"$var/kdc-password.new"
        mv "$var/kdc-password.new" "$var/kdc-password"
    fi
    # Paths in kdc.conf are relative to its folder, so that a checkout can be moved; only a socket's may have to be
    # another one then.
    local prefix="" before text
    [[ $sockets == "$var" ]] || prefix=$sockets/
    [[ ${KDC_PORT:-1} =~ ^[0-9]+$ ]] || die "KDC_PORT is a number, not '$KDC_PORT'."
    if [[ -s $conf ]]; then
        if [[ -n ${KDC_PORT:-} ]] && ! kdcd_running >/dev/null; then
            sed -i "/^\[listen\]/,/^\[/s/^port *=.*/port = $KDC_PORT/" "$conf"
        fi
        before=$(sed -n 's/^# sockets: //p' "$conf")
        if [[ $before != "${prefix:-here}" ]]; then
            [[ $before != here ]] || before=
            text=$(<"$conf")
            text=${text//"= ${before}mariadb.sock"/"= ${prefix}mariadb.sock"}
            text=${text//"= ${before}kdcd.sock"/"= ${prefix}kdcd.sock"}
            text=${text//"# sockets: ${before:-here}"/"# sockets: ${prefix:-here}"}
            printf '%s\n' "$text" >"$conf.new"
            mv "$conf.new" "$conf"
        fi
        return
    fi
    cat >"$conf.new" <<END
# The KDC of this checkout, made by make run and yours from then on: edit it, then make stop and make run.
# Relative paths start at this file's folder. Every key is explained in docs/kdc.conf.sample.
# sockets: ${prefix:-here}

[listen]
address = 127.0.0.1
port = ${KDC_PORT:-19268}

[database]
socket = ${prefix}mariadb.sock
name = kdc_chat
user = kdc
password_file = kdc-password

[admin]
user = $(id -un)

[control]
socket = ${prefix}kdcd.sock

[identity]
file = kdc-identity

[policy]
registration = open
END
    mv "$conf.new" "$conf"
}

start_mariadb() {
    mariadb_running >/dev/null && return
    local as_root=()
    ((EUID != 0)) || as_root=(--user=root)
    if [[ ! -d $var/db/mysql ]]; then
        echo "Making a private MariaDB in var/db."
        rm -rf "$var/db.new"
        # --force: a machine that can't resolve its own name will do, since this server has no TCP port.
        # It takes no paths with a space in them: it gets a way to the checkout that has none.
        local way
        way=$(mktemp -d /tmp/kdc-chat.XXXXXXXX)
        ln -s "$root" "$way/checkout"
        TMPDIR=$way/checkout/var/tmp mariadb-install-db --defaults-file="$way/checkout/scripts/mariadb.cnf" \
            --datadir="$way/checkout/var/db.new" "${as_root[@]}" --auth-root-authentication-method=socket \
            --auth-root-socket-user="$(id -un)" --skip-test-db --force >"$var/log/mariadb-install.log" 2>&1 9>&- || {
            rm -r "$way"
            die "MariaDB's data folder could not be made: see $var/log/mariadb-install.log"
        }
        rm -r "$way"
        rm -rf "$var/db"
        mv "$var/db.new" "$var/db"
    fi
    rm -f "$sockets/mariadb.sock" "$mariadb_pid_file"
    setsid mariadbd --defaults-file="$root/scripts/mariadb.cnf" "${as_root[@]}" --datadir="$var/db" \
        --tmpdir="$var/tmp" \
        --socket="$sockets/mariadb.sock" --pid-file="$var/db/mariadbd.pid" --log-error="$mariadb_log" \
        </dev/null >>"$mariadb_log" 2>&1 9>&- &
    local pid=$! tenths=600
    echo "$pid" >"$mariadb_pid_file"
    # The socket appears when connections are taken.
    until [[ -S $sockets/mariadb.sock ]]; do
        kill -0 "$pid" 2>/dev/null || die "MariaDB did not start: $(tail -n 3 "$mariadb_log") (all of it: $mariadb_log)"
        ((tenths-- > 0)) || die "MariaDB is not ready after a minute: see $mariadb_log"
        sleep 0.1
    done
}

start_kdcd() {
    local pid address port
    if pid=$(kdcd_running); then
        [[ /proc/$pid/exe -ef $bin/kdcd ]] && return
        echo "kdcd was built anew: starting it again."
        end_process "$pid" 30 || die "The old kdcd (pid $pid) does not end."
    fi
    rm -f "$kdcd_pid_file"
    address=$(conf_get listen address)
    port=$(conf_get listen port)
    : "${address:=127.0.0.1}" "${port:=19268}"
    if (exec 3<>"/dev/tcp/$address/$port") 2>/dev/null; then
        die "Port $port of $address is taken by another program (ss -ltnp says which): the KDC can't listen there." \
            "End that program, or choose another port, as in: KDC_PORT=19300 make run. It is remembered in $conf."
    fi
    if [[ -f $kdcd_log ]] && (($(stat -c %s "$kdcd_log") > 10000000)); then
        mv "$kdcd_log" "$kdcd_log.1"
    fi
    local seen=0 tenths=200
    [[ ! -f $kdcd_log ]] || seen=$(stat -c %s "$kdcd_log")
    setsid "$bin/kdcd" --config "$conf" </dev/null >>"$kdcd_log" 2>&1 9>&- &
    pid=$!
    echo "$pid" >"$kdcd_pid_file"
    until grep -q 'ready to accept connections on' < <(tail -c "+$((seen + 1))" "$kdcd_log"); do
        if ! kill -0 "$pid" 2>/dev/null; then
            rm -f "$kdcd_pid_file"
            die "kdcd did not start: $(tail -c "+$((seen + 1))" "$kdcd_log" | tail -n 3) (all of it: $kdcd_log)"
        fi
        ((tenths-- > 0)) || die "kdcd is not ready after 20 seconds: see $kdcd_log"
        sleep 0.1
    done
}

umask 077
take_lock
# A MariaDB removes what it finds of its kind in its folder for temporary files: so it has one of its own.
mkdir -p "$var/log" "$var/tmp"
sockets=$(socket_folder)
make_config
start_mariadb
if ! kdcd_running >/dev/null || [[ ! /proc/$(kdcd_running)/exe -ef $bin/kdcd ]]; then
    "$bin/kdc-admin" --config "$conf" db init >"$var/log/db-init.log" 2>&1 9>&- ||
        die "The database could not be prepared: $(tail -n 3 "$var/log/db-init.log") (all of it: $var/log/db-init.log)"
    start_kdcd
fi
