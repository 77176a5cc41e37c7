"""The store by TCP: always with TLS, and only with a server that proves who it is."""
import contextlib
import datetime
import ipaddress
import json
import socket
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import support.mariadb
from interop.attack import PASSWORD, connect as client
from support.kdcd import Database, write_config
from support.mariadb import CONFIG, MariaDb
from support.ports import free_port
from support.probe import Probe
from support.programs import SLOWER

BOSS_PASSWORD = "for this test alone"


def certificate(folder, name, issuer=None, address="127.0.0.1", days=(-1, 2)):
    """An authority, or (with an issuer) a server's certificate for an address, valid between these days from today. Returns
    (certificate, key)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer, signer_key = issuer or (None, key)
    now = datetime.datetime.utcnow()
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(signer.subject if signer else subject)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now + datetime.timedelta(days=days[0])).not_valid_after(now + datetime.timedelta(days=days[1]))
               .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True))
    if issuer:
        named = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(named, critical=False)
    made = builder.sign(signer_key, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return made, key


@pytest.fixture
def tcp(new_folder, mariadb_template, monkeypatch):
    """tcp(tls=True): a MariaDB that listens on 127.0.0.1; .port, and the authority's certificate in .ca. `about` goes to its
    certificate."""
    servers = []

    def start(tls=True, **about):
        folder = new_folder()
        authority = certificate(folder, "authority")
        certificate(folder, "server", authority, **about)
        port = free_port()
        config = folder / "mariadb.cnf"
        with_tls = f"ssl-cert = {folder}/server.pem\nssl-key = {folder}/server.key\n"
        config.write_text(f"!include {CONFIG}\n[mariadbd]\nskip-networking = 0\nbind-address = 127.0.0.1\n"
                          f"port = {port}\n{with_tls if tls else 'skip-ssl'}\n")
        monkeypatch.setattr(support.mariadb, "CONFIG", config)
        server = MariaDb(folder, mariadb_template)
        server.start()
        servers.append(server)
        server.port, server.ca = port, folder / "authority.pem"
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE USER boss@'%' IDENTIFIED BY '{BOSS_PASSWORD}'")
            cursor.execute("GRANT ALL ON *.* TO boss@'%' WITH GRANT OPTION")
        return server
    yield start
    for server in servers:
        server.stop()


def by_tcp(database, **keys):
    """The database's configuration, by TCP for kdcd and for the administrator."""
    boss = database.folder / "boss-password"
    boss.touch(mode=0o600)
    boss.write_text(BOSS_PASSWORD + "\n")
    sections = database.sections()
    del sections["database"]["socket"]
    server = database.mariadb
    sections["database"].update({"host": "127.0.0.1", "port": server.port, "tls_ca": server.ca, **keys})
    sections["admin"] = {"user": "boss", "password_file": boss}
    write_config(database.config, sections)
    return database


def connect(database, folder):
    probe = Probe(database.config, folder)
    result, = probe("connect")
    probe.end()
    return result, probe.error


def test_a_server_with_the_right_certificate_is_used(tcp, folder):
    database = by_tcp(Database(tcp(), folder, init=False))
    database.admin("db", "init")
    assert connect(database, folder) == ("ok", "")
    assert "works" in database.admin("db", "status", "--json").stdout
    grants = str(database.query(f"SHOW GRANTS FOR `{database.user}`@'%'"))
    assert "REQUIRE SSL" in grants


@pytest.mark.parametrize("keys", [{"tls_ca": None}, {"tls_ca": "stranger.pem"}, {"host": "localhost"}])
def test_a_server_that_cant_prove_itself_gets_no_password(tcp, folder, keys):
    certificate(folder, "stranger")
    database = by_tcp(Database(tcp(), folder, init=False))
    database.admin("db", "init")
    by_tcp(database, **keys)
    result, error = connect(database, folder)
    assert result == "unavailable" and "2026" in error, "a TLS error"


def test_a_server_without_tls_is_not_used(tcp, folder):
    database = by_tcp(Database(tcp(tls=False), folder, init=False))
    result, error = connect(database, folder)
    assert result == "unavailable" and ("TLS" in error or "SSL" in error), error


# --- A certificate that isn't good ---------------------------------------------------------------------------------

@pytest.mark.parametrize("about, words", [
    ({"days": (-3, -1)}, "expired"), ({"days": (1, 3)}, "not yet valid"), ({"address": "127.0.0.9"}, None),
], ids=["expired", "not yet valid", "of another host"])
def test_a_server_with_a_certificate_that_isnt_good_gets_no_password(tcp, folder, about, words):
    """Neither kdcd's nor the administrator's; and both say what is wrong."""
    database = by_tcp(Database(tcp(**about), folder, init=False))
    database.password_file.touch()
    result, error = connect(database, folder)
    assert result == "unavailable" and "2026" in error and "tls_ca" in error, error
    assert words is None or words in error, error
    for command in (("db", "init"), ("user", "list"), ("db", "status")):
        done = database.admin(*command, check=False)
        assert done.returncode == 5, done.stderr
        assert "certificate" in done.stderr, done.stderr
    with database.mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Aborted_connects'")
        assert int(cursor.fetchone()[1]) > 0, "the connections came, and were given up before the password"


