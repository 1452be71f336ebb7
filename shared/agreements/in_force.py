"""The agreement in force: reloaded from the file without a restart, and the same for all processes.

A file that does not load, or may not follow the stored versions, changes nothing and is reported. A valid version is
stored immediately and takes effect at its `effective_from`. The first process that finds it in force announces it,
once.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from shared import log
from shared.agreement_file import AgreementRefused
from shared.agreements import store
from shared.agreements.watch import AgreementWatch
from shared.bus.envelope import Envelope, instant
from shared.db import outbox
from shared.db.engine import Database, Tx
from shared.db.tables import RuntimeTables
from shared.domain.agreement import Agreement
from shared.domain.agreement_versions import Schedule, Version, relevant_versions, stored_version
from shared.domain.errors import Misconfigured
from shared.domain.events import AgreementActivated
from shared.domain.ids import event_id
from shared.domain.not_watched import not_watched, not_watched_note
from shared.ports import Clock
from shared.runtime.backoff import until_back
from shared.runtime.wakeup import WakeUp

LOOK_S = 2.0
"""Seconds between two checks of the file and of versions stored by other processes."""


class InForce:
    """The agreement of a service with a database. `tables` are the service's: activations go to its outbox.

    `look_s` is in seconds. `changed` is set when another version is in force.
    """

    def __init__(
        self,
        *,
        database: Database,
        path: Path,
        tables: RuntimeTables,
        look_s: float = LOOK_S,
        changed: WakeUp | None = None,
    ) -> None:
        self._database = database
        self._changed = changed
        self._tables = tables
        self._file = AgreementWatch(path, tables.service)
        self._look_s = self._wait_s = look_s
        self._versions: Sequence[Version] = ()
        self._schedule = Schedule()
        self._first: Agreement | None = None
        self._current: tuple[Version, Agreement] | None = None
        self._unreadable: Sequence[str] = ()
        self._log = log.get(tables.service)

    async def start(self) -> None:
        """Load the file. Raises `Misconfigured` if no version is in force: the file is refused or takes effect later,
        and no version is stored.
        """
        await self._file.read()
        await self._agree()
        if self._current is None:
            raise self._nothing_in_force()

    def at(self, now: datetime) -> Agreement:
        """The agreement in force at `now`. Past versions are found by hash."""
        found = self._schedule.at(now) or self._first
        assert found is not None, "start comes first"  # noqa: S101 (the runtime sees to it)
        return found

    async def run(self) -> None:
        """Watch the file and the versions that other processes store, until cancelled. Waits out outages."""
        while True:
            await asyncio.sleep(self._wait_s)
            before = self._current
            await until_back(self._look, service=self._tables.service, task="agreement")
            if self._changed is not None and self._current != before:
                self._changed.set()

    async def _look(self) -> None:
        await self._file.look()
        await self._agree()

    def findings(self) -> list[str]:
        """Errors and warnings about the file and the stored versions; empty if there are none."""
        return [*self._file.refusals, *self._file.warnings, *self._unreadable]

    def notice(self) -> str | None:
        """The same in a sentence, for readiness."""
        current = self._current[1] if self._current is not None else None
        return self._file.notice(current) or next(iter(self._unreadable), None)

    def not_watched(self) -> str | None:
        """What the agreement in force has that nothing acts on, for readiness."""
        return not_watched_note(self._current[1]) if self._current is not None else None

    def state(self) -> dict[str, Any]:
        """For pages and the API: the `agreement` in force with its `text`, `effective_from` and `approved_by`, all
        stored versions in `versions`, newest first, and the findings in `trouble`. Instants are RFC 3339.
        """
        assert self._current is not None, "start comes first"  # noqa: S101 (the runtime sees to it)
        current, agreement = self._current
        own = sorted((v for v in self._versions if v.name == current.name), key=lambda v: v.order, reverse=True)
        shown = _shown(current)
        return {
            "agreement": {"name": current.name, "version": current.version, "hash": current.hash},
            "effective_from": shown["effective_from"],
            "approved_by": shown["approved_by"],
            "text": agreement.text,
            "versions": [_shown(version) for version in own],
            "trouble": self.findings(),
        }

    async def _agree(self) -> None:
        """Store the file's version if allowed, then use the stored versions."""
        async with self._database.read() as tx:
            now = await self._database.now(tx)
            self._versions = await store.versions(tx)
        new = self._file.judge(self._versions, now)
        if new is not None:
            await self._store(new)
        await self._follow(now)
        if self._current is not None and self._current[0].activated_at is None:
            await self._activate(*self._current)
        coming = self._schedule.next_after(now)
        self._wait_s = min(self._look_s, (coming - now).total_seconds()) if coming else self._look_s

    async def _store(self, new: Agreement) -> None:
        async with self._database.begin() as tx:
            await store.lock(tx)
            now = await self._database.now(tx)
            # Another process may have stored its file's version in the meantime.
            if self._file.judge(await store.versions(tx), now) is not None:
                await store.save(tx, new, now)
                self._log.debug("agreement_stored", name=new.name, version=new.version, hash=new.hash)
            self._versions = await store.versions(tx)

    async def _follow(self, now: datetime) -> None:
        before = _activated_last(self._versions)
        name = self._file.name or (before.name if before is not None else "")
        matter = relevant_versions(self._versions, name, now, before)
        async with self._database.read() as tx:
            found = await self._read(tx, matter)
        due = [version for version in matter if version.effective_from <= now]
        past = [entry for entry in found if entry[0].effective_from <= now]
        # A version that should be in force but cannot be read is no reason to return to the previous one.
        if past and past[-1][0] is due[-1]:
            self._first, self._current = past[0][1], past[-1]
            self._schedule = Schedule([(version.effective_from, agreement) for version, agreement in found])

    async def _read(self, tx: Tx, versions: Sequence[Version]) -> list[tuple[Version, Agreement]]:
        """The versions that can be read; others are findings."""
        found, unreadable = [], []
        for version in versions:
            try:
                # Not the file's, which may be read with other public holidays by now.
                found.append((version, await store.by_hash(tx, version.hash)))
            except Misconfigured as refused:
                which = f"{version.name} version {version.version}"
                unreadable.append(f"{which} is stored, but this Baton does not read it: {refused.detail}")
        self._unreadable = unreadable
        return found

    async def _activate(self, version: Version, agreement: Agreement) -> None:
        async with self._database.begin() as tx:
            now = await self._database.now(tx)
            previous = _activated_last(await store.versions(tx))
            if await store.activate(tx, version.hash, now):
                await outbox.announce(tx, self._tables, [self._announcement(version, previous, now)])
                report = self._log.info if previous is not None else self._log.debug
                report("agreement_activated", name=version.name, version=version.version, hash=version.hash)
                report("agreement_not_watched", keys=not_watched(agreement))
            self._versions = await store.versions(tx)
        self._current = next(v for v in self._versions if v.hash == version.hash), agreement

    def _announcement(self, version: Version, previous: Version | None, now: datetime) -> Envelope:
        event = AgreementActivated(
            lead_id=version.name,
            agreement=version.ref,
            previous=previous.ref if previous is not None else None,
            effective_from=version.effective_from,
            activated_at=now,
            approved_by={side: approval.name for side, approval in version.approved_by.items()},
        )
        return Envelope(event_id("agreement", version.hash, "activated"), f"baton/{self._tables.service}", now, event)

    def _nothing_in_force(self) -> Misconfigured:
        new = self._file.agreement
        if self._file.wrong is not None:
            return self._file.wrong
        if self.findings() or new is None:
            return Misconfigured("\n".join(self.findings()))
        return Misconfigured(
            f"{self._file.path}: version {new.version} of {new.name} takes effect at {instant(new.effective_from)}, "
            "and no version was in force before it: set `effective_from` to an instant in the past"
        )


