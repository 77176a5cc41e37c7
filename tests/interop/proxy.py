"""A TCP proxy between a client and kdcd that records all bytes, and changes them if it is told to."""
import socket
import threading


class Proxy:
    """`change(from_client, before, data)` returns the bytes to pass on instead of `data`; `before` is how many bytes
    went in that direction on that connection before."""

    def __init__(self, server, change=None):
        host, port = server.rsplit(":", 1)
        self._target = host, int(port)
        self._change = change or (lambda from_client, before, data: data)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.server = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.from_clients = []
        self.from_kdc = []
        self._sockets = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join(10)
        for one in self._sockets:
            one.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            kdc = socket.create_connection(self._target)
            self._sockets += [client, kdc]
            for source, sink, recorded in ((client, kdc, self.from_clients), (kdc, client, self.from_kdc)):
                recorded.append(bytearray())
                thread = threading.Thread(target=self._pass_on, args=(source, sink, recorded[-1], source is client),
                                          daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source, sink, recorded, from_client):
        try:
            while data := source.recv(1 << 16):
                changed = self._change(from_client, len(recorded), data)
                recorded += data
                sink.sendall(changed)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            # The other direction's end, or the test's.
            pass
