"""What kdcd says, and with which status it ends, when it can't start; and whom it lets alone."""
import contextlib
import json
import os
import signal
import socket
import subprocess

import pytest

from support.programs import SLOWER, environment, program, sanitizer_report, wait_until

OTHER, USAGE, CONFIGURATION, LISTEN, IDENTITY = 1, 2, 3, 4, 5
# Root with none of root's rights over files and ports; for everybody else nothing changes.
PLAIN_RIGHTS = ["setpriv", "--bounding-set=-all"] if os.geteuid() == 0 else []


def end_of(daemon, status, **options):
    """Starts one that can't: what it said last."""
    daemon.start(wait=False, **options)
    process, daemon.process = daemon.process, None
    assert process.wait(20 * SLOWER) == status, daemon.log()
    assert not sanitizer_report(daemon.log()), daemon.log()
    return daemon.log().splitlines()[-1]


def run(folder, *arguments):
    return subprocess.run([program("kdcd"), *map(str, arguments)], env=environment(folder), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=20 * SLOWER, check=False)


@pytest.mark.parametrize("arguments", [(), ("--config",), ("--no-such-option",), ("--config", "kdc.conf", "more")])
def test_a_wrong_command_line(folder, arguments):
    done = run(folder, *arguments)
    assert done.returncode == USAGE and "kdcd" in done.stderr


@pytest.mark.parametrize("section, key, value", [
    ("listen", "prot", "1"), ("policy", "bcrypt_cost", "9"), ("policy", "groups", "ffdhe1024"),
    ("nonsense", "key", "value"), ("limits", "queue", "many"), ("listen", "address", "localhost")])
def test_a_wrong_configuration_is_told_with_its_file_and_line(kdcd, section, key, value):
    daemon = kdcd(start=False, **{section: {key: value}})
    lines = daemon.config.read_text().splitlines()
    number = lines.index(f"{key} = {value}") + 1
    last = end_of(daemon, CONFIGURATION)
    assert len(daemon.log().splitlines()) == 1
    assert last.startswith(f"kdcd: {daemon.config}:{number}: ") and (key in last or section in last)
    checked = run(daemon.folder, "--config", daemon.config, "--check-config")
    assert checked.returncode == CONFIGURATION and checked.stderr.strip() == last


def test_a_right_configuration_is_in_order(kdcd, folder):
    daemon = kdcd(start=False)
    assert run(folder, "--config", daemon.config, "--check-config").returncode == 0
    sample = run(folder, "--sample-config")
    assert sample.returncode == 0 and "[policy]" in sample.stdout
    missing = run(folder, "--config", folder / "missing.conf", "--check-config")
    assert missing.returncode == CONFIGURATION and "missing.conf" in missing.stderr


def test_a_port_that_is_taken(kdcd):
    first = kdcd()
    second = kdcd(start=False, listen={"port": first.port})
    assert f"can't listen on 127.0.0.1 port {first.port}: Address already in use" in end_of(second, LISTEN)
    with socket.create_connection(("127.0.0.1", first.port)):
        pass


def test_a_port_that_needs_a_right(kdcd):
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as first:
        port = int(first.read()) - 1
    if port < 1:
        pytest.skip("every port is for everybody here")
    last = end_of(kdcd(start=False, listen={"port": port}), LISTEN, prefix=PLAIN_RIGHTS)
    assert last == f"kdcd: can't listen on 127.0.0.1 port {port}: Permission denied"


def test_an_address_that_is_not_this_machines(kdcd):
    assert "can't listen on 192.0.2.1 port 0: " in end_of(kdcd(start=False, listen={"address": "192.0.2.1", "port": 0}), LISTEN)


@pytest.fixture
def read_only(folder):
    path = folder / "read-only"
    path.mkdir(mode=0o500)
    return path


def test_an_identity_that_cant_be_written(kdcd, read_only):
    daemon = kdcd(start=False, identity={"file": read_only / "identity"})
    assert f"{read_only}/identity: can't be made: Permission denied" in end_of(daemon, IDENTITY, prefix=PLAIN_RIGHTS)


@pytest.mark.parametrize("text, mode", [("not an identity", 0o600), ("", 0o600), ("00" * 32, 0o644)])
def test_an_identity_that_is_none_is_left_alone(kdcd, folder, text, mode):
    path = folder / "identity"
    path.write_text(text)
    path.chmod(mode)
    assert end_of(kdcd(start=False, identity={"file": path}), IDENTITY).startswith(f"kdcd: {path}: ")
    assert path.read_text() == text


def test_a_control_socket_that_cant_be_made(kdcd, read_only):
    daemon = kdcd(start=False, control={"socket": read_only / "sock"})
    assert f"can't listen on the control socket {read_only}/sock: Permission denied" in end_of(
        daemon, LISTEN, prefix=PLAIN_RIGHTS)


def test_the_control_socket_of_another_kdcd_stays_its_own(kdcd):
    first = kdcd()
    second = kdcd(start=False, control={"socket": first.folder / "kdcd.sock"})
    assert "another kdcd listens on the control socket" in end_of(second, LISTEN)
    assert first.admin_json("status")["sessions"] == 0


def test_what_a_killed_kdcd_left_is_no_obstacle(kdcd):
    kdc = kdcd()
    identity = kdc.fingerprint
    kdc.kill()
    assert (kdc.folder / "kdcd.sock").is_socket()
    kdc.start()
    assert kdc.admin_json("status")["sessions"] == 0 and kdc.fingerprint == identity
    kdc.stop()
    assert not (kdc.folder / "kdcd.sock").exists()


def test_a_file_where_the_control_socket_should_be_is_left_alone(kdcd, folder):
    path = folder / "precious"
    path.write_text("mine")
    end_of(kdcd(start=False, control={"socket": path}), LISTEN)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("port", [0, None])
def test_in_json_every_line_is_an_object_whether_it_starts_or_not(kdcd, port):
    taken = socket.socket()
    with contextlib.closing(taken):
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        daemon = kdcd(start=False, log={"format": "json", "level": "debug"},
                      listen={"port": taken.getsockname()[1] if port is None else port})
        if port is None:
            end_of(daemon, LISTEN)
        else:
            daemon.start()
            for data in (b"\0\0\0\1\0", b"\xff" * 100, b""):
                with socket.create_connection(("127.0.0.1", daemon.port)) as connection:
                    connection.sendall(data)
            daemon.configure(listen={"port": daemon.port})  # another than 0
            daemon.reload()
            daemon.wait_log("kept the configuration")
            daemon.stop()
    lines = [json.loads(line) for line in daemon.log().splitlines()]
    assert all({"time", "level", "event"} <= set(line) for line in lines)
    if port is None:
        assert lines[-1]["event"] == "could not start" and "Address already in use" in lines[-1]["cause"]
    else:
        assert lines[-1]["event"] == "ended"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_both_signals_end_it_in_order(kdcd, number):
    kdc = kdcd()
    kdc.process.send_signal(number)
    wait_until("kdcd ends", lambda: kdc.process.poll() is not None)
    assert kdc.process.returncode == 0 and kdc.log().rstrip().endswith("info ended")
