"""make install and make uninstall, and what the systemd unit promises and forbids."""
import os
import re
import shutil
import stat
import subprocess

import pytest

from support.make import make, need, output
from support.programs import wait_until

pytestmark = pytest.mark.plain

PROGRAMS = {"bin/kdc-chat": "kdc-chat", "sbin/kdcd": "kdcd", "sbin/kdc-admin": "kdc-admin"}
FILES = {"include/kdcchat.h", "lib/libkdcchat.a", "lib/pkgconfig/libkdcchat.pc", "lib/systemd/system/kdcd.service",
         "lib/sysusers.d/kdc-chat.conf", "lib/tmpfiles.d/kdc-chat.conf", "share/man/man1/kdc-chat.1",
         "share/man/man5/kdc.conf.5", "share/man/man8/kdcd.8", "share/man/man8/kdc-admin.8",
         *(f"share/bash-completion/completions/{name}" for name in PROGRAMS.values()),
         *(f"share/zsh/site-functions/_{name}" for name in PROGRAMS.values()),
         "share/doc/kdc-chat/kdc.conf.sample", "share/doc/kdc-chat/LICENSE", "share/doc/kdc-chat/README.md"}


def tree(root):
    return {str(path.relative_to(root)): path for path in root.rglob("*") if not path.is_dir()}


@pytest.fixture(scope="module")
def installed(new_folder):
    """Below a folder with a space in its name, under a umask that would hide all of it."""
    root = new_folder() / "the root"
    make("install", umask=0o077, DESTDIR=root, PREFIX="/usr")
    return root


def test_what_is_installed(installed):
    found = tree(installed / "usr")
    assert FILES | PROGRAMS.keys() <= found.keys()
    # Nothing else but documents, and nothing beside PREFIX.
    assert {name for name in found.keys() - FILES - PROGRAMS.keys() if not name.startswith("share/doc/kdc-chat/")} == set()
    assert os.listdir(installed) == ["usr"]


def test_installed_modes_are_those_that_they_should_be_whatever_the_umask(installed):
    for path in [installed, *installed.rglob("*")]:
        executable = path.is_dir() or str(path.relative_to(installed / "usr")) in PROGRAMS
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if executable else 0o644), path


def test_installed_files_name_their_place_and_not_that_where_they_were_put(installed):
    for name, path in tree(installed).items():
        assert str(installed).encode() not in path.read_bytes(), name
        if path.stat().st_size < 100_000:
            assert not re.search(r"@[A-Z]+@", path.read_text()), name
    unit = (installed / "usr/lib/systemd/system/kdcd.service").read_text()
    assert "ExecStart=/usr/sbin/kdcd " in unit
    assert "prefix=/usr\n" in (installed / "usr/lib/pkgconfig/libkdcchat.pc").read_text()


def test_installed_programs_run(installed):
    versions = {re.search(r"\d+\.\d+\.\d+\S*", output(installed / "usr" / path, "--version"))[0] for path in PROGRAMS}
    assert len(versions) == 1
    sample = output(installed / "usr/sbin/kdcd", "--sample-config")
    assert sample == (installed / "usr/share/doc/kdc-chat/kdc.conf.sample").read_text()


def test_installing_twice_changes_nothing_and_uninstalling_leaves_what_is_not_ours(folder):
    make("install", DESTDIR=folder, PREFIX="/opt/chat")
    before = {name: path.read_bytes() for name, path in tree(folder).items()}
    other = folder / "opt/chat/share/man/man8/other.8"
    other.write_text("somebody else's\n")
    (folder / "opt/chat/sbin").chmod(0o2775)
    make("install", DESTDIR=folder, PREFIX="/opt/chat")
    assert {name: path.read_bytes() for name, path in tree(folder).items() if path != other} == before
    assert stat.S_IMODE((folder / "opt/chat/sbin").stat().st_mode) == 0o2775
    make("uninstall", DESTDIR=folder, PREFIX="/opt/chat")
    assert list(tree(folder).values()) == [other]
    assert not (folder / "opt/chat/share/doc/kdc-chat").exists()
    make("uninstall", DESTDIR=folder, PREFIX="/opt/chat")


# --- systemd -----------------------------------------------------------------------------------------------------------


def unit_values(installed, key):
    """The values that a key has in the unit, in order."""
    unit = (installed / "usr/lib/systemd/system/kdcd.service").read_text()
    return re.findall(rf"^{key}=(.*)$", unit, re.MULTILINE)


def test_the_unit_is_hardened(installed):
    need("systemd-analyze")
    unit = installed / "usr/lib/systemd/system/kdcd.service"
    told = output("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", unit)
    assert float(re.search(r"Overall exposure level for kdcd.service: ([\d.]+)", told)[1]) < 2.0


