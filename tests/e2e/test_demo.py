"""make demo: it passes when all is well, it fails when something isn't, and it tells no secret."""
import importlib.util
import os
import re
import shutil
import subprocess

import pytest

from support.ports import free_port
from support.programs import BIN, ROOT, SLOWER, environment, sanitizer_report

# The real programs, and a copy of every password for the test to look for.
KEEP_PASSWORDS = """#!/bin/bash
for file in "${{@:2}}"; do [[ $file == */password ]] && cat "$file" >>{folder}/passwords; done
exec {program} "$@"
"""
CHANGE_A_TEXT = """#!/bin/bash
exec {program} "$@" < <(sed -u 's/under a new key/under the old key/')
"""
SHOW_THE_PASSWORD = """#!/bin/bash
while (($#)) && [[ $1 != chat ]]; do
    case $1 in --server) server=$2 ;; --password-file) file=$2 ;; esac
    arguments+=("$1"); shift
done
exec 3<>"/dev/tcp/${{server%:*}}/${{server#*:}}"
cat "$file" >&3
exec 3>&-
exec {program} "${{arguments[@]}}"
"""


class Demo:
    def __init__(self, kdc, folder):
        self.kdc = kdc
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.replace("kdc-admin", KEEP_PASSWORDS)
        (self.bin / "kdc-chat").symlink_to(BIN / "kdc-chat")

    def replace(self, name, script):
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(script.format(program=BIN / name, folder=self.folder))
        path.chmod(0o755)

    def run(self, check, wait=30):
        done = subprocess.run(
            ["/usr/bin/python3", "-B", ROOT / "scripts/demo", "--bin", self.bin, "--config", self.kdc.config, "--server",
             self.kdc.server, "--log", self.kdc.log_file, "--wait", str(wait * SLOWER)],
            env=environment(self.folder), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            encoding="utf-8", timeout=120 * SLOWER, check=False)
        assert done.stderr == ""
        assert not sanitizer_report(done.stdout), done.stdout
        assert done.returncode == check, done.stdout
        return done.stdout

    def passwords(self):
        return (self.folder / "passwords").read_text().split()


@pytest.fixture
def demo(kdcd, folder):
    return Demo(kdcd(), folder)


def failures(output):
    return re.findall(r"^   FAILED  (.*)$", output, re.MULTILINE)


def users(kdc):
    return kdc.admin("user", "list").stdout


def test_everything_that_should_happen_happens_and_is_shown(demo):
    output = demo.run(check=0)
    assert not failures(output)
    checks = len(re.findall(r"^   ok      ", output, re.MULTILINE))
    assert output.splitlines()[-1] == f"All {checks} checks ok."
    name = re.search(r"alice-\w+", output)[0]
    for shown in (
        f"What {name} saw", "> /rekey", "你好", demo.kdc.fingerprint, "ffdhe3072", "3des-cbc-hmac-sha512",
        "both hold the same key in epoch 2", "the KDC passed the inner ciphertext on as it was",
        "the two passwords are not in it",
    ):
        assert shown in output
    assert "\033" not in output
    assert name not in users(demo.kdc)


def test_no_password_is_printed(demo):
    output = demo.run(check=0)
    passwords = demo.passwords()
    assert len(passwords) == 2
    for password in passwords:
        assert len(password) >= 20
        assert password not in output
        assert password not in demo.kdc.log()


def test_a_text_that_arrives_changed_fails(demo):
    demo.replace("kdc-chat", CHANGE_A_TEXT)
    output = demo.run(check=1, wait=3)
    assert any("under a new key" in failure for failure in failures(output))
    assert "checks FAILED" in output


def test_a_password_on_the_wire_fails(demo):
    demo.replace("kdc-chat", SHOW_THE_PASSWORD)
    assert "the two passwords are not in it" in failures(demo.run(check=1))


def test_without_a_kdc_it_fails_and_leaves_no_account(demo):
    demo.kdc.stop()
    output = demo.run(check=1)
    assert any("broke off" in failure for failure in failures(output))
    assert "alice" not in users(demo.kdc)


def test_a_record_is_never_taken_for_a_hello():
    spec = importlib.util.spec_from_file_location("wiretap", ROOT / "scripts/demo/wiretap.py")
    wiretap = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(wiretap)

    def frame(body):
        return len(body).to_bytes(4, "big") + body
    body = b"\0\1" + bytes(range(32)) + b"\1\1" + b"\0\2" + b"yy" + b"\1\0\1"
    frames = [frame(b"\1" + body), frame(b"\4" + bytes(64)), frame(b"\1" + bytes(80))]
    assert wiretap.client_hello(frames)["random"] == bytes(range(32))
    assert wiretap.client_hello(frames)["group"] == "ffdhe3072"


@pytest.mark.plain
def test_the_script_starts_what_it_needs_and_leaves_it_running(folder):
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    port = free_port()

    def script(name):
        done = subprocess.run(
            [folder / "scripts" / name], env={**os.environ, "KDC_BIN": str(BIN), "KDC_PORT": str(port)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
            timeout=120 * SLOWER, check=False)
        assert done.returncode == 0, done.stdout
        return done.stdout
    try:
        assert "make stop ends it" in script("demo.sh")
        pid = (folder / "var/kdcd.pid").read_text()
        again = script("demo.sh")
        assert "make stop ends it" not in again
        assert again.splitlines()[-1].startswith("All ")
        assert (folder / "var/kdcd.pid").read_text() == pid
    finally:
        script("stop.sh")
