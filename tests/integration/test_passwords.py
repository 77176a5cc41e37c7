"""Passwords that people change, accounts that end: with a real kdcd, our own client and kdc-chat."""
import datetime
import subprocess
import threading
import time

import pexpect
import pytest

from interop.attack import PASSWORD, connect, read_end
from interop.client import Client, Refused
from interop.messages import encode_message
from support.chat import Person
from support.programs import SLOWER, environment, program, sanitizer_report, wait_until
from support.timing import clock

NEW = "battery staple"
OK, USAGE, LOGIN, UNREACHABLE, REFUSED = 0, 2, 3, 6, 9
CONFIGURATION = 3  # kdcd's exit status


def refusal(call, *arguments):
    with pytest.raises(Refused) as refused:
        call(*arguments)
    return refused.value.reason


def events(kdc, event, user="alice"):
    """What came of each of that kind, oldest first."""
    return [outcome for outcome, in kdc.database.query(
        "SELECT outcome FROM audit WHERE event = %s AND user = %s ORDER BY id", (event, user))]


def is_taken(kdc, ticket):
    with connect(kdc, ticket=ticket) as client:
        return client.name == "alice"


def ms_from_now(seconds):
    """As kdc-admin takes a date."""
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


# --- In a session ------------------------------------------------------------------------------------------------

def test_a_change_keeps_the_session_and_voids_older_tickets(started):
    kdc = started()
    alice, bob = connect(kdc, "alice"), connect(kdc, "bob")
    alice.open("bob")
    before = alice.ticket
    alice.change_password(PASSWORD, NEW)
    after = alice.ticket
    alice.send_text("bob", "still here", wait=False)
    assert bob.receive() == [("alice", "still here")]
    for one in (alice, bob):
        one.__exit__(None, None, None)
    assert not is_taken(kdc, before)
    assert is_taken(kdc, after)
    with connect(kdc) as client:
        assert refusal(client.login, "alice", PASSWORD) == "login_failed"
        client.login("alice", NEW)
    wait_until("it is in the audit log", lambda: events(kdc, "password change") == ["ok"])
    kdc.wait_log("info changed the password user=alice ")
    assert NEW not in kdc.log() and PASSWORD not in kdc.log()


def test_what_isnt_taken_leaves_everything_as_it_was(started):
    kdc = started(policy={"password_min": 10, "password_history": 2, "login_tries": 5})
    with connect(kdc, "alice") as alice:
        before = alice.ticket
        for new, why in (("short", "password_short"), ("nine byte", "password_short"), ("qwertyuiop", "password_common"),
                         ("PASSWORD1234", "password_common"), ("I am ALICE!!", "password_common"),
                         (b"\xff\xfe" * 6, "password_utf8"), ("n\0l n\0l n\0l", "password_nul"),
                         ("x" * 73, "password_long"), (PASSWORD, "password_reused")):
            assert refusal(alice.change_password, PASSWORD, new) == why, new
        for old in ("incorrect horse", "", "short", "x" * 255):
            assert refusal(alice.change_password, old, NEW) == "login_failed"
        alice.ping()
    assert is_taken(kdc, before)
    with connect(kdc, "alice"):
        pass


def test_the_last_ones_arent_taken_again(started):
    kdc = started(policy={"password_history": 2})
    words = [PASSWORD, "first password", "second password", "third password"]
    with connect(kdc, "alice") as alice:
        for old, new in zip(words, words[1:]):
            alice.change_password(old, new)
        for reused in words[1:]:
            assert refusal(alice.change_password, words[3], reused) == "password_reused"
        alice.change_password(words[3], words[0])
    assert kdc.database.query("SELECT COUNT(*) FROM password_history") == ((2,),)
    for word, status in ((words[0], 7), (words[3], 7), (words[2], 7), (words[1], 0)):
        done = kdc.admin("user", "passwd", "alice", "--password-file", password_file(kdc, word), check=False)
        assert done.returncode == status and (status == 0 or "used before" in done.stderr)
    kdc.admin("user", "passwd", "alice", "--force", "--password-file", password_file(kdc, words[0]))
    kdc.configure(policy={"password_history": 0})
    kdc.reload()
    kdc.wait_log("reloaded")
    with connect(kdc, "alice", words[0]) as alice:
        alice.change_password(words[0], words[3])
    assert kdc.database.query("SELECT COUNT(*) FROM password_history") == ((0,),), "what isn't asked for isn't kept"


def test_guessing_by_changing_ends_the_session(started):
    kdc = started(policy={"login_tries": 3})
    with connect(kdc, "alice") as alice:
        for _ in range(3):
            assert refusal(alice.change_password, "incorrect horse", NEW) == "login_failed"
        assert read_end(alice) == "tries"
        alice.name = None
    wait_until("each is in the audit log", lambda: events(kdc, "password change") == ["login_failed"] * 3)


