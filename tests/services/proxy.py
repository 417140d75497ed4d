"""A TCP proxy in front of a server, which refuses, stalls, or cuts a reply after the request took effect."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from servers import free_port


class Proxy:
    """``mode``: ``pass``, ``refuse`` (connections end at once), ``stall`` (nothing is answered), ``cut`` (the request
    arrives, and the connection ends before a byte of the reply)."""

    def __init__(self, host: str, port: int) -> None:
        self.mode = "pass"
        self.cuts = 0
        self.connections = 0
        self.sent_back = 0
        self.round_trips = 0
        """Requests that followed a reply, or a connection, in all connections together."""
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", free_port()))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self.mode == "refuse":
                client.close()
                continue
            server = socket.create_connection(self._target)
            asking = threading.Event()
            threading.Thread(target=self._up, args=(client, server, asking), daemon=True).start()
            threading.Thread(target=self._down, args=(server, client, asking), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, asking: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                if not asking.is_set():
                    asking.set()
                    self.round_trips += 1
                if self.mode == "stall":
                    continue
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _down(self, server: socket.socket, client: socket.socket, asking: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                asking.clear()
                if self.mode == "cut" and self.cuts > 0:
                    self.cuts -= 1
                    client.shutdown(socket.SHUT_RDWR)
                    break
                self.sent_back += len(data)
                client.sendall(data)
        client.close()
        server.close()

    def close(self) -> None:
        self._listener.close()


@contextmanager
def proxied(url: str) -> Iterator[tuple[str, Proxy]]:
    """The proxy's URL in place of ``url``, and the proxy."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    proxy = Proxy(parts.hostname, parts.port)
    try:
        yield f"{parts.scheme}://127.0.0.1:{proxy.port}{parts.path}", proxy
    finally:
        proxy.close()
