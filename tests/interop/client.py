"""A blocking client: docs/protocol.md 2, 3.4, 5 and 6 over a socket.

    with Client("127.0.0.1:19268", fingerprint="SHA256:...") as client:
        client.login("alice", "correct horse")
        client.open("bob")
        client.send_text("bob", "hello")
        [text] = client.receive()

Whatever it waits for, it serves what comes meanwhile: it takes grants, opens ciphertexts and sends receipts. What it has
to say to somebody who reads slowly waits for credit.

A client that is logged in has a `ticket`: Client(server, fingerprint, ticket=ticket) is logged in at once if the KDC takes
it (`shake.resumed`)."""
import collections
import contextlib
import itertools
import secrets
import socket
import time

from interop.conversation import Conversation
from interop.messages import FROM_THE_KDC, Malformed, decode_message, encode_message
from interop.protocol import (
    LIMIT_AFTER_LOGIN, LIMIT_BEFORE_LOGIN, ClientHandshake, ProtocolError, RecordDirection, Ticket, fingerprint)
from interop.suites import DoesNotOpen

TEXTS_UNDER_WAY = 64
WINDOW = 32768


class Refused(Exception):
    def __init__(self, reason, retry_after=0):
        super().__init__(f"{reason}, retry after {retry_after} s")
        self.reason = reason
        self.retry_after = retry_after


class Closed(Exception):
    """The KDC closed, with the reason of its close message. Without one the connection was cut: the reason is None."""

    def __init__(self, reason):
        super().__init__(reason or "the connection was cut")
        self.reason = reason


