"""Frames, the client's side of the handshake, and records: docs/protocol.md 2, 3 and 4. No socket in here."""
import base64
import collections
import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from interop.messages import CAUSE, FLAG, Reader
from interop.suites import GROUPS, SIZES, TRIPLE_DES, P, derive, expand, extract, mac, seal, sha512, unseal

VERSION = 1
CLIENT_HELLO, HELLO_RETRY, SERVER_HELLO, CLIENT_FINISH, ALERT = 1, 2, 3, 4, 5
LIMIT_BEFORE_LOGIN, LIMIT_AFTER_LOGIN = 16384, 65536
TOGETHER_MAX = 16344  # bytes of plaintext of a record with several messages


# What a welcome brought, and the secret that goes with it: section 3.5.
Ticket = collections.namedtuple("Ticket", "sealed secret")


class ProtocolError(Exception):
    """The KDC did what the protocol doesn't allow, or somebody stands in between."""


class Alerted(Exception):
    def __init__(self, reason, retry_after):
        super().__init__(f"{reason}, retry after {retry_after} s")
        self.reason = reason
        self.retry_after = retry_after


def frame(data):
    return len(data).to_bytes(4, "big") + data


def u16(number):
    return number.to_bytes(2, "big")


def encode_client_hello(random, group, public, suites, version=VERSION, ticket=None, transcript=P):
    """With a ticket it is bound to the transcript before this hello."""
    body = (bytes([CLIENT_HELLO]) + u16(version) + random + u16(group) + u16(len(public)) + public
            + bytes([len(suites)]) + b"".join(u16(suite) for suite in suites))
    if ticket is None:
        return frame(body + b"\0")
    body += b"\1" + u16(len(ticket.sealed)) + ticket.sealed
    unbound = frame(body + bytes(64))[:-64]
    return unbound + mac(binder_key(ticket.secret), sha512(transcript + unbound))


def binder_key(secret):
    return expand(secret, P + b" binder", 64)


def fingerprint(identity):
    return "SHA256:" + base64.b64encode(hashlib.sha256(identity).digest()).decode().rstrip("=")


class Keys:
    """All that follows from Z, the transcript's hash and, if resumed, the ticket's secret: section 3.3."""

    def __init__(self, th, z, ticket_secret=b""):
        self.prk = extract(th, z + ticket_secret)
        for name in ("client traffic", "server traffic", "client confirm", "server confirm", "exporter", "resumption"):
            setattr(self, name.replace(" ", "_"), expand(self.prk, P + b" " + name.encode(), 64))


