#!/usr/bin/python3
"""A kdcd on a scratch database, for kdc-bench --spawn.

Makes a private MariaDB in a temporary folder, accounts bench00000 and so on, and starts kdcd. Then prints one line of
JSON (server, pid, database_pid, users, password) and reads its standard input: upon `restart` it ends kdcd and starts it
again at the same address, and prints another line (pid, accepts_s: the time from its start until it accepted a
connection). At the end of the input all is ended and removed; exit status 1 when kdcd didn't end in order.
"""
import argparse
import contextlib
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import crypt

HERE = pathlib.Path(__file__).resolve().parent
USERS = "bench"
ACCEPT_SECONDS = 30


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kdcd", type=pathlib.Path, required=True, help="the program; kdc-admin lies beside it")
    parser.add_argument("--accounts", type=int, required=True)
    parser.add_argument("--cost", type=int, default=12, help="of bcrypt, hashes and policy")
    parser.add_argument("--reactors", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--cpus", help="tie kdcd to these cores before it starts its threads")
    parser.add_argument("--quick-logins", action="store_true", help="preload lib/quick_bcrypt.so")
    parser.add_argument("--default-limits", action="store_true", help="kdcd's own limits; without, all are let in")
    return parser.parse_args()


def add_accounts(database, count, password, cost, quick):
    """All with one hash. A quick one says that it is of that cost, and is of cost 4 (quick_bcrypt.c)."""
    salt = crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=2 ** (4 if quick else cost))
    made = crypt.crypt(password, salt)
    made = f"$2b${cost:02}${made[7:]}"
    rows = [(f"{USERS}{number:05}", made) for number in range(count)]
    with database.connect_admin() as connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO users (name, hash, state, created) VALUES (%s, %s, 'active', UTC_TIMESTAMP(3))",
                           rows)


def settings(options):
    policy = {"bcrypt_cost": options.cost, "rekey_messages": 1000000000, "rekey_seconds": 31536000,
              "groups": "ffdhe3072, ffdhe2048, ffdhe4096, ffdhe6144, ffdhe8192"}
    sections = {"threads": {"reactors": options.reactors, "workers": options.workers}, "policy": policy,
                "penalties": {"enabled": None}, "limits": {"opens_per_minute": 0}}
    if not options.default_limits:
        sections["listen"] = {"backlog": 4096}
        sections["limits"] |= {"connections": 1000000, "connections_before_login": 100000,
                               "connections_per_source": 1000000, "queue": 100000, "ping_seconds": 20000,
                               "handshake_deadline": 600, "login_deadline": 3600}
    return sections


def start(options, folder, ending):
    # Taken from here on, as support.programs reads it when it is imported.
    os.environ["KDC_BIN"] = str(options.kdcd.resolve().parent)
    sys.path.insert(0, str(HERE.parent))
    from support.kdcd import Database, Kdcd
    from support.mariadb import MariaDb, make_template
    # Many runs in a row may share one.
    template = pathlib.Path(os.environ.get("KDC_BENCH_TEMPLATE", folder / "template"))
    if not template.exists():
        make_template(template)
    (folder / "db").mkdir()
    mariadb = MariaDb(folder / "db", template)
    ending.callback(mariadb.stop, signal.SIGKILL)
    mariadb.start(new_session=False)  # see start_kdcd
    (folder / "accounts").mkdir()
    database = Database(mariadb, folder / "accounts")
    password = secrets.token_hex(16)
    add_accounts(database, options.accounts, password, options.cost, options.quick_logins)
    (folder / "kdcd").mkdir()
    kdcd = Kdcd(database, folder / "kdcd", **settings(options))
    ending.callback(kdcd.stop)
    start_kdcd(options, kdcd)
    told = {"server": kdcd.server, "pid": kdcd.pid, "database_pid": mariadb.process.pid, "users": USERS,
            "password": password}
    return kdcd, told


def start_kdcd(options, kdcd, wait=True):
    prefix = []
    if options.cpus:
        prefix += ["taskset", "-c", options.cpus]
    if options.quick_logins:
        prefix += ["env", f"LD_PRELOAD={options.kdcd.resolve().parent.parent / 'lib' / 'quick_bcrypt.so'}"]
    # In our session, as its database (whatever signal is for our group is for us alone all the same): Linux gives each session of its own an equal share of the
    # processor (sched(7), autogroup), whatever the niceness of the threads in it. In another one than the generator's,
    # kdcd's workers, which step back, would be in the way of the conversations that are measured.
    kdcd.start(wait=wait, prefix=prefix, start_new_session=False, process_group=0)


def accepts(address, port):
    """Waits until a connection is accepted."""
    end = time.monotonic() + ACCEPT_SECONDS
    while time.monotonic() < end:
        with socket.socket() as attempt:
            if attempt.connect_ex((address, port)) == 0:
                return
        time.sleep(0.001)
    raise SystemExit(f"kdcd doesn't accept connections on {address}:{port}")


def restart(options, kdcd):
    kdcd.stop()
    begin = time.monotonic()
    start_kdcd(options, kdcd, wait=False)
    accepts(kdcd.address, kdcd.port)
    taken = time.monotonic() - begin
    kdcd.wait_ready()
    return {"pid": kdcd.pid, "accepts_s": taken}


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    # The kernel sends this to a stopped group whose parent has gone. That the parent has gone is seen at the end of the input.
    signal.signal(signal.SIGHUP, lambda *_: None)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kdc-bench-"))
    with contextlib.ExitStack() as ending:
        ending.callback(shutil.rmtree, folder, ignore_errors=True)
        kdcd, told = start(options, folder, ending)
        print(json.dumps(told), flush=True)
        for line in sys.stdin:
            if line.strip() == "restart":
                print(json.dumps(restart(options, kdcd)), flush=True)


if __name__ == "__main__":
    main()
