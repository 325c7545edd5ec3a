"""The HTTP server that Prometheus scrapes: one thread per client, so that none delays another."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import ThreadingMixIn
from threading import Lock, Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from bpfexit.errors import BpfexitError
from bpfexit.exporting.address import Address
from bpfexit.host.quiet_thread import start_without_signals

CLIENT_S = 10.0
"""How long a client may take to send its request, or to read the next part of the answer."""

MOST_CLIENTS = 16
"""Clients that are served at a time."""


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_S

    def log_message(self, *args: Any) -> None:
        """Log nothing: a client chooses the text."""

    def handle(self) -> None:
        """Answer the client; one that goes away or stalls ends its own thread, silently."""
        try:
            super().handle()
        except OSError:
            self.close_connection = True


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = MOST_CLIENTS

    def __init__(self, family: socket.AddressFamily, address: Address) -> None:
        self.address_family = family
        self._lock = Lock()
        self._clients: list[socket.socket] = []  # the clients being answered, in order
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without the look-up of our own name in the DNS that HTTPServer makes."""
        socket.socket.bind(self.socket, self.server_address)
        self.server_name, self.server_port = self.socket.getsockname()[:2]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a client; if there are too many, drop the first of them."""
        with self._lock:
            if len(self._clients) >= MOST_CLIENTS:
                _hang_up(self._clients.pop(0))
            self._clients.append(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Note that a client has been answered, and close the connection."""
        with self._lock, suppress(ValueError):
            self._clients.remove(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report nothing about a client that went away."""


def _hang_up(client: socket.socket) -> None:
    """Shut down a client's connection; its own thread closes the socket."""
    with suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)


class Listener:
    """An address to listen on; clients are answered from `serving` on."""

    def __init__(self, address: Address) -> None:
        """Bind. Raises `BpfexitError` if that is impossible."""
        try:
            family, *_ = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0]
            self._server = _Server(family, address)
        except OSError as error:
            raise BpfexitError(
                f"cannot listen on {address}: {error.strerror}; choose another with --listen"
            ) from None

    @property
    def address(self) -> Address:
        """The address with the port that was bound if 0 was given."""
        return Address(*self._server.socket.getsockname()[:2])

    @contextmanager
    def serving(self, registry: CollectorRegistry) -> Iterator[None]:
        """Answer clients within the context."""
        self._server.set_app(make_wsgi_app(registry))
        start_without_signals(Thread(target=self._server.serve_forever, daemon=True))
        try:
            yield
        finally:
            self._server.shutdown()

    def close(self) -> None:
        """Stop listening."""
        self._server.server_close()