def test_a_flood_of_changes_costs_one_worker_once_and_delays_nobody(started):
    kdc = started(policy={"bcrypt_cost": 14}, threads={"workers": 1})
    with connect(kdc, "alice") as alice, connect(kdc, "bob") as bob:
        flood = b"".join(alice.sending.seal(encode_message(
            "change_password", request=1000 + i, old=PASSWORD.encode(), new=NEW.encode())) for i in range(200))
        alice.send(flood)
        start = clock()
        bob.ping()
        assert bob.who("alice")[0] == "online"
        assert clock() - start < 2 * SLOWER
        answers = []
        alice._on_password_changed = answers.append
        alice._on_refused = answers.append
        alice.wait_for(lambda: len(answers) == 200)
        counted = [answer.get("reason", "ok") for answer in answers]
        assert counted.count("ok") == 1 and counted.count("busy") + counted.count("too_many") == 199
    wait_until("one is in the audit log", lambda: events(kdc, "password change"))
    assert events(kdc, "password change") == ["ok"]


def test_another_clients_login_by_the_old_password_never_outlives_the_change(started):
    kdc = started()
    stop = threading.Event()

    def steal():
        while not stop.is_set():
            client = Client(kdc.server, kdc.known_fingerprint)
            try:
                client.login("alice", PASSWORD)
                client.read_message(0.2)
            except (Refused, TimeoutError, OSError):
                pass
            except Exception:  # closed: taken over, or by the change
                pass
            finally:
                client.socket.close()
    thief = threading.Thread(target=steal)
    thief.start()
    try:
        with connect(kdc) as alice:
            alice.login_changing("alice", PASSWORD, NEW)
            time.sleep(0.5)
            alice.ping()  # nobody who only knows the old one has taken it over
    finally:
        stop.set()
        thief.join()


# --- Must be changed ---------------------------------------------------------------------------------------------

def password_file(kdc, password):
    path = kdc.folder / "new-password"
    path.touch(mode=0o600)
    path.write_text(password)
    return path


def test_an_operator_lets_a_password_be_changed(started):
    kdc = started()
    alice = connect(kdc, "alice")
    ticket = alice.ticket
    assert "asked to change the password" in kdc.admin("user", "set", "alice", "--must-change").stdout
    assert read_end(alice) == "must_change"
    assert not is_taken(kdc, ticket)
    with connect(kdc) as client:
        assert refusal(client.login, "alice", "incorrect horse") == "login_failed"
        for _ in range(4):
            assert refusal(client.login, "alice", PASSWORD) == "must_change"
        assert refusal(client.login_changing, "alice", PASSWORD, "password1") == "password_common"
        client.login_changing("alice", PASSWORD, NEW)
        client.ping()
        assert is_taken(kdc, client.ticket)
    with connect(kdc, "alice", NEW):
        pass
    wait_until("both are in the audit log", lambda: events(kdc, "password change") == ["ok"])
    assert kdc.admin_json("user", "show", "alice")["must_change"] is False


def test_a_password_that_an_operator_sets_may_have_to_be_changed(started):
    kdc = started()
    done = kdc.admin_json("user", "passwd", "alice", "--generate", "--must-change")
    with connect(kdc) as client:
        assert refusal(client.login, "alice", done["password"]) == "must_change"
        client.login_changing("alice", done["password"], NEW)


# --- Accounts that end -------------------------------------------------------------------------------------------

def test_an_account_that_has_ended_is_told_with_the_right_password_only(started):
    kdc = started()
    alice = connect(kdc, "alice")
    ticket = alice.ticket
    kdc.admin("user", "set", "alice", "--expires", ms_from_now(-1))
    assert read_end(alice) == "account_expired"
    assert not is_taken(kdc, ticket)
    with connect(kdc) as client:
        assert refusal(client.login, "alice", "incorrect horse") == "login_failed"
        assert refusal(client.login, "alice", PASSWORD) == "account_expired"
    kdc.admin("user", "set", "alice", "--expires", "never")
    with connect(kdc, "alice"):
        pass


def test_a_live_session_ends_with_its_account(started):
    kdc = started()
    alice, bob = connect(kdc, "alice"), connect(kdc, "bob")
    kdc.admin("user", "set", "bob", "--expires", ms_from_now(1000))
    kdc.admin("user", "set", "bob", "--expires", "never")
    start = clock()
    kdc.admin("user", "set", "alice", "--expires", ms_from_now(4))
    alice.ping()
    assert read_end(alice) == "account_expired"
    assert clock() - start < 5.5 * SLOWER
    bob.ping()
    bob.__exit__(None, None, None)


