"""What the tests of kdc-admin share, those of import, and those of registration: its mail server and its
policies."""
import json
import re
import subprocess

import pytest

from support.importing import bcrypt
from support.kdcd import write_config
from support.programs import SLOWER, environment, program, sanitizer_report
from support.smtp import SmtpServer, make_authority, make_certificate


@pytest.fixture
def admin(database, folder):
    """admin("user", "add", "alice", text="password\\n") runs it; `status` is what it must end with."""
    sections = {**database.sections(), "control": {"socket": folder / "control.sock"},
                "identity": {"file": "identity"}, "policy": {"bcrypt_cost": 10}}
    config = folder / "admin.conf"
    write_config(config, sections)

    def run(*arguments, text="", status=0, config=config):
        done = subprocess.run([program("kdc-admin"), "--config", str(config), *map(str, arguments)], input=text,
                              env=environment(folder), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              encoding="utf-8", timeout=30 * SLOWER, check=False)
        assert not sanitizer_report(done.stderr), done.stderr
        assert done.returncode == status, f"{done.returncode}: {done.stdout}{done.stderr}"
        if status:
            assert re.fullmatch(r"(kdc-admin: .*\n)+(Try .*\n)?", done.stderr), done.stderr
        return done
    run.config = config
    run.sections = sections
    run.json = lambda *arguments, **more: json.loads(run(*arguments, "--json", **more).stdout)
    return run


@pytest.fixture
def started(kdcd):
    """started(section={...}): a kdcd with alice and bob."""
    def make(**sections):
        kdc = kdcd(start=False)
        kdc.configure(**sections)
        kdc.start()
        kdc.known_fingerprint = kdc.fingerprint
        for name in ("alice", "bob"):
            kdc.add_user(name)
        return kdc
    return make


@pytest.fixture(scope="module")
def hashed():
    return bcrypt()


@pytest.fixture
def write(folder):
    """write("users.csv", "name,hash", "alice,...") makes the file; bytes as they are, lines joined."""
    def make(name, *lines):
        path = folder / name
        path.write_bytes(b"".join(line if isinstance(line, bytes) else line.encode() + b"\n" for line in lines))
        return path
    return make


@pytest.fixture(scope="session")
def authority(session_folder):
    folder = session_folder / "authority"
    folder.mkdir()
    return make_authority(folder)


@pytest.fixture(scope="session")
def certificate(session_folder, authority):
    return make_certificate(session_folder / "authority", authority)


@pytest.fixture
def smtp(certificate):
    server = SmtpServer(certificate).start()
    yield server
    server.stop()


@pytest.fixture
def mailing(kdcd, smtp, authority):
    """mailing(section={...}): a kdcd under the policy `email` that mails by the server `smtp`."""
    def make(start=True, **sections):
        settings = {"policy": {"registration": "email", "login_tries": 100},
                    "penalties": {"enabled": "off"},
                    "limits": {"login_deadline": 600},
                    "mail": {"server": "localhost", "port": smtp.port, "from": "chat@example.com", "ca": authority[1],
                             "timeout": 5}}
        for section, keys in sections.items():
            settings.setdefault(section, {}).update(keys)
        kdc = kdcd(start=False)
        kdc.configure(**settings)
        return kdc.start() if start else kdc
    return make


@pytest.fixture
def inviting(kdcd):
    return kdcd(policy={"registration": "invite", "login_tries": 100}, penalties={"enabled": "off"})
