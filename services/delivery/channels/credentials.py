"""Reads what a channel's settings refer to: `url_from: env:SLACK_URL` or `file:/run/secrets/slack`.

Read again for each attempt, so that a rotated secret counts at once. Errors name the reference, never the value.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.delivery.domain.outcome import Unsendable

_SUFFIX = "_from"
_LONGEST = 64 * 1024
_SHORTEST_HIDDEN = 4


@dataclass(frozen=True, slots=True)
class Credentials:
    """The settings of a channel with their values in place of references, such as `url` for `url_from`."""

    values: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    def need(self, name: str) -> str:
        """A setting that the channel can't do without. Raises `Unsendable`."""
        if name not in self.values:
            raise Unsendable(f"the channel's setting `{name}` is missing")
        return self.values[name]

    def get(self, name: str, default: str = "") -> str:
        """A setting, or the default."""
        return self.values.get(name, default)

    def hide(self, text: str) -> str:
        """The text with each secret in it taken out."""
        for secret in self.secrets:
            text = text.replace(secret, "[secret]")
        return text


async def read_credentials(settings: Mapping[str, str], environ: Mapping[str, str]) -> Credentials:
    """The settings with each secret that they refer to. Raises `Unsendable` for one that can't be had."""
    values: dict[str, str] = {}
    secrets: list[str] = []
    for name, text in settings.items():
        if not name.endswith(_SUFFIX):
            values[name] = text
            continue
        value = values[name.removesuffix(_SUFFIX)] = await _secret(text, environ)
        if len(value) >= _SHORTEST_HIDDEN:
            secrets.append(value)
    return Credentials(values, tuple(sorted(secrets, key=len, reverse=True)))


async def _secret(reference: str, environ: Mapping[str, str]) -> str:
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = environ.get(name, "").strip()
    elif kind == "file":
        value = (await asyncio.to_thread(_read, Path(name), reference)).strip()
    else:
        raise Unsendable("a secret is not referred to by `env:NAME` or `file:PATH`")
    if not value:
        raise Unsendable(f"{reference} is not set or empty")
    if not value.isprintable():
        raise Unsendable(f"{reference} contains a line break or another character that no secret has")
    return value


def _read(path: Path, reference: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise Unsendable(f"{reference} is longer than any secret")
        return content.decode()
    except (OSError, UnicodeDecodeError):
        raise Unsendable(f"{reference} can't be read") from None
