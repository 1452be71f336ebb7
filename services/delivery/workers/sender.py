"""Sends due deliveries: claims them, commits, sends, then records. No transaction waits for an endpoint.

A crash leaves a lease that expires; the event is then sent again with the same id. Each subscription has a few slots,
and one slot while its endpoint is overloaded, so that a slow endpoint does not delay others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from services.delivery.domain.retry import EndpointResponse, NextAttempt, next_attempt
from services.delivery.store import deliveries, events, subscriptions
from services.delivery.store.deliveries import Claimed, Report
from services.delivery.store.events import StoredEvent
from services.delivery.store.subscriptions import Subscription
from shared import log, metrics
from shared.db.engine import Database, Tx
from shared.runtime.backoff import until_back
from shared.runtime.wakeup import WakeUp

Post = Callable[[str, Sequence[str], str, bytes], Awaitable[EndpointResponse]]
"""Sends (url, secrets, event id, body) and returns the outcome."""

LEASE_S = 60.0
SENDABLE_S = 40.0
AHEAD = 8
IDLE_S = 1.0
GIVE_UP_AFTER = timedelta(days=5)


@dataclass(frozen=True, slots=True)
class Pace:
    """How hard to send: requests under way per subscription and in all, and the waits between attempts in seconds."""

    per_endpoint: int
    in_flight: int
    schedule_s: Sequence[float]


@dataclass(slots=True)
class _Lane:
    """One subscription's share of this process: claimed deliveries not yet recorded, and its slots."""

    slots: asyncio.Semaphore
    claimed: int = 0
    sending: int = 0
    slow: bool = False


@dataclass(frozen=True, slots=True)
class _Job:
    subscription: Subscription
    claimed: Claimed
    event: StoredEvent
    lane: _Lane
    sendable_until: float


@dataclass(slots=True)
class _Outcomes:
    """What one transaction records."""

    reports: list[Report] = field(default_factory=list)
    unsent: list[Claimed] = field(default_factory=list)
    well: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    gone: dict[str, str] = field(default_factory=dict)


