"""TCP ports on the loopback address for parts that may be killed and come back on the same one."""

import fcntl
import os
import secrets
import socket
import tempfile
from functools import cache
from pathlib import Path

from deploy.local.process import ComponentError

LOOPBACK = "127.0.0.1"

# Below what systems give to outgoing connections (Linux: from 32768): otherwise, while a part is down, a client
# that tries again and again can be given the part's own port, connect to itself, and keep the part from coming
# back.
_FIRST, _LAST = 20_000, 32_000


_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """`count` free ports that were not given to any running process before, including this one.

    A component may bind its port seconds after it was chosen, so being free now is not enough.
    """
    found: list[int] = []
    while len(found) < count:
        port = _FIRST + secrets.randbelow(_LAST - _FIRST)
        if port not in _given and is_free(port) and _reserve(port):
            found.append(port)
    return found


def _reserve(port: int) -> bool:
    """Lock byte `port` of the reservations until this process ends; False if another process has it."""
    try:
        fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _given.add(port)
    return True


@cache
def _reservations() -> int:
    """The file in which this user's processes lock the ports that they were given. It stays open and empty."""
    path = Path(tempfile.gettempdir()) / f"baton-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def refuse_taken(component: str, port: int) -> None:
    """Raise ComponentError if another program listens on `port`."""
    if not is_free(port):
        raise ComponentError(
            component,
            f"port {port} on {LOOPBACK} is taken by another program. Stop that program or give {component} another "
            f"port.",
        )


def exchange(port: int, request: bytes, *, timeout_s: float) -> bytes:
    """Send `request` to `port` and return the first data received; b"" if nothing comes within `timeout_s` s."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s) as connection:
            connection.sendall(request)
            return connection.recv(4096)
    except OSError:
        return b""
