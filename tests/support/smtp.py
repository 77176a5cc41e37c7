"""A real SMTP server on loopback that keeps what it is given, and certificates for it."""
import asyncio
import contextlib
import email
import email.policy
import re
import socket
import ssl
import subprocess
import threading
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from support.ports import free_port
from support.programs import wait_until


def make_authority(folder, name="authority"):
    """An authority of the test's own: (its key, its certificate)."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
                    "-days", "2", "-subj", f"/CN={name} of the tests"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return key, certificate


def make_certificate(folder, authority, names="DNS:localhost,IP:127.0.0.1", name="server", days=2):
    """A server's certificate from that authority, and its key: an SSL context of a server that has them."""
    authority_key, authority_certificate = authority
    key, request, certificate = (folder / f"{name}.{ending}" for ending in ("key", "csr", "crt"))
    extensions = folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n")
    subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj",
                    f"/CN={name}"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", authority_certificate, "-CAkey", authority_key,
                    "-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", certificate], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


class Handler:
    def __init__(self, server):
        self.server = server

    async def handle_MAIL(self, server, session, envelope, address, options):
        if self.server.refuse_mail:
            return self.server.refuse_mail
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        for pattern, answer in self.server.refuse.items():
            if re.fullmatch(pattern, address):
                return answer
        for pattern, seconds in self.server.slow.items():
            if re.fullmatch(pattern, address):
                self.server.slow_ones.append(address)
                await asyncio.sleep(seconds)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.server.take(session, envelope)
        return "250 OK"


class Server(Controller):
    def factory(self):
        return SMTP(self.handler, hostname="localhost", **self.SMTP_kwargs)


class SmtpServer:
    """`context`: with STARTTLS (which is then required), or, with tls=True, encrypted from the first byte on."""

    def __init__(self, context=None, tls=False, port=0, user=None, password=None):
        self.mails = []
        self.refuse = {}  # recipients' patterns and the answer that they get
        self.slow = {}  # likewise, and for how many seconds they wait for it
        self.slow_ones = []  # recipients that waited
        self.refuse_mail = None
        self.context, self.tls, self.port = context, tls, port
        self.user, self.password = user, password
        self._controller = None

    def start(self):
        options = {"enable_SMTPUTF8": False}
        if self.context is not None and not self.tls:
            options |= {"tls_context": self.context, "require_starttls": True}
        if self.user:
            options |= {"authenticator": self._authenticate, "auth_required": True, "auth_require_tls": not self.tls}
        self._controller = Server(Handler(self), hostname="127.0.0.1", port=self.port or free_port(),
                                  ssl_context=self.context if self.tls else None, ready_timeout=60, **options)
        self._controller.start()
        self.port = self._controller.port
        return self

    def stop(self):
        if self._controller is not None:
            self._controller.stop(no_assert=True)
            self._controller = None

    @contextlib.contextmanager
    def frozen(self):
        """Answers nobody, and closes nothing."""
        thawed, freezes = threading.Event(), threading.Event()

        def freeze():
            freezes.set()
            thawed.wait(120)
        self._controller.loop.call_soon_threadsafe(freeze)
        assert freezes.wait(10)
        try:
            yield
        finally:
            thawed.set()

    def _authenticate(self, server, session, envelope, mechanism, data):
        good = (data.login, data.password) == (self.user.encode(), self.password.encode())
        return AuthResult(success=good, handled=good)

    def take(self, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append({"from": envelope.mail_from, "to": envelope.rcpt_tos, "message": message, "raw": envelope.content,
                           "text": message.get_content(), "encrypted": session.ssl is not None or self.tls})

    def wait(self, count=1, seconds=10):
        """The mails, once there are so many."""
        wait_until(f"{count} mails at the server, not {len(self.mails)}", lambda: len(self.mails) >= count, seconds)
        return self.mails

    def code(self, count=1, seconds=10):
        """The code in the newest of so many mails."""
        text = self.wait(count, seconds)[count - 1]["text"]
        return re.search(r"^\s*(\d{6})\s*$", text, re.MULTILINE)[1]


class HostileServer:
    """Speaks SMTP up to where it harms: "strip" offers no STARTTLS, "inject" sends its answers of behind TLS before TLS begins,
    a number is the greeting by which it refuses everybody, "endless" and "huge" never come to the end of their answer or of its line. `heard` is all that a client said in clear."""

    def __init__(self, context, trick):
        self.context, self.trick, self.heard = context, trick, b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                self._speak(connection)

    def _hear(self, connection):
        said = connection.recv(4096)
        self.heard += said
        return said

    def _speak(self, connection):
        connection.settimeout(5)
        if self.trick.isdigit():
            connection.sendall(self.trick.encode() + b" not for you\r\n")
            self._hear(connection)
            return
        if self.trick in ("endless", "huge"):
            connection.sendall(b"220-")
            while True:
                connection.sendall(b"x" * 4096 if self.trick == "huge" else b"more\r\n220-" * 400)
                time.sleep(0.001)
        connection.sendall(b"220 localhost\r\n")
        while said := self._hear(connection):
            if said.startswith(b"EHLO"):
                connection.sendall(b"250 localhost\r\n" if self.trick == "strip" else b"250-localhost\r\n250 STARTTLS\r\n")
            elif said.startswith(b"STARTTLS") and self.trick == "inject":
                connection.sendall(b"220 go ahead\r\n250-localhost\r\n250 8BITMIME\r\n" + b"250 OK\r\n" * 3)
            else:
                connection.sendall(b"250 OK\r\n")
