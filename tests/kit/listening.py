"""Closing the servers that run inside a test."""

import asyncio
import socket
from collections.abc import Iterable


async def stop_accepting(listeners: Iterable[socket.socket]) -> None:
    """Take no further connection; to be awaited before a server is closed.

    asyncio never closes a connection that it accepted in the instant in which its server closes (Python 3.11), and a
    socket left open fails whatever test runs when it is collected.
    """
    loop = asyncio.get_running_loop()
    for listener in listeners:
        loop.remove_reader(listener.fileno())
    await asyncio.sleep(0)  # what was accepted by now becomes the server's