class Connection:
    """Frames over TCP; `source`: the address to come from."""

    def __init__(self, server, timeout=15, source=None):
        host, port = server.rsplit(":", 1)
        self.timeout = timeout
        self.socket = socket.create_connection(
            (host.strip("[]"), int(port)), timeout, None if source is None else (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.limit = LIMIT_BEFORE_LOGIN
        self._buffer = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            # What the KDC said before it closed may still be there to be read.
            pass

    def read_frame(self, timeout=None):
        """A whole frame with its length. Raises Closed(None) at the end of the stream, TimeoutError."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not self.has_frame():
            self.socket.settimeout(max(end - time.monotonic(), 0.001))
            try:
                data = self.socket.recv(1 << 18)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Closed(None)
            self._buffer += data
        size = 4 + self._length()
        whole = bytes(self._buffer[:size])
        del self._buffer[:size]
        return whole

    def _length(self):
        length = int.from_bytes(self._buffer[:4], "big")
        if not 1 <= length <= self.limit:
            raise ProtocolError(f"a frame of {length} bytes")
        return length

    def has_frame(self):
        return len(self._buffer) >= 4 and len(self._buffer) >= 4 + self._length()


class Client(Connection):
    def __init__(self, server, fingerprint=None, timeout=15, handshake=True, source=None, **choices):
        """`choices` go to ClientHandshake: groups, suites, ticket."""
        super().__init__(server, timeout, source)
        self.shake = ClientHandshake(**choices)
        self.conversations = {}
        self.peer_of = {}
        self.texts = []
        self.events = []
        self.instance = secrets.randbits(64)
        self.holds_receipts = False
        self.name = None
        self.ticket = None
        self.under_way = collections.Counter()
        self.record_sizes = []  # how many messages each record brought
        self._messages = collections.deque()  # of the last record, not yet read
        self._requests = itertools.count(1)
        self._replies = {}
        self._pongs = set()
        self._to_acknowledge = {}
        if handshake:
            self.handshake(fingerprint)

    def __exit__(self, *error):
        with contextlib.suppress(OSError):
            if error[0] is None and self.name:
                self.close()
                # Until it is closed from the other side: now nobody finds this session any more.
                self.socket.settimeout(self.timeout)
                while self.socket.recv(1 << 18):
                    pass
        super().__exit__(*error)

    # --- Handshake and records ---

    def handshake(self, expected=None):
        """`expected` is the fingerprint of the KDC's identity; None is first contact, and takes any."""
        self.send(self.shake.hello())
        finish = None
        while not self.shake.done:
            finish = self.shake.take(self.read_frame())
            if not self.shake.done:
                self.send(finish)
        self.fingerprint = fingerprint(self.shake.identity)
        if expected is not None and self.fingerprint != expected:
            raise ProtocolError(f"the KDC's identity is {self.fingerprint}, not {expected}")
        self.send(finish)
        self.begin_records()
        if self.shake.resumed:
            self._take_welcome()

    def begin_records(self):
        self.sending = RecordDirection(self.shake.suite, self.shake.keys.client_traffic)
        self.receiving = RecordDirection(self.shake.suite, self.shake.keys.server_traffic)

    def send_message(self, message, /, **fields):
        plain = encode_message(message, **fields)
        if message == "ciphertext":
            self.under_way[fields["conversation"]] += len(plain)
        self.send(self.sending.seal(plain))

    def read_message(self, timeout=None):
        """The next message as it is, with nothing done about it. A close of the KDC raises Closed."""
        if not self._messages:
            self._messages += self.receiving.open(self.read_frame(timeout))
            self.record_sizes.append(len(self._messages))
        message = decode_message(self._messages.popleft())
        if message["message"] not in FROM_THE_KDC:
            raise ProtocolError(f"a {message['message']} from the KDC")
        if message["message"] == "close":
            raise Closed(message["reason"])
        return message

    # --- What comes by itself ---

    def serve(self, timeout=None):
        """Takes one message and does what it asks for. Returns it."""
        message = self.read_message(timeout)
        act = getattr(self, f"_on_{message['message']}", self.events.append)
        act(message)
        if not self._messages and not self.has_frame():
            self._acknowledge()
        return message

    def wait_for(self, condition, timeout=None):
        """Serves until condition() is true, and returns its value."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not (value := condition()):
            self.serve(max(end - time.monotonic(), 0))
        return value

    def _on_grant(self, grant):
        peer = grant["b"] if grant["a"] == self.name else grant["a"]
        own = grant["session_a"] if grant["a"] == self.name else grant["session_b"]
        if own != self.session:
            raise ProtocolError("a grant for another session of this name")
        conversation = self.conversations.setdefault(peer, Conversation(self.name, peer, self.instance))
        if conversation.take(grant):
            self.peer_of[conversation.number] = peer
            self._send_due(conversation)
        if grant["request"]:
            self._replies[grant["request"]] = grant

    def _on_credit(self, credit):
        number = credit["conversation"]
        self.under_way[number] -= credit["bytes"]
        if self.under_way[number] < 0:
            raise ProtocolError(f"a credit of {-self.under_way[number]} bytes more than were under way")
        if number in self.peer_of:
            self._send_due(self.conversations[self.peer_of[number]])

    def _send_due(self, conversation):
        """What waits, as far as the window has room."""
        while conversation.queue and self.under_way[conversation.number] < WINDOW:
            self.send_message("ciphertext", **conversation.next())

    def _on_refused(self, refused):
        self._replies[refused["request"]] = refused

    def _on_list_reply(self, reply):
        self._replies[reply["request"]] = reply

    _on_who_reply = _on_list_reply
    _on_code_mailed = _on_list_reply
    _on_password_changed = _on_list_reply

    def _on_pong(self, pong):
        self._pongs.add(pong["token"])

    def _on_ciphertext(self, ciphertext):
        conversation = self.conversations.get(self.peer_of.get(ciphertext["conversation"]))
        if conversation is None:
            raise ProtocolError("a ciphertext of a conversation that was never granted")
        try:
            content = conversation.open(ciphertext)
        except (DoesNotOpen, Malformed) as error:
            self.events.append({"message": "doesn't open", "from": conversation.peer, "why": str(error), **ciphertext})
            if conversation.wants_new_epoch(ciphertext):
                self.send_message("open", request=next(self._requests), peer=conversation.peer)
            return
        self.events.append({"from": conversation.peer, "epoch": ciphertext["epoch"],
                            "sequence": ciphertext["sequence"], **content})
        if content["content"] == "text":
            if conversation.is_new(content):
                self.texts.append((conversation.peer, content["text"].decode()))
            self._to_acknowledge[conversation.peer, content["instance"]] = conversation

    def _acknowledge(self):
        if self.holds_receipts:
            return
        for (_, instance), conversation in self._to_acknowledge.items():
            conversation.receipt(instance)
            self._send_due(conversation)
        self._to_acknowledge.clear()

    # --- What a person does ---

    def login(self, name, password, message="login", **more):
        self.send_message(message, name=as_bytes(name), password=as_bytes(password), **more)
        answer = self._take_welcome()
        if answer["name"] != as_bytes(name).decode().lower():
            raise ProtocolError(f"{answer} as answer to {message} of {name}")
        return answer

    def _take_welcome(self):
        answer = self.read_message()
        if answer["message"] == "refused" and answer["request"] == 0:
            raise Refused(answer["reason"], answer["retry_after"])
        if answer["message"] != "welcome":
            raise ProtocolError(f"{answer} where a welcome is due")
        self.limit = LIMIT_AFTER_LOGIN
        self.name = answer["name"]
        self.session = answer["session"]
        self.welcome = answer
        if answer["ticket"]:
            self.ticket = Ticket(answer["ticket"], self.shake.keys.resumption)
        return answer

    def register(self, name, password, code="", email="", phone=""):
        return self.login(name, password, "register", code=as_bytes(code), email=as_bytes(email), phone=as_bytes(phone))

    def login_changing(self, name, password, new):
        return self.login(name, password, "login_changing", new=as_bytes(new))

    def change_password(self, old, new):
        """The new ticket stands for the secret of this session's handshake, as the welcome's does."""
        answer = self.request("change_password", old=as_bytes(old), new=as_bytes(new))
        self.ticket = Ticket(answer["ticket"], self.shake.keys.resumption) if answer["ticket"] else None
        return answer

    def activate(self, name, password, code=""):
        """Without a code another one is mailed, and that is refused as account_pending."""
        return self.login(name, password, "activate", code=as_bytes(code))

    def deactivate(self, code=""):
        """Without a code one is mailed; with the right one the KDC closes (account_disabled)."""
        return self.request("deactivate", code=as_bytes(code))

    def request(self, message, /, **fields):
        number = next(self._requests)
        self.send_message(message, request=number, **fields)
        answer = self.wait_for(lambda: self._replies.pop(number, None))
        if answer["message"] == "refused":
            raise Refused(answer["reason"], answer["retry_after"])
        return answer

    def open(self, peer):
        return self.request("open", peer=peer)

    def send_text(self, peer, text, wait=True):
        """With `wait` it returns when the peer has acknowledged it, and everything before it."""
        conversation = self.conversations[peer]
        self.wait_for(lambda: len(conversation.unreceived) < TEXTS_UNDER_WAY)
        conversation.text(as_bytes(text))
        self._send_due(conversation)
        if wait:
            self.flush(peer)

    def flush(self, peer):
        self.wait_for(lambda: not self.conversations[peer].unreceived)

    def receive(self, count=1, timeout=None):
        """The next texts: (from, text)."""
        self.wait_for(lambda: len(self.texts) >= count, timeout)
        self._acknowledge()
        taken, self.texts = self.texts[:count], self.texts[count:]
        return taken

    def list(self):
        names, after, more = [], None, True
        while more:
            reply = self.request("list", after=after)
            names += reply["names"]
            more = reply["more"]
            after = names[-1][0] if names else None
        return names

    def who(self, name):
        reply = self.request("who", name=name)
        return reply["presence"], reply["since"]

    def ping(self):
        token = secrets.randbits(64)
        self.send_message("ping", token=token)
        self.wait_for(lambda: token in self._pongs)
        self._pongs.discard(token)

    def close(self):
        self.send_message("close", reason="none")
        self.socket.shutdown(socket.SHUT_WR)


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def refusal_of(action, *arguments, **more):
    """The reason for which the KDC refuses this."""
    try:
        action(*arguments, **more)
    except Refused as refused:
        return refused.reason
    raise AssertionError("it was not refused")