def test_the_unit_has_no_key_that_systemd_does_not_know(installed):
    need("systemd-analyze")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(installed / "usr/lib/systemd/system/kdcd.service")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    # The program is in another root; anything else is wrong.
    told = [line for line in done.stdout.splitlines() if "kdcd.service" in line and "is not executable" not in line]
    assert told == []


def allowed_calls(installed):
    """The system calls that the unit's filter lets through."""
    groups = {}
    for line in output("systemd-analyze", "syscall-filter", "--no-pager").splitlines():
        if re.match(r"@|#", line):
            members = groups.setdefault(line.strip("# "), set())
        elif line.strip() and not line.strip().startswith("#"):
            members.add(line.strip())

    def calls(word):
        return set().union(*(calls(member) for member in groups[word])) if word.startswith("@") else {word}
    allowed = set()
    first = True
    for value in unit_values(installed, "SystemCallFilter"):
        named = set().union(*(calls(word) for word in value.lstrip("~").split()))
        assert not (first and value.startswith("~")), "a list of what is allowed"
        if first:
            allowed = calls("@default")
            first = False
        allowed = allowed - named if value.startswith("~") else allowed | named
    return allowed


def test_kdcd_makes_no_system_call_that_the_unit_forbids(installed, kdcd, person, folder):
    """Every part of its life: start, identity, logins, a conversation, kdc-admin, a reload, the end."""
    need("systemd-analyze")
    need("strace")
    trace = folder / "calls"
    kdc = kdcd(start=False)
    kdc.start(prefix=("strace", "-D", "-f", "-q", "-o", str(trace)))
    kdcd_pid = kdc.pid
    alice, bob = person(kdc, "alice"), person(kdc, "bob")
    listening = bob.start("listen", "--json", "--count", "1", "--timeout", "30")
    kdc.wait_log(r"logged in.*user=bob")
    alice.run("send", "bob", "hello", check=0)
    assert bob.finish_json(listening)[0]["text"] == "hello"
    kdc.admin("who")
    kdc.admin("status")
    kdc.reload()
    kdc.wait_log("reloaded the configuration")
    kdc.stop()
    ended = re.compile(rf"^{kdcd_pid} +\+\+\+ exited with 0 \+\+\+$", re.MULTILINE)
    wait_until("strace is done", lambda: ended.search(trace.read_text(errors="replace")))
    made = {}
    families = set()
    for line in trace.read_text(errors="replace").splitlines():
        call = re.match(r"\d+ +(\w+)\(", line)
        if call:
            made.setdefault(call[1], line)
        families |= set(re.findall(r" socket\((AF_\w+)", line))
    assert {"accept4", "mlock", "setpriority", "writev", "futex"} <= made.keys(), "the trace shows what kdcd does"
    # execve is systemd's own: it starts the program.
    allowed = allowed_calls(installed) | {"execve"}
    forbidden = {name: line for name, line in made.items() if name not in allowed}
    assert forbidden == {}
    allowed_families = set(" ".join(unit_values(installed, "RestrictAddressFamilies")).split())
    assert families and families <= allowed_families
    written_and_run = [line for line in trace.read_text(errors="replace").splitlines()
                       if re.search(r"m(map|protect)\(.*PROT_WRITE\|PROT_EXEC", line)]
    assert written_and_run == []


def test_user_and_folders_are_made_as_the_unit_wants_them(installed, new_folder):
    need("systemd-sysusers")
    need("systemd-tmpfiles")
    if os.geteuid() != 0:
        pytest.skip("files of another user take root")
    root = new_folder()
    shutil.copytree(installed / "usr/lib", root / "usr/lib")
    (root / "etc").mkdir()
    for _ in range(2):
        output("systemd-sysusers", f"--root={root}", "kdc-chat.conf")
        output("systemd-tmpfiles", f"--root={root}", "--create", "kdc-chat.conf")
    line = re.search(r"^kdc-chat:.*$", (root / "etc/passwd").read_text(), re.MULTILINE)[0].split(":")
    user, group = int(line[2]), int(line[3])
    assert (line[5], line[6]) == ("/var/lib/kdc-chat", "/usr/sbin/nologin")
    for name, owner, mode in (("etc", 0, 0o750), ("var/lib", user, 0o700), ("run", user, 0o700)):
        state = (root / name / "kdc-chat").stat()
        assert (state.st_uid, state.st_gid, stat.S_IMODE(state.st_mode)) == (owner, group, mode), name
    assert unit_values(installed, "User") == ["kdc-chat"]
    # The defaults of the configuration lie in folders that the unit lets kdcd write.
    sample = (installed / "usr/share/doc/kdc-chat/kdc.conf.sample").read_text()
    for key, folder in (("StateDirectory", "/var/lib"), ("RuntimeDirectory", "/run")):
        assert f"= {folder}/{unit_values(installed, key)[0]}/" in sample
