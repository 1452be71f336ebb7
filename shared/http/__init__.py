"""What all doors share: problem documents (RFC 9457), keys with scopes, and who may look at pages.

Secrets are compared in constant time and only their digests are kept in memory.
"""

import base64
import binascii
import hmac
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from shared.domain.errors import Misconfigured, Problem, Unavailable
from shared.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Door = Callable[[Scope, Receive, Send], Awaitable[None]]

SCOPES = (
    "leads:write",
    "activities:write",
    "leads:read",
    "events:read",
    "subscriptions:write",
    "operate",
    "admin",
)
_LOOPBACK_SENDERS = ("127.0.0.1", "::1")
_LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")


class Unauthorised(Problem):
    """No key, or one that we don't know."""

    status = 401
    title = "A key is needed"


class Forbidden(Problem):
    """The key is good, but not for this."""

    status = 403
    title = "The key does not allow this"


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was handed out: only the digest of its secret is known."""

    name: str
    digest: bytes
    scopes: frozenset[str]


class Keys:
    """The keys this process accepts: the administrator's and those in the keys file."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    @classmethod
    def load(cls, settings: Settings) -> "Keys":
        """From `BATON_ADMIN_KEY` and the file of `BATON_KEYS`. Raises `Misconfigured` for a file that does not read."""
        keys = []
        if settings.admin_key is not None:
            keys.append(Key("admin", _digest(settings.admin_key.get_secret_value()), frozenset(SCOPES)))
        if settings.keys is not None:
            keys += _read_keys(settings.keys)
        return cls(keys)

    def authorise(self, authorization: str | None, scope: str) -> Key:
        """The key in an `Authorization` header's value (`Bearer`, or `Basic` with the key as password).

        Raises `Unauthorised` without a known key and `Forbidden` when it lacks `scope`.
        """
        secret = _secret_in(authorization)
        if secret is None:
            raise Unauthorised("Send your key as 'Authorization: Bearer <key>'.")
        digest = _digest(secret)
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        if found is None:
            raise Unauthorised("This key is not known here. Check that it was copied whole.")
        if scope not in found.scopes:
            raise Forbidden(f"The key {found.name!r} does not carry the scope '{scope}'. Use one that does.")
        return found


def make_key(name: str, scopes: Iterable[str]) -> tuple[str, Mapping[str, Any]]:
    """A new secret (shown once) and the entry for the keys file."""
    secret = "bk_" + secrets.token_urlsafe(32)
    return secret, {"name": name, "sha256": _digest(secret).hex(), "scopes": sorted(scopes)}


def host_is_loopback(host: str) -> bool:
    """Whether a `Host` header names this machine; another name on a loopback socket is a DNS rebinding attempt."""
    return (host if host.endswith("]") else host.rsplit(":", 1)[0]) in _LOOPBACK_HOSTS


def may_view(headers: Mapping[str, str], settings: Settings, keys: Keys) -> None:
    """Let a browser see pages: on this machine without login, elsewhere with a key that carries `leads:read` (Basic).

    Whoever comes through a proxy counts as elsewhere, unless the proxy says that they are on this machine too.
    Raises `Unauthorised` or `Forbidden`. `headers` have lower-case names.
    """
    senders = [sender.strip() for sender in headers.get("x-forwarded-for", "127.0.0.1").split(",")]
    here = settings.loopback and settings.public_url is None and "forwarded" not in headers
    if here and host_is_loopback(headers.get("host", "")) and all(sender in _LOOPBACK_SENDERS for sender in senders):
        return
    keys.authorise(headers.get("authorization"), "leads:read")


def document(problem: Problem) -> bytes:
    """The problem document for an error."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.pointer:
        body["errors"] = [{"pointer": problem.pointer, "detail": problem.detail}]
    return msgspec.json.encode(body)


def problem_headers(problem: Problem) -> list[tuple[bytes, bytes]]:
    """Headers that go with the document: its media type, and `Retry-After` or `WWW-Authenticate` where they belong."""
    headers = [(b"content-type", b"application/problem+json")]
    if isinstance(problem, Unavailable):
        headers.append((b"retry-after", str(problem.retry_after_s).encode()))
    if isinstance(problem, Unauthorised):
        headers += [
            (b"www-authenticate", b"Bearer"),
            (b"www-authenticate", b'Basic realm="Baton", charset="UTF-8"'),
        ]
    return headers


async def answer(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Send one whole response from a plain ASGI door."""
    every = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": every})
    await send({"type": "http.response.body", "body": body})


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _secret_in(authorization: str | None) -> str | None:
    kind, _, value = (authorization or "").partition(" ")
    if kind.lower() == "bearer" and value:
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    sha256: str
    scopes: list[str]


def _read_keys(path: Path) -> list[Key]:
    try:
        entries = msgspec.json.decode(path.read_bytes(), type=list[_Entry])
        return [Key(e.name, bytes.fromhex(e.sha256), frozenset(e.scopes)) for e in entries]
    except (OSError, ValueError) as wrong:
        raise Misconfigured(
            f"BATON_KEYS names {path}, which is no keys file: {wrong}. Make one with './baton keys create'."
        ) from wrong
