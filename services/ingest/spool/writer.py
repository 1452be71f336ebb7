"""Stores accepted facts: senders get a response only after the fsync, and facts stay until the bus has them.

One thread writes. Requests that arrive during a commit share the next one, so the cost of an fsync is shared and no
request waits for others to arrive. All other access to the file goes through the same thread, between commits.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from services.ingest.domain.pending_event import Accepted, PendingEvent
from services.ingest.spool.file import SpoolEntry, SpoolFile, unavailable
from services.ingest.spool.stamps import Stamps
from shared.domain.errors import Problem, Refused, Unavailable
from shared.domain.events import ACTIVITIES
from shared.ports import Clock
from shared.runtime.wakeup import WakeUp

T = TypeVar("T")
MAX_IN_A_COMMIT = 256
DELETED_AT_ONCE = 5000
LATEST_US = 2**62
_DELETED_EVERY_S = 10.0
_ALMOST_FULL = 0.8


class _WriteJob:
    __slots__ = ("error", "future", "result", "work")

    def __init__(self, work: "Sequence[PendingEvent] | Callable[[], Any]", future: "asyncio.Future[Any]") -> None:
        self.work = work
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None


class Spool:
    """A spool file and the thread that owns it. `committed` wakes the relay. `spool` is the file's permanent name;
    `instance` names its timestamps, which continue under another name if they turn out to be ahead.

    `announced` is whether consumers wait for this instance's markers; until then it must not accept activities.
    `facts_set_aside` counts facts that the log refused.
    """

    def __init__(
        self, file: SpoolFile, clock: Clock, new_id: Callable[[], str], *, max_rows: int, free_bytes: int
    ) -> None:
        self.committed = WakeUp()
        self.spool = ""
        self.instance = ""
        self.announced = False
        self.facts_set_aside = 0
        self._file = file
        self._clock = clock
        self._new_id = new_id
        self._max_rows = max_rows
        self._free_bytes = free_bytes
        self._next_delete = 0.0
        self._waiting = 0
        self._jobs: list[_WriteJob] = []
        self._writing = False
        self._closed = False
        self._handed: queue.SimpleQueue[list[_WriteJob] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name=file.path.stem, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stamps: Stamps

    @property
    def rows(self) -> int:
        """How many facts wait for the bus."""
        return self._file.rows

    @property
    def folder(self) -> Path:
        """Where the file is."""
        return self._file.path.parent

    async def start(self) -> None:
        """Open the file. Raises `Misconfigured`."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        await self._between_commits(self._open)

    def _open(self) -> None:
        self._file.open(self._new_id())
        self.spool = self._file.settle("spool", f"spool_{self._new_id()}")
        self._stamps = Stamps(self._clock, self._file.floor_us())
        self._read_names()

    def _read_names(self) -> None:
        self.instance = self._file.read("instance") or ""
        self.announced = self._file.read("announced") == "yes"
        self.facts_set_aside = self._file.count_set_aside()

    async def append(self, pending_events: Sequence[PendingEvent]) -> list[Accepted]:
        """Store all facts or none. Returns after the fsync, with one outcome for each.

        Raises `KeyReused` if a key was used for different content, what a fact is `refused` for unless it is a repeat,
        and `Unavailable` if the spool is full, the disk cannot be written, or the clock is in doubt and there is an
        activity among the facts. If the caller is cancelled, the facts may still be stored.
        """
        if self._file.rows + self._waiting + len(pending_events) > self._max_rows:
            raise Unavailable(
                "The spool of this service is full; nothing was stored. Send it again later.", retry_after_s=10
            )
        queued = self._queued(pending_events)
        self._waiting += len(pending_events)
        outcomes: list[Accepted] = await queued
        return outcomes

    async def repeats(self, pending_events: Sequence[PendingEvent]) -> set[str]:
        """The keys of those that repeat a fact that is stored."""
        keys = [each.repeat_key for each in pending_events if each.repeat_s]
        return await self._between_commits(lambda: self._file.known(keys, self._stamps.earliest()))

    async def relayed(self) -> int:
        """The number of the last fact that the bus is known to have."""
        return await self._between_commits(lambda: self._file.relayed)

    async def oldest(self, *, after: int, limit: int) -> list[SpoolEntry]:
        """Up to `limit` facts behind number `after`, in the order of their acceptance."""
        return await self._between_commits(lambda: self._file.oldest(after, limit))

    async def published(self, *, after: int, since_us: int, limit: int) -> list[SpoolEntry]:
        """Up to `limit` of the facts behind number `after` that the bus has and that are retained."""
        return await self._between_commits(lambda: self._file.published(after, since_us=since_us, limit=limit))

    async def inquiries_upto(self, seq: int) -> int:
        """How many inquiries were accepted here, ever, up to fact number `seq`."""
        return await self._between_commits(lambda: self._file.inquiries_upto(seq))

    async def resent(self) -> str | None:
        """Which request to send facts again was carried out last."""
        return await self._between_commits(lambda: self._file.read("resent"))

    async def note_resent(self, request: str) -> None:
        """Note durably that this request to send facts again is carried out."""
        await self._between_commits(lambda: self._file.write("resent", request))

    async def watermark(self, *, relayed: int) -> int:
        """An instant before which nothing was or will be accepted but facts up to number `relayed`, which the bus has.

        In microseconds from 1970. Facts that the bus has are deleted from time to time. Raises `Unavailable` while the
        clock can't be trusted or the disk can't be written.
        """
        return await self._between_commits(lambda: self._watermark(relayed))

    def _watermark(self, relayed: int) -> int:
        upto_us = min(self._stamps.next(), self._file.next_accepted_us(relayed) or LATEST_US)
        # Written down first: after a restart with an older clock nothing may be dated below what a marker promised.
        self._file.mark_relayed(relayed=relayed, floor_us=max(upto_us, self._file.floor_us()))
        now = self._clock.monotonic()
        if self._file.untidied >= DELETED_AT_ONCE or now >= self._next_delete:
            self._file.tidy(upto_us)
            self._next_delete = now + _DELETED_EVERY_S
        return upto_us

    async def set_aside(self, reasons: Mapping[int, str]) -> int:
        """Set aside the facts with these numbers, which the log will never accept; returns how many are new."""
        new = await self._between_commits(lambda: self._file.set_aside(reasons))
        self.facts_set_aside += new
        return new

    async def settled(self, name: str, value: str) -> str:
        """The permanent value under `name`; stores `value` if there is none."""
        return await self._between_commits(lambda: self._file.settle(name, value))

    async def last_stamp(self, *, relayed: int) -> int:
        """An instant after which nothing was accepted, for signing off, without reading the clock. Marks facts up to
        number `relayed` as relayed.
        """

        def noted() -> int:
            floor_us = self._file.floor_us()
            self._file.mark_relayed(relayed=relayed, floor_us=floor_us)
            return floor_us

        return await self._between_commits(noted)

    async def clock_doubt(self) -> str | None:
        """Why the clock can't be trusted now, and what to do; None when it can."""
        return await self._between_commits(self._stamps_doubt)

    def _stamps_doubt(self) -> str | None:
        return self._stamps.doubt()

    async def accept_clock(self) -> None:
        """Take this machine's clock as right, though it was stepped."""
        await self._between_commits(self._accept_clock)

    def _accept_clock(self) -> None:
        self._stamps.accept()

    async def renew_if_outdated(self) -> None:
        """Continue under a new name if timestamps so far are ahead of the corrected clock.

        Facts accepted under the old name keep their timestamps; `former` names must be signed off.
        """
        await self._between_commits(self._renew_if_outdated)

    def _renew_if_outdated(self) -> None:
        if self._stamps.outdated:
            self._file.renew(self._new_id())
            self._stamps = Stamps(self._clock, self._file.floor_us())
            self._read_names()

    async def former(self) -> dict[str, int]:
        """Names that this spool had before and that are not signed off, each with its last stamp."""
        return await self._between_commits(self._file.former)

    async def forget_former(self) -> None:
        """They are signed off."""
        await self._between_commits(lambda: self._file.write("former", "{}"))

    async def announce(self, *, here: bool) -> None:
        """Note durably whether readers of activities count on this instance from now on."""
        if not here:
            self.announced = False
        await self._between_commits(lambda: self._file.write("announced", "yes" if here else "no"))
        self.announced = here

    def aside_note(self) -> str | None:
        """A sentence for operators about facts that the log would not take; None when there are none."""
        if not self.facts_set_aside:
            return None
        file = self._file.path
        return f"{self.facts_set_aside} facts that the log would not take are in the table set_aside of {file}"

    async def shortage(self) -> str | None:
        """What will soon make the spool refuse: None, or a sentence for operators. Earlier than the refusal itself."""
        share, free = await self._between_commits(lambda: (self._file.share_used(), self._file.bytes_free()))
        share = max(share, self._file.rows / self._max_rows)
        if share >= _ALMOST_FULL:
            return f"the spool is {share:.0%} full: is the log away? if not, raise BATON_INGEST_SPOOL_BYTES or _ROWS"
        if free < self._free_bytes:
            return f"the disk under the spool has {free // 2**20} MiB left: free some space"
        return None

    async def close(self) -> None:
        """Commit what is queued, close the file and release its lock."""
        last = self._queued(lambda: None)
        self._closed = True
        await last
        self._handed.put(None)
        await asyncio.to_thread(self._thread.join)

    async def _between_commits(self, work: Callable[[], T]) -> T:
        result: T = await self._queued(work)
        return result

    def _queued(self, work: "Sequence[PendingEvent] | Callable[[], Any]") -> "asyncio.Future[Any]":
        if self._loop is None or self._closed:
            raise Unavailable("This service is stopping; nothing was stored. Send it again.")
        future = self._loop.create_future()
        self._jobs.append(_WriteJob(work, future))
        if len(self._jobs) == 1 and not self._writing:
            # Behind the requests that this turn of the loop has brought, which so share the commit.
            self._loop.call_soon(self._hand_over)
        return future

    def _hand_over(self) -> None:
        if self._writing or not self._jobs:
            return
        count = rows = 0
        for job in self._jobs:
            count += 1
            rows += 0 if callable(job.work) else len(job.work)
            if rows >= MAX_IN_A_COMMIT:
                break
        self._writing = True
        self._handed.put(self._jobs[:count])
        del self._jobs[:count]

    def _write(self) -> None:
        while (jobs := self._handed.get()) is not None:
            appends = [job for job in jobs if not callable(job.work)]
            if appends:
                self._append_all(appends)
            for job in jobs:
                if callable(job.work):
                    self._run([job], _call)
            self._hand_back(jobs)
        self._file.close()

    def _append_all(self, jobs: list[_WriteJob]) -> None:
        doubt = self._stamps.doubt()
        if doubt is not None:
            _fail([job for job in jobs if _has_activities(job)], Unavailable(doubt, retry_after_s=10))
            jobs = [job for job in jobs if not _has_activities(job)]
        if jobs:
            self._run(jobs, self._append)

    def _append(self, jobs: list[_WriteJob]) -> list[list[Accepted] | Refused]:
        return self._file.append([job.work for job in jobs if not callable(job.work)], self._stamps.earliest())

    def _run(self, jobs: list[_WriteJob], work: Callable[[list[_WriteJob]], Sequence[Any]]) -> None:
        try:
            for job, result in zip(jobs, work(jobs), strict=True):
                if isinstance(result, Refused):
                    job.error = result
                else:
                    job.result = result
        except Problem as refused:
            _fail(jobs, refused)
        except sqlite3.Error as wrong:
            self._file.forsake()
            _fail(jobs, unavailable(wrong))
        except Exception as bug:  # the thread must survive any bug in one batch; the senders get the error
            _fail(jobs, bug)

    def _hand_back(self, jobs: list[_WriteJob]) -> None:
        assert self._loop is not None  # noqa: S101 (set by start)
        with contextlib.suppress(RuntimeError):  # the loop is gone, and with it everyone who waited
            self._loop.call_soon_threadsafe(self._resolve, jobs)

    def _resolve(self, jobs: list[_WriteJob]) -> None:
        self._writing = False
        for job in jobs:
            if not callable(job.work):
                self._waiting -= len(job.work)
                self.committed.set()
            if job.future.done():
                continue
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.result)
        self._hand_over()


def _has_activities(job: _WriteJob) -> bool:
    return not callable(job.work) and any(pending_event.topic == ACTIVITIES for pending_event in job.work)


def _call(jobs: list[_WriteJob]) -> list[Any]:
    return [job.work() for job in jobs if callable(job.work)]


def _fail(jobs: list[_WriteJob], error: BaseException) -> None:
    for job in jobs:
        job.error = error
