"""What the tests of attacks share: raw frames, the KDC, and two people who talk all along."""
import contextlib

from interop.client import Client, Closed, Connection
from interop.messages import CAUSE, Reader
from interop.protocol import ALERT, SERVER_HELLO, encode_client_hello, fingerprint
from interop.suites import CHACHA20, GROUP_BY_NAME
from support.kdcd import Database, Kdcd
from support.programs import SLOWER
from support.timing import clock

PASSWORD = "correct horse"
HELLO_GROUP = GROUP_BY_NAME["ffdhe3072"]
DEADLINE = 6  # of the attacked KDC for a handshake, in seconds


def hello(group=HELLO_GROUP.number, public=None, suites=(CHACHA20,), version=1, random=bytes(32)):
    if public is None:
        public = HELLO_GROUP.public(HELLO_GROUP.new_private())
    return encode_client_hello(random, group, public, suites, version)


def answer_to(kdc, *parts, timeout=10):
    """What the KDC says to these bytes on a connection of their own before it closes: an alert's reason, or None."""
    with Connection(kdc.server, timeout) as connection:
        for part in parts:
            connection.send(part)
        return read_alert(connection)


def read_alert(connection):
    reason = None
    try:
        while True:
            whole = connection.read_frame()
            reader = Reader(whole[4:])
            if reader.number(1) == ALERT:
                assert reason is None, "two alerts"
                reason = CAUSE[1](reader)
                reader.number(4)
                reader.end()
    except Closed:
        return reason


def read_end(client):
    """What a client with keys hears until the connection ends: the reason of a close message, or None without one."""
    try:
        while True:
            client.read_message()
    except Closed as closed:
        return closed.reason


@contextlib.contextmanager
def attacked(mariadb, new_folder, handshake_deadline, login_deadline):
    """A kdcd with accounts for attacks; the deadlines in seconds."""
    database = Database(mariadb, new_folder())
    daemon = Kdcd(database, new_folder(), limits={
        "handshake_deadline": handshake_deadline * SLOWER, "login_deadline": login_deadline * SLOWER,
        "connections_per_source": 2000, "conversations": 3}, log={"refusals": 100000},
        threads={"reactors": 2, "workers": 2})
    daemon.start()
    daemon.known_fingerprint = daemon.fingerprint
    for name in ("mallory", "carol", "dave", "erin", "frank", "locked", "disabled"):
        daemon.add_user(name)
    yield daemon
    daemon.stop()
    database.drop()


def connect(kdc, name=None, password=PASSWORD, **choices):
    client = Client(kdc.server, kdc.known_fingerprint, **choices)
    if name:
        client.login(name, password)
    return client


def fingerprint_in(recorded):
    """Of the identity in a recorded direction that begins with a server_hello; None if it doesn't."""
    reader = Reader(recorded[4:])
    if reader.number(1) != SERVER_HELLO:
        return None
    reader.take(2 + 32 + 2 + 1)
    reader.vector(2, 1, 1024)
    return fingerprint(reader.take(32))


def flipped(data, position, bit=0x10):
    if position is None:
        return data
    changed = bytearray(data)
    changed[position] ^= bit
    return bytes(changed)


class TwoPeople:
    """Logged in before an attack and still talking after it."""

    def __init__(self, kdc):
        kdc.add_user("ann")
        kdc.add_user("ben")
        self.ann, self.ben = connect(kdc, "ann"), connect(kdc, "ben")
        self.ann.open("ben")
        self.ben.wait_for(lambda: "ann" in self.ben.conversations)
        self.said = 0

    def talk(self):
        """A text in each direction, within the epoch that they began with. Returns how many seconds it took (support.timing)."""
        begin = clock()
        for speaker, listener in ((self.ann, self.ben), (self.ben, self.ann)):
            self.said += 1
            text = f"text {self.said}"
            speaker.send_text(listener.name, text, wait=False)
            assert listener.receive() == [(speaker.name, text)]
            speaker.flush(listener.name)
            assert speaker.conversations[listener.name].epoch.number == 1
        return clock() - begin

    def leave(self):
        for one in (self.ann, self.ben):
            one.__exit__(None, None, None)

