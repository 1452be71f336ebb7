"""The process that sends one message through Apprise: `python -m`, a parcel on stdin, one word on stdout.

An audit hook of the interpreter sees each connection, whichever library makes it, and refuses those to addresses that
we do not send to. It refuses other programs as well, which some of Apprise's services start.
"""

import contextlib
import io
import socket
import sys
from pathlib import Path
from typing import Any, Literal

import msgspec

from services.delivery.domain.endpoint import why_not

ROOT = Path(__file__).resolve().parents[3]
Said = Literal["taken", "not_taken", "no_url", "refused"]
_OF_THIS_MACHINE = ("syslog:",)
_CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_STARTS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty"})


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A message with the URL that it goes to. `kind` is Apprise's type of a message. `allow_loopback` takes addresses
    of this machine too, and `internal` are hosts that may be in a private network.
    """

    url: str
    title: str
    body: str
    kind: str
    allow_loopback: bool
    internal: tuple[str, ...]

    def __repr__(self) -> str:
        return "Parcel()"


class Guard:
    """Refuses addresses that are not public and not allowed; `refused` once it has."""

    def __init__(self, parcel: Parcel) -> None:
        self._allow_loopback = parcel.allow_loopback
        self._internal = frozenset(parcel.internal)
        self._named: set[str] = set()
        self._resolve = socket.getaddrinfo
        self.refused = False

    def resolve(self, host: Any, *others: Any, **more: Any) -> Any:
        """`socket.getaddrinfo`, which remembers the addresses of internal hosts."""
        found = self._resolve(host, *others, **more)
        if host in self._internal:
            self._named |= {str(entry[4][0]) for entry in found}
        return found

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The audit hook. Raises `OSError` for what is refused."""
        if event in _STARTS or (event in _CONNECTS and not self._allowed(arguments[1])):
            self.refused = True
            raise OSError("refused")

    def _allowed(self, address: object) -> bool:
        if not isinstance(address, tuple):  # of a Unix socket, or none for one that is connected
            return address is None
        host = str(address[0])
        allow_internal = host in self._named
        # A resolver may be anywhere, also on this machine; only the port of DNS passes.
        if address[1:2] == (53,):
            return True
        return why_not(host, allow_loopback=self._allow_loopback, allow_internal=allow_internal) is None


def send(parcel: Parcel) -> Said:
    """Send it, and say how that went. The process can do nothing else from then on."""
    import apprise  # noqa: PLC0415 (optional, and slow to load)

    guard = Guard(parcel)
    asset = apprise.AppriseAsset(async_mode=False, secure_logging=True, plugin_paths=[])
    sender = apprise.Apprise(asset=asset)
    if parcel.url.lower().startswith(_OF_THIS_MACHINE) or not sender.add(parcel.url):
        return "no_url"
    socket.getaddrinfo = guard.resolve
    sys.addaudithook(guard.hook)
    took = sender.notify(
        title=parcel.title,
        body=parcel.body,
        notify_type=apprise.NotifyType(parcel.kind),
        body_format=apprise.NotifyFormat.TEXT,
    )
    if took:
        return "taken"
    return "refused" if guard.refused else "not_taken"


def main() -> None:
    """Read a parcel, send it, and write how that went."""
    parcel = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Parcel)
    out = sys.stdout.buffer
    with contextlib.redirect_stdout(io.StringIO()):
        said = send(parcel)
    out.write(msgspec.json.encode(said))


if __name__ == "__main__":
    main()
