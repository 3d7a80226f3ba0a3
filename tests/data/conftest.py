"""A server that answers as a test wants it to."""

import socketserver
import threading
from contextlib import ExitStack, suppress

import pytest

from tests.data.downloads import FIRST


@pytest.fixture
def socket_mirror():
    """Start a server that calls ``respond`` for a request for the first file.

    It responds to requests for other files with 404, so that a test waits for a fault only once.
    """
    end = threading.Event()

    def start(respond):
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                asked_for = self.rfile.readline().decode()
                while self.rfile.readline().strip():
                    pass  # the headers of the request
                with suppress(ConnectionError):
                    if FIRST in asked_for:
                        respond(self.connection, end)
                    else:
                        self.connection.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")

        server = servers.enter_context(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        servers.callback(thread.join)
        servers.callback(server.shutdown)
        thread.start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    with ExitStack() as servers:
        yield start
        end.set()