class ClientHandshake:
    """`hello()` gives the first frame; `take(frame)` takes one of the KDC's and gives the next one to send."""

    def __init__(self, groups=(0x0101, 0x0102), suites=(2, 3, 1), draw_random=lambda: secrets.token_bytes(32),
                 draw_private=lambda group: group.new_private(), ticket=None):
        self.groups = list(groups)
        self.suites = list(suites)
        self.draw_random = draw_random
        self.draw_private = draw_private
        self.ticket = ticket
        self.transcript = P
        self.retried = False
        self.done = False

    def hello(self):
        return self._hello(self.groups[0])

    def _hello(self, number):
        self.group = GROUPS[number]
        random = self.draw_random()
        self.private = self.draw_private(self.group)
        made = encode_client_hello(random, number, self.group.public(self.private), self.suites, ticket=self.ticket,
                                   transcript=self.transcript)
        self.transcript += made
        return made

    def take(self, whole):
        reader = Reader(whole[4:])
        kind = reader.number(1)
        if kind == ALERT:
            reason, retry_after = CAUSE[1](reader), reader.number(4)
            reader.end()
            raise Alerted(reason, retry_after)
        if kind == HELLO_RETRY and not self.retried:
            return self._take_retry(whole, reader)
        if kind == SERVER_HELLO:
            return self._take_server_hello(whole, reader)
        raise ProtocolError(f"frame of type {kind} out of its place")

    def _take_retry(self, whole, reader):
        self.retried = True
        count = reader.number(1)
        offered = [reader.number(2) for _ in range(count)]
        reader.end()
        self.transcript += whole
        common = [group for group in offered if group in self.groups]
        if not 1 <= count <= 8 or not common:
            raise ProtocolError(f"no group in common with {offered}")
        return self._hello(common[0])

    def _take_server_hello(self, whole, reader):
        before = len(self.transcript) + 4
        self.transcript += whole
        version, self.server_random = reader.number(2), reader.take(32)
        self.suite, self.resumed = reader.number(2), FLAG[1](reader)
        public = reader.vector(2, 1, 1024)
        self.identity = reader.take(32)
        self.th = sha512(self.transcript[:before + reader.at])
        signature = reader.take(64)
        self.th_s = sha512(self.transcript[:before + reader.at])
        confirm = reader.take(64)
        self.th_c = sha512(self.transcript[:before + reader.at])
        reader.end()
        if version != VERSION or self.suite not in self.suites:
            raise ProtocolError("a version or a suite that wasn't offered")
        if self.resumed and self.ticket is None:
            raise ProtocolError("resumed, without a ticket")
        if not self.group.accepts(public):
            raise ProtocolError("the KDC's public value is out of range")
        self.z = self.group.shared(self.private, public)
        self.keys = Keys(self.th, self.z, self.ticket.secret if self.resumed else b"")
        try:
            Ed25519PublicKey.from_public_bytes(self.identity).verify(
                signature, P + b" server signature" + b"\0" + self.th)
        except InvalidSignature as error:
            raise ProtocolError("the KDC's signature is wrong: somebody may stand in between") from error
        if not hmac.compare_digest(confirm, mac(self.keys.server_confirm, self.th_s)):
            raise ProtocolError("the KDC's confirm is wrong: somebody may stand in between")
        self.done = True
        return frame(bytes([CLIENT_FINISH]) + mac(self.keys.client_confirm, self.th_c))


class RecordDirection:
    """One direction's keys, which are renewed by themselves: section 4.2."""

    def __init__(self, suite, traffic):
        self.suite = suite
        self.traffic = traffic
        self.sequence = 0
        self.renewals = 0
        self.most_records, self.most_bytes = (65536, 4194304) if suite == TRIPLE_DES else (4194304, 17179869184)
        self._new_key()

    def _new_key(self):
        self.key, self.iv = derive(self.suite, self.traffic, P + b" record")
        self.records = self.bytes = 0

    def _renew_if_due(self):
        if self.records >= self.most_records or self.bytes >= self.most_bytes:
            self.traffic = expand(self.traffic, P + b" next", 64)
            self._new_key()
            self.renewals += 1

    def _count(self, plaintext):
        self.sequence += 1
        self.records += 1
        self.bytes += len(plaintext)

    def seal(self, *messages):
        """A whole frame that carries them."""
        return self.seal_plaintext(b"".join(frame(message) for message in messages))

    def seal_plaintext(self, plaintext):
        self._renew_if_due()
        size = len(plaintext) + SIZES[self.suite][2]
        if self.suite == TRIPLE_DES:
            size += 8 - len(plaintext) % 8
        length = size.to_bytes(4, "big")
        record = length + seal(self.suite, self.key, self.iv, self.sequence, length, plaintext)
        self._count(plaintext)
        return record

    def open(self, record):
        """The messages in it."""
        plaintext = self.open_plaintext(record)
        reader = Reader(plaintext)
        messages = []
        while not messages or reader.at < len(plaintext):
            messages.append(reader.vector(4, 1, LIMIT_AFTER_LOGIN))
        if len(messages) > 1 and len(plaintext) > TOGETHER_MAX:
            raise ProtocolError(f"{len(messages)} messages in a record of {len(plaintext)} bytes")
        return messages

    def open_plaintext(self, record):
        self._renew_if_due()
        plaintext = unseal(self.suite, self.key, self.iv, self.sequence, record[:4], record[4:])
        self._count(plaintext)
        return plaintext
