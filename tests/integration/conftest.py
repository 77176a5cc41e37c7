"""What the tests of kdc-admin share."""
import json
import re
import subprocess

import pytest

from support.kdcd import write_config
from support.programs import SLOWER, environment, program, sanitizer_report


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