class Sender:
    """Sends for one process. `wake` is set when a delivery becomes due; `fraction` in [0, 1) adds jitter."""

    def __init__(
        self, *, database: Database, post: Post, wake: WakeUp, pace: Pace, fraction: Callable[[], float]
    ) -> None:
        self._database = database
        self._post = post
        self._wake = wake
        self._pace = pace
        self._fraction = fraction
        self._lanes: dict[str, _Lane] = {}
        self._slots = asyncio.Semaphore(pace.in_flight)
        self._ended: list[tuple[_Job, EndpointResponse | None]] = []
        self._to_record = WakeUp()
        self._stopping = False
        self._idle = asyncio.Event()
        self._log = log.get("delivery")

    async def run(self) -> None:
        """Send until cancelled; an outage of the database is waited out. What an earlier run had claimed falls due
        again when its lease ends.
        """
        self._lanes, self._ended = {}, []
        async with asyncio.TaskGroup() as group:
            group.create_task(self._record_forever())
            while not self._stopping:
                await self._wake.wait(
                    await until_back(partial(self._claim_due, group), service="delivery", task="send")
                )

    async def drain(self) -> None:
        """Stop claiming, release what is not in flight, and return when the rest is recorded."""
        self._stopping = True
        self._wake.set()
        while any(lane.claimed for lane in self._lanes.values()):
            self._idle.clear()
            await self._idle.wait()

    async def _claim_due(self, group: asyncio.TaskGroup) -> float:
        """Claim and start due deliveries while there are free slots; returns the seconds until the next is due."""
        async with self._database.read() as tx:
            now = await self._database.now(tx)
            waiting = await subscriptions.waiting_subscriptions(tx)
        wanted = [
            (subscription, room)
            for subscription, due_at in waiting
            if due_at <= now and (room := self._room(subscription.id))
        ]
        if wanted:
            sendable_until = asyncio.get_running_loop().time() + SENDABLE_S
            async with self._database.begin() as tx:
                found = await self._claim(tx, wanted, sendable_until)
            for job in found:
                job.lane.claimed += 1
                group.create_task(self._send(job))
        later = [(due_at - now).total_seconds() for _, due_at in waiting if due_at > now]
        return min([IDLE_S, *later])

    async def _claim(self, tx: Tx, wanted: Sequence[tuple[Subscription, int]], sendable_until: float) -> list[_Job]:
        now = await self._database.now(tx)
        until = now + timedelta(seconds=LEASE_S)
        taken = [
            (subscription, await deliveries.claim(tx, subscription.id, now, until, room))
            for subscription, room in wanted
        ]
        stored = await events.events_at(tx, {c.event_seq for _, claims in taken for c in claims})
        return [
            _Job(subscription, c, stored[c.event_seq], self._lane(subscription.id), sendable_until)
            for subscription, claims in taken
            for c in claims
        ]

    def _lane(self, subscription_id: str) -> _Lane:
        if subscription_id not in self._lanes:
            self._lanes[subscription_id] = _Lane(asyncio.Semaphore(self._pace.per_endpoint))
        return self._lanes[subscription_id]

    def _room(self, subscription_id: str) -> int:
        lane = self._lane(subscription_id)
        limit = 1 if lane.slow else AHEAD * self._pace.per_endpoint
        return limit - lane.claimed if lane.claimed <= limit // 2 else 0

    async def _send(self, job: _Job) -> None:
        lane = job.lane
        answer = None
        async with lane.slots, self._slots:
            late = asyncio.get_running_loop().time() > job.sendable_until
            if not (self._stopping or late or (lane.slow and lane.sending)):
                lane.sending += 1
                answer = await self._attempt(job)
                lane.sending -= 1
                step = self._step(job, answer)
                lane.slow = step.slow_down
                metrics.delivery_attempts.labels(step.state).inc()
        self._ended.append((job, answer))
        self._to_record.set()

    async def _attempt(self, job: _Job) -> EndpointResponse:
        try:
            return await self._post(job.subscription.url, job.subscription.secrets, job.event.event_id, job.event.body)
        except Exception as error:  # an error caused by an endpoint affects its own delivery only
            self._log.error("attempt_failed", subscription=job.subscription.id, id=job.event.event_id, exc_info=error)
            return EndpointResponse(None, f"the attempt failed on our side ({type(error).__name__})")

    def _step(self, job: _Job, answer: EndpointResponse) -> NextAttempt:
        return next_attempt(answer, job.claimed.attempts + 1, self._fraction(), self._pace.schedule_s)

    async def _record_forever(self) -> None:
        while True:
            await self._to_record.wait(IDLE_S)
            while self._ended:
                ended, self._ended = self._ended, []
                await until_back(partial(self._record, ended), service="delivery", task="record")
                for job, _ in ended:
                    job.lane.claimed -= 1
                self._wake.set()
                self._idle.set()

    async def _record(self, ended: Sequence[tuple[_Job, EndpointResponse | None]]) -> None:
        async with self._database.begin() as tx:
            await self._save(tx, ended)

    async def _save(self, tx: Tx, ended: Sequence[tuple[_Job, EndpointResponse | None]]) -> None:
        now = await self._database.now(tx)
        held = await deliveries.held(tx, [job.claimed for job, answer in ended if answer is not None])
        outcomes = self._outcomes(ended, held, now)
        await deliveries.save_reports(tx, outcomes.reports)
        await deliveries.give_back(tx, outcomes.unsent, now)
        since = await subscriptions.save_health(tx, outcomes.well, outcomes.failing - outcomes.well, now)
        gone = {**_worn_out(since, now), **outcomes.gone}
        if gone:
            await subscriptions.disable_subscriptions(tx, gone, now)
            for subscription_id, reason in gone.items():
                self._log.warning("subscription_disabled", subscription=subscription_id, reason=reason)

    def _outcomes(
        self, ended: Sequence[tuple[_Job, EndpointResponse | None]], held: Set[Claimed], now: datetime
    ) -> _Outcomes:
        outcomes = _Outcomes()
        for job, answer in ended:
            if answer is None:
                outcomes.unsent.append(job.claimed)
                continue
            if job.claimed not in held:
                continue
            step = self._step(job, answer)
            outcomes.reports.append(_report(job.claimed, answer, step, now))
            (outcomes.well if step.state == "delivered" else outcomes.failing).add(job.subscription.id)
            if step.disable:
                outcomes.gone[job.subscription.id] = step.why
        return outcomes


def _report(claimed: Claimed, answer: EndpointResponse, step: NextAttempt, now: datetime) -> Report:
    due_at = None if step.wait_s is None else now + timedelta(seconds=step.wait_s)
    return Report(
        claimed=claimed,
        state=step.state,
        attempts=claimed.attempts + 1,
        due_at=due_at,
        ended_at=now if due_at is None else None,
        last_status=answer.status,
        last_error=None if step.state == "delivered" else step.why,
    )


def _worn_out(failing_since: Mapping[str, datetime], now: datetime) -> dict[str, str]:
    reason = f"it took nothing for {GIVE_UP_AFTER.days} days"
    return {who: reason for who, since in failing_since.items() if now - since > GIVE_UP_AFTER}
