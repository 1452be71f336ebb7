"""Keys with scopes: which there are, and what each may do.

Secrets are compared in constant time and only their digests are kept in memory.
"""

import base64
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from shared.domain.errors import Misconfigured
from shared.http.problems import Forbidden, Unauthorised
from shared.settings import Settings

SCOPES = (
    "leads:write",
    "activities:write",
    "activities:date",
    "leads:read",
    "events:read",
    "subscriptions:write",
    "operate",
    "admin",
)
_SHORTEST_KEY, _FEWEST_DIFFERENT = 16, 8


@dataclass(frozen=True, slots=True)
class Key:
    """A key, with only the digest of its secret.

    `sources` are those it may post leads for; empty for every source without an address of its own.
    """

    name: str
    digest: bytes
    scopes: frozenset[str]
    listed: bool = True
    """Whether it is from the keys file, which has digests only, so that its strength is checked on use."""
    sources: frozenset[str] = frozenset()

    def may(self, scope: str) -> bool:
        """Whether the key has the scope; `admin` includes all."""
        return scope in self.scopes or "admin" in self.scopes


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
            keys.append(Key("admin", _digest(settings.admin_key.get_secret_value()), frozenset(SCOPES), listed=False))
        if settings.keys is not None:
            keys += _read_keys(settings.keys)
        return cls(keys)

    def authorise(self, authorization: str | None, scope: str) -> Key:
        """The key in an `Authorization` header's value (`Bearer`, or `Basic` with the key as password).

        The scope `admin` includes all scopes. Raises `Unauthorised` without a known key and `Forbidden` if it lacks
        `scope`.
        """
        found = self.recognise(authorization)
        if not found.may(scope):
            raise Forbidden(f"The key {found.name!r} does not carry the scope '{scope}'. Use one that does.")
        return found

    def recognise(self, authorization: str | None) -> Key:
        """The key in an `Authorization` header's value, whatever it may do. Raises `Unauthorised` without one."""
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
        if found.listed and (weakness := weakness_of(secret)) is not None:
            raise Unauthorised(f"This key {weakness}, so it is not accepted. Make one with './baton keys create'.")
        return found


def weakness_of(secret: str) -> str | None:
    """Why a key could be guessed; None for one that may be used."""
    if len(secret) < _SHORTEST_KEY:
        return f"has fewer than {_SHORTEST_KEY} characters"
    if len(set(secret)) < _FEWEST_DIFFERENT:
        return f"repeats fewer than {_FEWEST_DIFFERENT} different characters"
    return None


def refuse_weak_admin_key(settings: Settings) -> None:
    """Raise `Misconfigured` for an administrator's key that could be guessed."""
    key = settings.admin_key.get_secret_value() if settings.admin_key else ""
    weakness = weakness_of(key) if key else None
    if weakness is not None:
        raise Misconfigured(
            f"BATON_ADMIN_KEY {weakness}: set it to random characters, such as those of 'openssl rand -hex 32'."
        )


def make_key(name: str, scopes: Iterable[str], sources: Iterable[str] = ()) -> tuple[str, Mapping[str, Any]]:
    """A new secret (shown once) and the entry for the keys file."""
    secret = "bk_" + secrets.token_urlsafe(32)
    entry = {"name": name, "sha256": _digest(secret).hex(), "scopes": sorted(scopes)}
    return secret, entry | ({"sources": sorted(sources)} if sources else {})


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _secret_in(authorization: str | None) -> str | None:
    kind, _, value = (authorization or "").partition(" ")
    if kind.lower() == "bearer" and value:
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except ValueError:  # not base64, or not text
            return None
    return None


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    sha256: str
    scopes: list[str]
    sources: list[str] = []


def _read_keys(path: Path) -> list[Key]:
    try:
        entries = msgspec.json.decode(path.read_bytes(), type=list[_Entry])
        return [_checked(entry) for entry in entries]
    except (OSError, ValueError) as wrong:
        raise Misconfigured(
            f"BATON_KEYS names {path}, which is not a keys file: {wrong}. Create one with './baton keys create'."
        ) from wrong


def _checked(entry: _Entry) -> Key:
    digest = bytes.fromhex(entry.sha256)
    if len(digest) != sha256().digest_size:
        raise ValueError(f"'sha256' of the key {entry.name!r} is not a SHA-256 digest in hex")
    if unknown := set(entry.scopes).difference(SCOPES):
        raise ValueError(f"the key {entry.name!r} has the unknown scope {min(unknown)!r}")
    return Key(entry.name, digest, frozenset(entry.scopes), sources=frozenset(entry.sources))
