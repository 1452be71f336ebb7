"""Watches the agreement file and checks whether a new version may follow the stored ones.

It also watches the files that the agreement names, such as the drafts of pilots. A change counts once two checks in a
row find the same content, because half a file may be a valid agreement.
"""

import asyncio
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from shared import agreement_file, log, metrics
from shared.agreement_file import Loaded
from shared.domain.agreement import Agreement
from shared.domain.agreement_versions import Version, objection, warning
from shared.domain.errors import Misconfigured

_Signature = tuple[tuple[int, int, int] | None, ...]


class AgreementWatch:
    """Watches the agreement file of a service and reports errors: in the log, as a metric, in `refusals` (why it has no
    effect) and in `warnings`.
    """

    def __init__(self, path: Path, service: str) -> None:
        self.path = path
        self.name: str | None = None
        self.refusals: Sequence[str] = []
        self.warnings: Sequence[str] = []
        self._found: Loaded | Misconfigured | None = None
        self._seen: _Signature = ()
        self._read: _Signature = ()
        self._named: Sequence[str] = ()
        self._refused = metrics.agreement_refused.labels(service)
        self._log = log.get(service)

    @property
    def agreement(self) -> Agreement | None:
        """The agreement in the file, if it loads."""
        return self._found.agreement if isinstance(self._found, Loaded) else None

    @property
    def wrong(self) -> Misconfigured | None:
        """Why the file does not load, if it does not."""
        return self._found if isinstance(self._found, Misconfigured) else None

    async def read(self) -> None:
        """Read the file."""
        await asyncio.to_thread(self._load)

    async def look(self) -> None:
        """Read the file again if it may hold something else than before.

        A file that was refused is read at every look: what it lacked may be in another file.
        """
        before, self._seen = self._seen, await asyncio.to_thread(self._signature)
        if self._seen == before and (self._seen != self._read or self.wrong is not None):
            await self.read()

    def judge(self, stored: Sequence[Version], now: datetime) -> Agreement | None:
        """The file's agreement, if it is to be stored in addition to what is `stored`; None when it is there already,
        or refused.
        """
        refusals, warnings = self._findings(stored, now)
        if refusals and refusals != self.refusals:
            self._log.error("agreement_refused", findings=refusals)
        if warnings and warnings != self.warnings:
            self._log.warning("agreement_overtaken", findings=warnings)
        self.refusals, self.warnings = refusals, warnings
        self._refused.set(bool(refusals))
        new = self.agreement
        if new is None or refusals or any(version.hash == new.hash for version in stored):
            return None
        return new

    def _findings(self, stored: Sequence[Version], now: datetime) -> tuple[list[str], list[str]]:
        """Why the file has no effect, and what may surprise."""
        if self.wrong is not None:
            return self.wrong.detail.split("\n"), []
        if self.agreement is None:
            return [], []
        against = objection(self.agreement, stored, now)
        if against:
            return [f"{self.path}: {against}"], []
        oddity = warning(self.agreement, stored)
        return [], [f"{self.path}: {oddity}"] if oddity else []

    def notice(self, current: Agreement | None) -> str | None:
        """The error as a sentence; `current` is the version that stays in force."""
        if self.refusals:
            stays = f"version {current.version} of {current.name} stays in force" if current else "none is in force"
            more = f" (and {len(self.refusals) - 1} more)" if len(self.refusals) > 1 else ""
            return f"the agreement file is refused, {stays}: {self.refusals[0]}{more}"
        return next(iter(self.warnings), None)

    def _load(self) -> None:
        self._seen = self._read = self._signature()
        try:
            loaded = agreement_file.load(self.path)
        except Misconfigured as wrong:
            self._found = wrong
            return
        self._found, self.name = loaded, loaded.agreement.name
        if set(loaded.agreement.files) != set(self._named):
            self._named = tuple(loaded.agreement.files)
            self._seen = self._read = self._signature()

    def _signature(self) -> _Signature:
        return tuple(_look_at(self.path.parent / name) for name in (self.path.name, *self._named))


def _look_at(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