class FileInForce:
    """What a service without a database goes by: the versions that the file held since the start. `service` names it
    in the log.
    """

    def __init__(self, *, path: Path, clock: Clock, service: str, look_s: float = LOOK_S) -> None:
        self._file = AgreementWatch(path, service)
        self._clock = clock
        self._look_s = look_s
        self._versions: list[tuple[Version, Agreement]] = []
        self._schedule = Schedule()

    async def start(self) -> None:
        """Load the file. If it is refused, nothing is in force and the findings say why. Raises `Misconfigured` if
        there is no file.
        """
        await self._file.read()
        wrong = self._file.wrong
        if wrong is not None and not isinstance(wrong, AgreementRefused):
            raise wrong
        self._take()

    def at(self, now: datetime) -> Agreement | None:
        """The agreement in force at `now`, from the versions of the file since the start."""
        return self._schedule.at(now)

    async def run(self) -> None:
        """Follow the file until cancelled."""
        while True:
            await asyncio.sleep(self._look_s)
            await self._file.look()
            self._take()

    def notice(self) -> str | None:
        """The error in the file as a sentence, for readiness."""
        current = self.at(self._clock.now())
        missing = None if current is not None else "no agreement is in force yet, so nothing is refused for its sake"
        return self._file.notice(current) or missing

    def _take(self) -> None:
        now = self._clock.now()
        new = self._file.judge([version for version, _ in self._versions], now)
        if new is None:
            return
        self._versions.append((stored_version(new, now), new))
        current = self.at(now)
        before = next((version for version, agreement in self._versions if agreement is current), None)
        matter = relevant_versions([version for version, _ in self._versions], new.name, now, before)
        by_hash = {version.hash: agreement for version, agreement in self._versions}
        self._schedule = Schedule([(version.effective_from, by_hash[version.hash]) for version in matter])


def _activated_last(versions: Sequence[Version]) -> Version | None:
    activated = [(v.activated_at, v.order, v) for v in versions if v.activated_at is not None]
    return max(activated, key=lambda found: found[:2])[2] if activated else None


def _shown(version: Version) -> Mapping[str, Any]:
    return {
        "version": version.version,
        "hash": version.hash,
        "effective_from": instant(version.effective_from),
        "kept_at": instant(version.kept_at),
        "activated_at": instant(version.activated_at) if version.activated_at is not None else None,
        "approved_by": {side: {"name": a.name, "on": a.on.isoformat()} for side, a in version.approved_by.items()},
    }
