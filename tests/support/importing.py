"""What the tests of kdc-admin user import and export share."""
import pathlib
import re
import subprocess
import time

from support.programs import SLOWER, environment, program, sanitizer_report

# Of the password "correct horse": as PHP, Ruby, Python, Java and Apache write them.
DIGEST = "kYCBYGg2mVL3dkxi3CLpGe"
PASSWORD = "correct horse"
COLUMNS = "name, hash, state, created, last_login, must_change, expires, email, phone"
GOOD = "$2b$10$" + "a" * 53


def bcrypt(prefix="$2b$", cost=4, password=PASSWORD):
    """By libcrypt itself, not by our own code."""
    done = subprocess.run(["perl", "-e", "print crypt($ARGV[0], $ARGV[1])", password,
                           f"{prefix}{cost:02d}${DIGEST}"], stdout=subprocess.PIPE, text=True, check=True)
    assert len(done.stdout) == 60
    return done.stdout


def count(database):
    return database.query("SELECT COUNT(*) FROM users")[0][0]


def refusals(done):
    """[(line, reason)] of what people are told."""
    return [(int(line), reason) for line, reason in
            re.findall(r"^kdc-admin: [^:\n]+:(\d+): (.*)$", done.stderr, re.MULTILINE)]


def many(path, number, hashed):
    with path.open("w", encoding="ascii") as out:
        out.write("name,hash\n")
        out.writelines(f"user{one:06d},{hashed}\n" for one in range(number))
    return path


def run(admin, *arguments, **more):
    started = time.monotonic()
    done = subprocess.run([program("kdc-admin"), "--config", str(admin.config), "user", *map(str, arguments)],
                          env=environment(pathlib.Path(admin.config).parent), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          encoding="utf-8", timeout=120 * SLOWER, check=False, **more)
    assert not sanitizer_report(done.stderr), done.stderr
    return done, time.monotonic() - started


def perl_crypt(password, setting):
    return subprocess.run(["perl", "-e", "print crypt($ARGV[0], $ARGV[1])", password, setting], stdout=subprocess.PIPE,
                          text=True, check=True).stdout
