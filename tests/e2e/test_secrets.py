"""What kdcd forgets: neither a core dump, nor its arguments, environment and log hold a secret."""
import hashlib
import hmac
import pathlib
import shutil
import struct
import subprocess

import pytest

from interop.client import Client
from interop.suites import SUITE_NAMES
from support.programs import SLOWER

ALICE = "alice.who.has.an.unusual.name"
PASSWORD = "a password like no other 7351"
OTHER_PASSWORD = "quite another, of Bob: 90210"

pytestmark = pytest.mark.plain


class Core:
    """A dump by gcore, without its pages of zeros: `all` of it, and the processes' `memory` without the registers.

    gcore honours what a real core dump does: what was left out by madvise(MADV_DONTDUMP) is in it only with -a."""

    def __init__(self, kdc, folder, *options):
        done = subprocess.run(["gcore", *options, "-o", str(folder / "core"), str(kdc.pid)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120 * SLOWER, check=False)
        assert done.returncode == 0, done.stdout
        path = folder / f"core.{kdc.pid}"
        with path.open("rb") as file:
            header = file.read(64)
            table, = struct.unpack_from("<Q", header, 32)
            count, = struct.unpack_from("<H", header, 56)
            file.seek(table)
            segments = [struct.unpack("<IIQQQQQQ", file.read(56)) for _ in range(count)]
            notes, loads = ([(segment[2], segment[5]) for segment in segments if segment[0] == kind] for kind in (4, 1))
            self.memory = b"".join(without_zeros(file, *load) for load in loads)
            self.all = b"".join(without_zeros(file, *note) for note in notes) + self.memory
        path.unlink()


def without_zeros(file, offset, size):
    file.seek(offset)
    data = file.read(size)
    zeros = bytes(4096)
    return b"".join(page for at in range(0, size, 4096) if (page := data[at:at + 4096]) != zeros)


def found_in(data, secrets):
    return [name for name, secret in secrets.items() if any(part in data for part in parts_of(secret))]


def parts_of(secret):
    """Any half of a secret would be too much; and a number in memory has its lowest bytes first."""
    half = len(secret) // 2
    parts = [secret[:half], secret[half:]]
    return parts + [part[::-1] for part in parts]


def seed_of(kdc):
    """The identity's file holds the 32 bytes, or their text."""
    raw = (kdc.folder / "kdc-identity").read_bytes()
    return raw if len(raw) == 32 else bytes.fromhex(raw.split()[-1].decode())


def scalar_of(kdc):
    """The upper half of what Ed25519 signs with (RFC 8032 section 5.1.5)."""
    scalar = bytearray(hashlib.sha512(seed_of(kdc)).digest()[:32])
    scalar[31] = scalar[31] & 0x7f | 0x40
    return bytes(scalar[16:])


def ticket_keys_of(kdc):
    """The two that are live: the one in the file, and the next."""
    older = bytes.fromhex((kdc.folder / "kdc-identity-tickets").read_text().split()[-1])
    return older, hmac.digest(older, b"kdc-chat v1 next ticket key\x01", "sha512")


@pytest.mark.skipif(not shutil.which("gcore"), reason="gcore (Debian's gdb) isn't there")
@pytest.mark.parametrize("suite", SUITE_NAMES, ids=SUITE_NAMES.get)
def test_a_core_dump_right_after_a_key_was_issued_holds_no_secret(kdcd, folder, suite):
    kdc = kdcd(policy={"conversation_suite": SUITE_NAMES[suite]})
    kdc.add_user(ALICE, PASSWORD)
    kdc.add_user("bob", OTHER_PASSWORD)
    with Client(kdc.server, kdc.fingerprint, suites=[suite]) as before:
        before.login(ALICE, PASSWORD)
    with Client(kdc.server, kdc.fingerprint, suites=[suite], ticket=before.ticket) as alice, \
            Client(kdc.server, kdc.fingerprint, suites=[suite]) as bob:
        assert alice.shake.resumed
        bob.login("bob", OTHER_PASSWORD)
        grant = alice.open("bob")
        bob.wait_for(lambda: ALICE in bob.conversations)
        core = Core(kdc, folder)

        secrets = {"issued key": grant["key"], "alice's password": PASSWORD.encode(),
                   "bob's password": OTHER_PASSWORD.encode(), "identity's seed": seed_of(kdc),
                   "identity's scalar": scalar_of(kdc), "alice's older ticket's secret": before.ticket.secret}
        secrets |= dict(zip(("tickets' older key", "tickets' newer key"), ticket_keys_of(kdc)))
        record_keys = {}
        for name, client in (("alice", alice), ("bob", bob)):
            keys = client.shake.keys
            secrets |= {f"{name}'s client traffic": keys.client_traffic,
                        f"{name}'s server traffic": keys.server_traffic,
                        f"{name}'s Z": client.shake.z, f"{name}'s prk": keys.prk, f"{name}'s exporter": keys.exporter,
                        f"{name}'s ticket's secret": keys.resumption}
            for side, direction in (("client", client.sending), ("server", client.receiving)):
                # Of triple DES the last bytes are the MAC's key; of the others they are the same key once more.
                record_keys |= {f"{name}'s {side} record key": direction.key[:24],
                                f"{name}'s {side} MAC key": direction.key[-32:]}
        # The dump is a dump of that process: what isn't secret is there.
        assert b"ready to accept connections" in core.memory
        assert ALICE.encode() in core.memory
        assert found_in(core.all, secrets) == []
        assert found_in(core.all, record_keys) == []
        # And secrets would be seen if they were there: what kdcd still needs is in the memory that isn't dumped.
        assert {"identity's seed", "tickets' newer key", "alice's client traffic", "bob's server traffic"} <= set(
            found_in(Core(kdc, folder, "-a").memory, secrets))

        process = pathlib.Path(f"/proc/{kdc.pid}")
        for place in (process / "cmdline", process / "environ", kdc.log_file):
            seen = place.read_bytes()
            for name, secret in {**secrets, **record_keys}.items():
                assert secret not in seen, f"{name} in {place}"
                assert secret.hex().encode() not in seen.lower(), f"{name} in {place}"
