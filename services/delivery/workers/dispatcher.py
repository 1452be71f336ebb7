"""Sends what is due: claims it, commits, sends, then records. No transaction waits for an endpoint.

A crash leaves a lease that expires; what it covered is then sent again under the same id. Each endpoint has a lane with
a few slots, and one slot while the endpoint is overloaded, so that a slow endpoint does not delay others.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Generic, Protocol, TypeVar

from shared.db.engine import Database, Tx
from shared.runtime.backoff import until_back
from shared.runtime.wakeup import WakeUp, wake

LEASE_S = 60.0
SENDABLE_S = 25.0
"""What waits longer for a slot is released: sending it may take 30 s, and the lease must outlast that."""
AHEAD = 8
IDLE_S = 1.0

OfLane = TypeVar("OfLane")
Job = TypeVar("Job")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Waiting(Generic[OfLane]):
    """A lane that has something to send, with when the first of it is due, and `of`, what the work knows it by."""

    lane: str
    due_at: datetime
    of: OfLane


class Work(Protocol[OfLane, Job, Answer]):
    """What is sent: how it is found, claimed, sent and recorded."""

    @property
    def task(self) -> str:
        """The name of the work in metrics and logs."""
        ...

    async def waiting(self, tx: Tx) -> Sequence[Waiting[OfLane]]:
        """The lanes that have something to send, now or later; the longest overdue first."""
        ...

    async def claim(
        self, tx: Tx, rooms: Sequence[tuple[Waiting[OfLane], int]], now: datetime, until: datetime
    ) -> Sequence[tuple[str, Job]]:
        """Claim what is due `now`, for each lane up to its room, until the lease ends. Returns the jobs with their
        lanes.
        """
        ...

    async def attempt(self, job: Job) -> Answer:
        """Send it once. Never raises for what an endpoint does."""
        ...

    def slows_down(self, job: Job, answer: Answer) -> bool:
        """Whether the answer means that the endpoint is overloaded. Called once for each attempt."""
        ...

    async def record(self, tx: Tx, ended: Sequence[tuple[Job, Answer | None]], now: datetime) -> None:
        """Record the outcomes of jobs whose claims still stand, and release those that were not sent (None)."""
        ...


@dataclass(slots=True)
class _Lane:
    """One endpoint's share of this process: what is claimed and not yet recorded, and its slots."""

    slots: asyncio.Semaphore
    claimed: int = 0
    sending: int = 0
    slow: bool = False


@dataclass(frozen=True, slots=True)
class _Claimed(Generic[Job]):
    job: Job
    lane: _Lane
    sendable_until: float


class Dispatcher(Generic[OfLane, Job, Answer]):
    """Sends the work of one process, `per_lane` attempts at a time per lane and `in_flight` in all. `wake` is set when
    something becomes due; `recorded` are set after outcomes are recorded.
    """

    def __init__(
        self,
        database: Database,
        work: Work[OfLane, Job, Answer],
        *,
        wake: WakeUp,
        per_lane: int,
        in_flight: int,
        recorded: Sequence[WakeUp] = (),
    ) -> None:
        self._database = database
        self._work = work
        self._wake = wake
        self._recorded = recorded
        self._per_lane = per_lane
        self._lanes: dict[str, _Lane] = {}
        self._slots = asyncio.Semaphore(in_flight)
        self._ended: list[tuple[_Claimed[Job], Answer | None]] = []
        self._to_record = WakeUp()
        self._stopping = False
        self._idle = asyncio.Event()

    async def run(self) -> None:
        """Send until cancelled; an outage of the database is waited out. What an earlier run had claimed falls due
        again when its lease ends.
        """
        self._lanes, self._ended = {}, []
        async with asyncio.TaskGroup() as group:
            group.create_task(self._record_forever())
            while not self._stopping:
                claim = partial(self._claim_due, group)
                await self._wake.wait(await until_back(claim, service="delivery", task=self._work.task))

    async def drain(self) -> None:
        """Stop claiming, release what is not in flight, and return when the rest is recorded."""
        self._stopping = True
        self._wake.set()
        while any(lane.claimed for lane in self._lanes.values()):
            self._idle.clear()
            await self._idle.wait()

    async def _claim_due(self, group: asyncio.TaskGroup) -> float:
        """Claim and start what is due while there are free slots; returns the seconds until the next is due."""
        async with self._database.read() as tx:
            now = await self._database.now(tx)
            waiting = await self._work.waiting(tx)
        rooms = [(each, room) for each in waiting if each.due_at <= now and (room := self._room(each.lane))]
        if rooms:
            sendable_until = asyncio.get_running_loop().time() + SENDABLE_S
            for lane, job in await self._claim(rooms):
                claimed = _Claimed(job, self._lane(lane), sendable_until)
                claimed.lane.claimed += 1
                group.create_task(self._send(claimed))
        later = [(each.due_at - now).total_seconds() for each in waiting if each.due_at > now]
        return min([IDLE_S, *later])

    async def _claim(self, rooms: Sequence[tuple[Waiting[OfLane], int]]) -> Sequence[tuple[str, Job]]:
        async with self._database.begin() as tx:
            now = await self._database.now(tx)
            return await self._work.claim(tx, rooms, now, now + timedelta(seconds=LEASE_S))

    def _lane(self, name: str) -> _Lane:
        if name not in self._lanes:
            self._lanes[name] = _Lane(asyncio.Semaphore(self._per_lane))
        return self._lanes[name]

    def _room(self, name: str) -> int:
        lane = self._lane(name)
        limit = 1 if lane.slow else AHEAD * self._per_lane
        return limit - lane.claimed if lane.claimed <= limit // 2 else 0

    async def _send(self, claimed: _Claimed[Job]) -> None:
        lane = claimed.lane
        answer = None
        async with lane.slots, self._slots:
            late = asyncio.get_running_loop().time() > claimed.sendable_until
            if not (self._stopping or late or (lane.slow and lane.sending)):
                lane.sending += 1
                answer = await self._work.attempt(claimed.job)
                lane.sending -= 1
                lane.slow = self._work.slows_down(claimed.job, answer)
        self._ended.append((claimed, answer))
        self._to_record.set()

    async def _record_forever(self) -> None:
        while True:
            await self._to_record.wait(IDLE_S)
            while self._ended:
                ended, self._ended = self._ended, []
                await until_back(partial(self._record, ended), service="delivery", task="record")
                for claimed, _ in ended:
                    claimed.lane.claimed -= 1
                wake((self._wake, *self._recorded))
                self._idle.set()

    async def _record(self, ended: Sequence[tuple[_Claimed[Job], Answer | None]]) -> None:
        async with self._database.begin() as tx:
            now = await self._database.now(tx)
            await self._work.record(tx, [(claimed.job, answer) for claimed, answer in ended], now)