def test_a_session_and_its_ticket_know_the_end_from_the_login_on(started):
    kdc = started()
    begin = time.monotonic()
    kdc.admin("user", "set", "alice", "--expires", ms_from_now(6))
    with connect(kdc, "alice") as client:
        assert 4.9 - (time.monotonic() - begin) < client.welcome["ticket_seconds"] < 6
        ticket = client.ticket
    with connect(kdc, ticket=ticket) as client:
        assert client.shake.resumed
        assert read_end(client) == "account_expired"
        client.name = None
    assert time.monotonic() - begin > 5.9
    assert not is_taken(kdc, ticket)


# --- The policy's file -------------------------------------------------------------------------------------------

def test_a_list_is_read_at_the_start_and_at_each_reload(started):
    kdc = started()
    words = kdc.folder / "refused"
    words.write_text("Horse Battery\n")
    kdc.configure(policy={"password_list": "refused"})
    kdc.reload()
    kdc.wait_log("reloaded")
    with connect(kdc, "alice") as alice:
        assert refusal(alice.change_password, PASSWORD, "horse BATTERY") == "password_common"
        words.unlink()
        since = len(kdc.log())
        kdc.reload()
        kdc.wait_log("kept the configuration: a file that it names is wrong .*refused", since=since)
        assert refusal(alice.change_password, PASSWORD, "horse battery") == "password_common"
        words.write_text("another word\n")
        since = len(kdc.log())
        kdc.reload()
        kdc.wait_log("reloaded", since=since)
        alice.change_password(PASSWORD, "horse battery")


