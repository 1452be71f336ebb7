"""TCP ports on the loopback address for parts that may be killed and come back on the same one."""

import secrets
import socket

from deploy.local.process import ComponentError

LOOPBACK = "127.0.0.1"

# Below what systems give to outgoing connections (Linux: from 32768): otherwise, while a part is down, a client
# that tries again and again can be given the part's own port, connect to itself, and keep the part from coming
# back.
_FIRST, _LAST = 20_000, 32_000


def free_ports(count: int) -> list[int]:
    """`count` different ports that nobody listens on now."""
    found: set[int] = set()
    while len(found) < count:
        port = _FIRST + secrets.randbelow(_LAST - _FIRST)
        if is_free(port):
            found.add(port)
    return list(found)


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
    """Raise PartError if another program listens on `port`."""
    if not is_free(port):
        raise ComponentError(
            component,
            f"port {port} on {LOOPBACK} is taken by another program. Stop that program or give {component} another "
            f"port.",
        )


def exchange(port: int, request: bytes, *, timeout_s: float) -> bytes:
    """Send `request` to `port` and return what comes back first; b"" if nobody answers within `timeout_s` seconds."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s) as connection:
            connection.sendall(request)
            return connection.recv(4096)
    except OSError:
        return b""
