"""`python -m tests.torture.sabotage WAY+WAY services.NAME` runs a service with disciplines broken, each in a way that
could happen by mistake. The torture test has to fail on each."""

import itertools
import os
import runpy
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from services.delivery.domain.notice_retry import NextStep, next_step
from services.delivery.domain.outcome import Outcome
from services.delivery.workers import notice_sender
from services.delivery.workers.notice_sender import NoticeWork
from services.sla_monitor.store import persons, verdicts
from services.sla_monitor.workers import timer
from shared.db import inbox, position
from shared.domain.events import INQUIRIES
from shared.runtime.consume import Consumer

_DIES_AT_BATCH = 2
_FORGETS_EACH = 5

Put = Callable[[object, str, object], None]
"""Puts something else in place of what is there; raises `AttributeError` if nothing is there."""


def offset_before_commit(put: Put) -> None:
    """The position is moved in a transaction of its own, before the one that has the effects; and the process dies
    between the two, now and then."""
    batches = 0

    async def commit(self: Any, records: Sequence[Any], *, quarantine: Exception | None) -> None:
        nonlocal batches
        moves = self._moves(records)
        async with self._database.begin() as tx:
            await position.advance(tx, self._tables, moves)
        batches += any(record.topic == INQUIRIES for record in records)
        if batches == _DIES_AT_BATCH:
            os.kill(os.getpid(), signal.SIGKILL)
        assert quarantine is None
        async with self._database.begin() as tx:
            await self._run_handlers(tx, records)
        self._at.update({place: new for place, (_, new) in moves.items()})
        for woken in self._committed:
            woken.set()

    put(Consumer, "_commit", commit)


def no_inbox(put: Put) -> None:
    """Every record counts as new."""

    async def fresh(_tx: object, _tables: object, ids: Sequence[str], _now: datetime) -> set[str]:
        return set(ids)

    put(inbox, "fresh", fresh)


def no_watermark(put: Put) -> None:
    """A breach waits for the clock only, whatever may still be on its way."""

    def watermarks(marks: Sequence[Any]) -> Mapping[int, datetime]:
        return {mark.partition: datetime.max.replace(tzinfo=UTC) for mark in marks}

    put(timer, "watermarks", watermarks)


def no_merges(put: Put) -> None:
    """A promise is judged by what was reported under its lead's own id, as if nobody had two."""

    def nothing(_event: object) -> list[Any]:
        return []

    put(persons, "merges_in", nothing)


def late_is_in_time(put: Put) -> None:
    """An inquiry whose verdict has come counts as judged in time, whenever that was."""

    def always(*_: object) -> bool:
        return True

    put(verdicts, "in_time", always)


def lost_notice(put: Put) -> None:
    """A message counts as taken before it is sent, and now and then it is not sent after that."""
    attempt, attempts = NoticeWork.attempt, itertools.count(1)

    async def forgetful(self: NoticeWork, job: Any) -> Outcome:
        if next(attempts) % _FORGETS_EACH == 0:
            return Outcome("taken", "")
        return await attempt(self, job)

    put(NoticeWork, "attempt", forgetful)


def doubled_notice(put: Put) -> None:
    """Only the second time counts that a message was taken."""

    def step(outcome: Outcome, attempts: int, fraction: float, schedule_s: Sequence[float]) -> NextStep:
        taken = next_step(outcome, attempts, fraction, schedule_s)
        return NextStep("retry", 0.5) if taken.action == "told" and attempts == 1 else taken

    put(notice_sender, "next_step", step)


WAYS: Mapping[str, Callable[[Put], None]] = {
    "offset-before-commit": offset_before_commit,
    "no-inbox": no_inbox,
    "no-watermark": no_watermark,
    "no-merges": no_merges,
    "late-is-in-time": late_is_in_time,
    "lost-notice": lost_notice,
    "doubled-notice": doubled_notice,
}

if __name__ == "__main__":
    ways, module = sys.argv[1:]
    for way in ways.split("+"):
        WAYS[way](pytest.MonkeyPatch().setattr)
    runpy.run_module(module, run_name="__main__")