def test_kdcd_doesnt_start_without_its_list(kdcd):
    kdc = kdcd(start=False, policy={"password_list": "/nonexistent/list"})
    kdc.start(wait=False)
    assert kdc.process.wait(10 * SLOWER) == CONFIGURATION
    assert "/nonexistent/list" in kdc.log() and "can't be read" in kdc.log()
    kdc.process = None
    done = subprocess.run([program("kdcd"), "--config", kdc.config, "--check-config"], env=environment(kdc.folder),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == CONFIGURATION and "/nonexistent/list" in done.stderr


# --- kdc-chat ----------------------------------------------------------------------------------------------------

@pytest.fixture
def chat(started, new_folder):
    """A kdcd, and alice with kdc-chat in a terminal: chat(kdc, *arguments)."""
    people = []

    def make(kdc, *arguments, ready=True):
        alice = Person(new_folder(), kdc, "alice")
        people.append(alice)
        child = alice.spawn(*arguments, login=False)
        child.alice = alice
        if ready:
            log_in(child, PASSWORD)
        return child
    yield make
    for one in people:
        one.end_all()


def log_in(child, password):
    child.expect("Username: ")
    child.sendline("alice")
    child.expect("Password: ")
    child.sendline(password)


def answer(child, *words):
    """What is typed unseen, each at its question."""
    for question, word in words:
        child.expect(question)
        time.sleep(0.1)
        child.sendline(word)


OLD_ONE, NEW_ONE, AGAIN = "Your password until now: ", "New password for alice: ", "The same password again: "


def test_passwd_in_the_chat(started, chat):
    kdc = started()
    child = chat(kdc)
    child.expect("Logged in as alice")
    child.sendline("/passwd")
    answer(child, (OLD_ONE, "incorrect horse"), (NEW_ONE, NEW), (AGAIN, NEW))
    child.expect("That is not your password; it stays as it is")
    child.sendline("/passwd")
    answer(child, (OLD_ONE, PASSWORD), (NEW_ONE, "short"), ("too short.*" + NEW_ONE, NEW), (AGAIN, "another one"),
           ("differ.*" + NEW_ONE, NEW), (AGAIN, NEW))
    child.expect("Your password is changed")
    child.sendline("/passwd")
    answer(child, (OLD_ONE, NEW), (NEW_ONE, "alice alice"), (AGAIN, "alice alice"))
    child.expect("Your password stays as it is. That password is too easy to guess")
    child.sendline("/who bob")
    child.expect("bob is offline|bob has never|bob")
    child.sendline("/quit")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == OK
    with connect(kdc, "alice", NEW):
        pass


def test_ctrl_c_leaves_the_password_and_the_chat(started, chat):
    kdc = started()
    child = chat(kdc)
    child.expect("Logged in as alice")
    child.sendline("/passwd")
    child.expect(OLD_ONE)
    time.sleep(0.2)
    child.sendintr()
    child.expect("Your password stays as it is")
    child.sendline("/fingerprint")
    child.expect("has the fingerprint")
    with connect(kdc, "alice"):
        pass


def test_a_chat_comes_back_by_the_new_password(started, chat):
    kdc = started(policy={"ticket_lifetime": 0})
    child = chat(kdc)
    child.expect("Logged in as alice")
    child.sendline("/passwd")
    answer(child, (OLD_ONE, PASSWORD), (NEW_ONE, NEW), (AGAIN, NEW))
    child.expect("Your password is changed")
    kdc.stop()
    child.expect("[Cc]onnection|stops")
    kdc.start()
    child.expect("[Cc]onnected again|Logged in|back", timeout=30 * SLOWER)
    wait_until("alice is back", lambda: kdc.admin_json("who"), 30)


def test_a_chat_asks_when_the_password_must_be_changed(started, chat):
    kdc = started()
    kdc.admin("user", "set", "alice", "--must-change")
    child = chat(kdc)
    child.expect("must be changed before you can go on")
    answer(child, (NEW_ONE, "password1"), (AGAIN, "password1"), ("too easy to guess.*" + NEW_ONE, NEW), (AGAIN, NEW))
    child.expect("Your password is changed")
    child.expect("Logged in as alice")
    child.sendline("/quit")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == OK
    with connect(kdc, "alice", NEW):
        pass


def detached(person, *arguments, text=""):
    """Where there is no terminal at all."""
    done = subprocess.run(person.command(*arguments), env=person.env, input=text, cwd=person.folder,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", timeout=60 * SLOWER,
                          check=False, start_new_session=True)
    assert not sanitizer_report(done.stderr), done.stderr
    return done


def test_without_a_terminal_a_password_that_must_be_changed_is_an_error(started, new_folder):
    kdc = started()
    kdc.admin("user", "set", "alice", "--must-change")
    alice = Person(new_folder(), kdc, "alice")
    for command in ([], ["list"], ["send", "bob", "hello"]):
        done = detached(alice, *command)
        assert done.returncode == LOGIN
        assert "must be changed" in done.stderr and "kdc-chat passwd" in done.stderr


def test_passwd_by_files(started, new_folder):
    kdc = started()
    kdc.admin("user", "set", "alice", "--must-change")
    alice = Person(new_folder(), kdc, "alice")
    new = alice.folder / "new"
    new.touch(mode=0o600)

    def passwd(word, status, words):
        new.write_text(word + "\n")
        done = detached(alice, "passwd", "--new-password-file", new)
        assert done.returncode == status, done.stderr
        assert words in done.stdout + done.stderr
    passwd("short", REFUSED, "too short")
    passwd("password1", REFUSED, "too easy to guess")
    passwd(PASSWORD, REFUSED, "used before")
    passwd("", USAGE, "first line is empty")
    passwd(NEW, OK, "The password of alice is changed.\n")
    passwd("third password", LOGIN, "Wrong name or password")
    alice.password_file.write_text(NEW)
    done = detached(alice, "passwd")
    assert done.returncode == USAGE and "--new-password-file" in done.stderr
    done = detached(alice, "list", "--new-password-file", new)
    assert done.returncode == USAGE
    assert "/passwd: there is no terminal" in detached(alice, text="/passwd\n").stdout


def test_a_connection_that_is_lost_meanwhile_leaves_it_open_whether_the_password_is_changed(started, new_folder):
    kdc = started()
    alice = Person(new_folder(), kdc, "alice")
    new = alice.folder / "new"
    new.touch(mode=0o600)
    new.write_text(NEW)
    with kdc.database.connect_admin() as locking, locking.cursor() as cursor:
        cursor.execute("LOCK TABLES users WRITE")
        passwd = alice.start("passwd", "--new-password-file", new)
        wait_until("the KDC looks for alice", lambda: kdc.database.query(
            "SELECT COUNT(*) FROM information_schema.processlist "
            "WHERE state = 'Waiting for table metadata lock' AND info LIKE '%WHERE name = %'") == ((1,),))
        kdc.kill()
    status, output, errors = alice.finish(passwd)
    assert status == UNREACHABLE and output == ""
    assert errors == ("kdc-chat: The connection to the KDC was lost; whether your password is changed shows at the next "
                      "login\n")


def test_passwd_asks_at_a_terminal(started, chat):
    kdc = started()
    child = chat(kdc, "passwd", ready=False)
    log_in(child, PASSWORD)
    answer(child, (NEW_ONE, "qwertyuiop"), (AGAIN, "qwertyuiop"), ("too easy to guess.*" + NEW_ONE, NEW), (AGAIN, NEW))
    child.expect("The password of alice is changed.")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == OK
    with connect(kdc, "alice", NEW):
        pass
