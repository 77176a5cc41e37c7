"""A recording TCP proxy on loopback: whoever sits on the way between a client and the KDC sees exactly this."""
import socket
import threading

FRAME_HEADER = 4
CLIENT_HELLO, SERVER_HELLO, CLIENT_FINISH = 1, 3, 4
GROUPS = {0x0100: "ffdhe2048", 0x0101: "ffdhe3072", 0x0102: "ffdhe4096", 0x0103: "ffdhe6144", 0x0104: "ffdhe8192"}
SUITES = {1: "3des-cbc-hmac-sha512", 2: "chacha20-poly1305", 3: "aes-256-gcm"}


class Wiretap:
    """Listens on a free port, passes every connection on to the KDC, and keeps what went by, for each direction."""

    def __init__(self, host, port):
        self._kdc = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.server = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._sockets = []
        self._streams = []  # of each connection: what the client sent, what the KDC sent
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                kdc = socket.create_connection(self._kdc, timeout=10)
                kdc.settimeout(None)
            except OSError:
                client.close()
                continue
            streams = (bytearray(), bytearray())
            with self._lock:
                self._sockets += [client, kdc]
                self._streams.append(streams)
            threading.Thread(target=self._pass_on, args=(client, kdc, streams[0]), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(kdc, client, streams[1]), daemon=True).start()

    def _pass_on(self, source, target, kept):
        try:
            while chunk := source.recv(65536):
                with self._lock:
                    kept += chunk
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # one side is gone; the other's end comes by its own pump

    def connections(self):
        with self._lock:
            return len(self._streams)

    def captured(self):
        """Every byte, direction by direction."""
        with self._lock:
            return b"\0".join(bytes(stream) for streams in self._streams for stream in streams)

    def frames(self, by_kdc):
        """The whole frames of one direction (of the first connection), each with its length field."""
        with self._lock:
            data = bytes(self._streams[0][by_kdc]) if self._streams else b""
        found = []
        while len(data) >= FRAME_HEADER:
            end = FRAME_HEADER + int.from_bytes(data[:FRAME_HEADER], "big")
            if len(data) < end:
                break
            found.append(data[:end])
            data = data[end:]
        return found

    def find(self, by_kdc, head, size):
        """The one frame of that direction that begins with `head` and has `size` bytes; None: there isn't just one."""
        fitting = [frame for frame in self.frames(by_kdc) if len(frame) == size and frame.startswith(head)]
        return fitting[0] if len(fitting) == 1 else None

    def close(self):
        self._listener.close()
        with self._lock:
            for one in self._sockets:
                one.close()


def _last_plain(frames, wanted, last):
    """The last frame of type `wanted` up to the first of type `last`: behind that are records, which have no type."""
    found = None
    for frame in frames:
        if frame[FRAME_HEADER] == wanted:
            found = frame
        if frame[FRAME_HEADER] == last:
            break
    return found


def client_hello(frames):
    """What the last client_hello says in the clear; {} when there is none."""
    hello = _last_plain(frames, CLIENT_HELLO, CLIENT_FINISH)
    if hello is None:
        return {}
    body = hello[FRAME_HEADER + 1:]
    public_len = int.from_bytes(body[36:38], "big")
    return {"size": len(hello), "random": body[2:34], "group": GROUPS.get(int.from_bytes(body[34:36], "big")),
            "public": body[38:38 + public_len]}


def server_hello(frames):
    hello = _last_plain(frames, SERVER_HELLO, SERVER_HELLO)
    if hello is None:
        return {}
    body = hello[FRAME_HEADER + 1:]
    after = 39 + int.from_bytes(body[37:39], "big")
    return {"size": len(hello), "random": body[2:34], "suite": SUITES.get(int.from_bytes(body[34:36], "big")),
            "resumed": body[36], "public": body[39:after], "identity": body[after:after + 32]}
