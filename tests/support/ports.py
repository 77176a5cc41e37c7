"""Ports for those that must know theirs before they listen."""
import itertools
import os
import pathlib
import re
import socket

WORKERS = 16
LOWEST = 20000


def _ports():
    """Below those that the kernel gives away, so that none is somebody's by the time that it is listened on; and each worker of
    pytest has a part of its own."""
    highest = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    share = (highest - LOWEST) // WORKERS
    assert share > 100, "the kernel gives away nearly all ports"
    worker = re.fullmatch(r"gw(\d+)", os.environ.get("PYTEST_XDIST_WORKER", "gw0"))
    first = LOWEST + int(worker[1]) % WORKERS * share
    begin = os.getpid() % share
    return itertools.cycle(first + (begin + number) % share for number in range(share))


_next = _ports()


def free_port():
    while True:
        port = next(_next)
        with socket.socket() as one:
            try:
                one.bind(("0.0.0.0", port))
            except OSError:
                continue
        return port
