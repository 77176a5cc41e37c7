"""The store by TCP: always with TLS, and only with a server that proves who it is."""
import datetime
import ipaddress
import socket

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import support.mariadb
from support.kdcd import Database, write_config
from support.mariadb import CONFIG, MariaDb
from support.probe import Probe

BOSS_PASSWORD = "for this test alone"


def certificate(folder, name, issuer=None):
    """An authority, or (with an issuer) a server's certificate for 127.0.0.1. Returns (certificate, key)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer, signer_key = issuer or (None, key)
    now = datetime.datetime.utcnow()
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(signer.subject if signer else subject)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=2))
               .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True))
    if issuer:
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    made = builder.sign(signer_key, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return made, key


@pytest.fixture
def tcp(new_folder, mariadb_template, monkeypatch):
    """tcp(tls=True): a MariaDB that listens on 127.0.0.1; .port, and the authority's certificate in .ca."""
    servers = []

    def start(tls=True):
        folder = new_folder()
        authority = certificate(folder, "authority")
        certificate(folder, "server", authority)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
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
