"""A client that sends any bytes: one request on a connection of its own."""

import contextlib
import socket
import time
from collections.abc import Mapping

NO_ANSWER = 0
"""What stands for a status when the server closed the connection without one."""


def exchange(
    port: int, method: bytes, target: bytes, headers: Mapping[bytes, bytes], body: bytes, *, within_s: float = 10
) -> int:
    """The status of the answer, or NO_ANSWER. Raises TimeoutError."""
    head = b"".join(b"%s: %s\r\n" % each for each in headers.items())
    start = b"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" % (method, target)
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    end = time.monotonic() + within_s
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=within_s) as connection:
        # It may answer, and close, before it has read everything.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(start + head + length + body)
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                answer += chunk[: 64 - len(answer)]
                if time.monotonic() > end:
                    raise TimeoutError("the answer does not end")
    parts = answer.split(b" ", 2)
    return int(parts[1]) if parts[0].startswith(b"HTTP/1.") and len(parts) > 1 else NO_ANSWER
