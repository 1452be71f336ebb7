"""Sends events to subscriptions: one lane for each, and what follows an attempt by the schedule of webhooks."""

from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.delivery.domain.retry import EndpointResponse, NextAttempt, next_attempt
from services.delivery.store import deliveries, events, subscriptions
from services.delivery.store.deliveries import Claimed, Report
from services.delivery.store.events import StoredEvent
from services.delivery.store.subscriptions import Subscription
from services.delivery.workers.dispatcher import Waiting
from shared import log, metrics
from shared.db.engine import Tx

Post = Callable[[str, Sequence[str], str, bytes], Awaitable[EndpointResponse]]
"""Sends (url, secrets, event id, body) and returns the outcome."""

GIVE_UP_AFTER = timedelta(days=5)


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed delivery with what is sent."""

    subscription: Subscription
    claimed: Claimed
    event: StoredEvent


@dataclass(slots=True)
class _Outcomes:
    """What one transaction records."""

    reports: list[Report] = field(default_factory=list)
    unsent: list[Claimed] = field(default_factory=list)
    well: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    gone: dict[str, str] = field(default_factory=dict)


class WebhookWork:
    """The work of a dispatcher for webhooks. `schedule_s` are the waits between attempts in seconds; `fraction` in
    [0, 1) adds jitter.
    """

    task = "send"

    def __init__(self, *, post: Post, schedule_s: Sequence[float], fraction: Callable[[], float]) -> None:
        self._post = post
        self._schedule_s = schedule_s
        self._fraction = fraction
        self._log = log.get("delivery")

    async def waiting(self, tx: Tx) -> Sequence[Waiting[Subscription]]:
        """The active subscriptions that have something pending."""
        found = await subscriptions.waiting_subscriptions(tx)
        return [Waiting(subscription.id, due_at, subscription) for subscription, due_at in found]

    async def claim(
        self, tx: Tx, rooms: Sequence[tuple[Waiting[Subscription], int]], now: datetime, until: datetime
    ) -> Sequence[tuple[str, Job]]:
        """Claim due deliveries, longest due first, with the events that are sent."""
        taken = [(waiting.of, await deliveries.claim(tx, waiting.of.id, now, until, room)) for waiting, room in rooms]
        stored = await events.events_at(tx, {c.event_seq for _, claims in taken for c in claims})
        return [
            (subscription.id, Job(subscription, c, stored[c.event_seq]))
            for subscription, claims in taken
            for c in claims
        ]

    async def attempt(self, job: Job) -> EndpointResponse:
        """Post the event once."""
        try:
            return await self._post(job.subscription.url, job.subscription.secrets, job.event.event_id, job.event.body)
        except Exception as error:  # an error caused by an endpoint affects its own delivery only
            self._log.error("attempt_failed", subscription=job.subscription.id, id=job.event.event_id, exc_info=error)
            return EndpointResponse(None, f"the attempt failed on our side ({type(error).__name__})")

    def slows_down(self, job: Job, answer: EndpointResponse) -> bool:
        """Whether the endpoint is overloaded."""
        step = self._step(job, answer)
        metrics.delivery_attempts.labels(step.state).inc()
        return step.slow_down

    async def record(self, tx: Tx, ended: Sequence[tuple[Job, EndpointResponse | None]], now: datetime) -> None:
        """Record outcomes, and disable subscriptions that are gone or have taken nothing for days."""
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

    def _step(self, job: Job, answer: EndpointResponse) -> NextAttempt:
        return next_attempt(answer, job.claimed.attempts + 1, self._fraction(), self._schedule_s)

    def _outcomes(
        self, ended: Sequence[tuple[Job, EndpointResponse | None]], held: Set[Claimed], now: datetime
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