def test_kdcd_and_its_people_by_tcp(tcp, folder, kdcd):
    """Its connections all have TLS; and no more than one for each worker, two more, and the journal's."""
    database = by_tcp(Database(tcp(), folder, init=False))
    database.admin("db", "init")
    kdc = kdcd(database, start=False)
    kdc.configure(**json_sections(database), threads={"workers": 2})
    kdc.start()
    kdc.known_fingerprint = kdc.fingerprint
    for name in ("alice", "bob"):
        kdc.add_user(name)
    people = []
    logins = [threading.Thread(target=lambda: people.append(client(kdc, "alice"))) for _ in range(8)]
    for login in logins:
        login.start()
    for login in logins:
        login.join()
    with client(kdc, "bob") as bob:
        bob.open("alice")
    connections = database.query("SELECT id FROM information_schema.processlist WHERE user = %s", (database.user,))
    assert 1 <= len(connections) <= 2 + 2 + 1
    with contextlib.suppress(OSError):
        for one in people:
            one.__exit__(None, None, None)
    password = kdc.database.password_file.read_text().strip()
    assert PASSWORD not in kdc.log() and password not in kdc.log()


def json_sections(database):
    """What by_tcp has put into the database's configuration."""
    sections, name = {}, None
    for line in database.config.read_text().splitlines():
        if line.startswith("["):
            name = line.strip("[]")
            sections[name] = {}
        elif line:
            key, value = line.split(" = ", 1)
            sections[name][key] = value
    sections["database"]["socket"] = None
    sections.pop("identity", None)
    return sections


# --- Timeouts ----------------------------------------------------------------------------------------------------

class Proxy(threading.Thread):
    """Between a client and the server: passes everything on, until it is told to stop listening to one of the two."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.listener = socket.socket()
        # As little room as can be, so that what isn't read holds up who writes it.
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(16)
        self.port = self.listener.getsockname()[1]
        self.server_port = port
        self.limits = {"server": None, "client": None}  # bytes that are passed on from it, of each connection; None: all
        self.sockets = [self.listener]
        self.over = threading.Event()
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                near = self.listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self.server_port))
                self.sockets += [near, far]
                for name, source, target in (("client", near, far), ("server", far, near)):
                    threading.Thread(target=self.pass_on, args=(name, source, target), daemon=True).start()

    def pass_on(self, name, source, target):
        passed = 0
        with contextlib.suppress(OSError):
            while True:
                while self.limits[name] is not None and passed >= self.limits[name]:
                    if self.over.wait(0.05):
                        return
                data = source.recv(4096)
                if not data:
                    break
                target.sendall(data)
                passed += len(data)
            target.shutdown(socket.SHUT_WR)

    def end(self):
        self.over.set()
        for one in self.sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.fixture
def proxied(tcp, folder):
    """A database that is reached through a proxy, with timeouts of two seconds."""
    server = tcp()
    database = by_tcp(Database(server, folder, init=False))
    database.admin("db", "init")
    proxy = Proxy(server.port)
    by_tcp(database, port=proxy.port, connect_timeout=2, read_timeout=2)
    database.proxy = proxy
    yield database
    proxy.end()


# In bytes of the server: nothing; its greeting, so that TLS begins and gets nowhere; all that TLS needs.
@pytest.mark.parametrize("passed", [0, 60, 1500], ids=["at the greeting", "in the middle of TLS", "at the login"])
def test_a_server_that_stops_answering_while_one_connects_is_given_up_on(proxied, folder, passed):
    proxied.proxy.limits["server"] = passed
    probe = Probe(proxied.config, folder)
    begin = time.monotonic()
    assert probe("connect") == ["unavailable"], probe.error
    assert time.monotonic() - begin < 5 * SLOWER, probe.error
    proxied.proxy.limits["server"] = None
    time.sleep(0.2)
    assert probe("connect") == ["ok"], probe.error
    proxied.proxy.limits["server"] = 0
    begin = time.monotonic()
    assert probe("find", "alice") == ["unavailable"] and "no answer within 2 s" in probe.error, probe.error
    assert time.monotonic() - begin < 5 * SLOWER
    proxied.proxy.over.set()
    probe.end()


def test_a_server_that_stops_reading_is_given_up_on(proxied):
    """Nothing is half done then."""
    rows = proxied.folder / "users.jsonl"
    rows.write_text("".join(json.dumps({"name": f"user{number}", "hash": "$2y$10$" + "a" * 53}) + "\n" for number in range(6000)))
    proxied.proxy.limits["client"] = 200000
    begin = time.monotonic()
    done = proxied.admin("user", "import", rows, check=False)
    assert done.returncode == 5, done.stderr
    assert time.monotonic() - begin < 12 * SLOWER
    proxied.proxy.limits["client"] = None
    proxied.proxy.end()
    assert proxied.query("SELECT COUNT(*) FROM users") == ((0,),)
