"""Sends notices: one message at a time to each recipient, through their channels in order until one takes it.

What ends while a message waits is not sent any more. What ends while it is being sent is followed up.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.delivery.domain import context
from services.delivery.domain.action_links import LinkMaker
from services.delivery.domain.channel_choice import PAGING
from services.delivery.domain.context import LeadContext
from services.delivery.domain.due_notices import UNREADABLE, DueNotice, Told
from services.delivery.domain.notice import Notice, grouped
from services.delivery.domain.notice_announcements import delivered, failed
from services.delivery.domain.notice_changes import follow_ups_of_late
from services.delivery.domain.notice_retry import CHANNEL_TIME, Schedules, next_step
from services.delivery.domain.outcome import Outcome
from services.delivery.domain.said import Said
from services.delivery.domain.sending_channel import SendingChannel
from services.delivery.store import messages, notices
from services.delivery.store.announcing import announce
from services.delivery.store.inquiries import said_by
from services.delivery.store.leads import contexts_of
from services.delivery.store.messages import Content, Message
from services.delivery.store.notices import Grouping
from services.delivery.workers.dispatcher import Waiting
from shared import log, metrics
from shared.agreement_text import terms
from shared.agreements import store as agreements
from shared.db.engine import Tx
from shared.domain.agreement import Agreement
from shared.domain.errors import Misconfigured, NotFound

Send = Callable[[Notice, str, dict[str, str]], Awaitable[Outcome]]
"""Sends (notice, kind of channel, its settings) and returns how that ended."""

LATE = "late"
_LATE_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class NoticeJob:
    """A claimed message with what it says; None if it can't be sent, for the reason `why_not`."""

    message: Message
    notice: Notice | None
    recipient: tuple[str, str | None] = ("", None)
    why_not: str = "there is nothing left to say"


@dataclass(frozen=True, slots=True)
class _Look:
    """What messages are made from: agreements by their hash, and what is known of leads and said by their buyers."""

    agreements: Mapping[str, Agreement | None]
    known: Mapping[str, LeadContext]
    said: Mapping[str, Said]


class NoticeWork:
    """The work of a dispatcher for notices. `fraction` in [0, 1) adds jitter. `links` makes the links of messages."""

    task = "notify"

    def __init__(
        self,
        *,
        send: Send,
        grouping: Grouping,
        schedules: Schedules,
        fraction: Callable[[], float],
        links: LinkMaker | None = None,
    ) -> None:
        self._send = send
        self._links = links
        self._grouping = grouping
        self._schedules = schedules
        self._fraction = fraction
        self._troubled: set[str] = set()
        self._log = log.get("delivery")

    async def waiting(self, tx: Tx) -> Sequence[Waiting[str]]:
        """The endpoints that have messages, and a lane for those that wait too long for an endpoint in trouble."""
        found = [Waiting(lane, due_at, lane) for lane, due_at in await messages.waiting_lanes(tx)]
        late_at = await messages.first_late(tx, self._troubled)
        return found if late_at is None else [Waiting(LATE, late_at, LATE), *found]

    async def claim(
        self, tx: Tx, rooms: Sequence[tuple[Waiting[str], int]], now: datetime, until: datetime
    ) -> Sequence[tuple[str, NoticeJob]]:
        """Claim due messages with what they say."""
        await notices.lock(tx)
        claimed: list[tuple[str, Message]] = []
        for waiting, room in rooms:
            if waiting.lane == LATE:
                found = await messages.claim_late(tx, self._troubled, now, until, _LATE_AT_ONCE)
            else:
                found = await messages.claim(tx, waiting.lane, now, until, room)
            claimed += [(waiting.lane, message) for message in found]
        about, dropped = await messages.contents(tx, [message.message_id for _, message in claimed], now)
        metrics.notices.labels("dropped").inc(len(dropped))
        await self._end_at_pagers(tx, [message for _, message in claimed], dropped, about, now)
        shown = {each.lead_id for content in about.values() for each in content.first}
        known, said = await contexts_of(tx, shown), await said_by(tx, shown)
        agreed = {each.agreement for content in about.values() for each in content.first}
        look = _Look({digest: await self._agreement(tx, digest) for digest in agreed}, known, said)
        return [(lane, self._job(message, about.get(message.message_id), look)) for lane, message in claimed]

    async def attempt(self, job: NoticeJob) -> Outcome:
        """Send the message once."""
        if job.notice is None:
            return Outcome("failed", job.why_not)
        if self._leaves(job.message):
            return Outcome("failed", f"the channel did not take it within {CHANNEL_TIME.seconds // 60} minutes")
        try:
            return await self._send(job.notice, job.message.channel.kind, job.message.channel.settings)
        except Exception as error:  # an error caused by an endpoint affects its own message only
            self._log.error("notice_failed", message=job.message.message_id, exc_info=error)
            return Outcome("retry", f"the attempt failed on our side ({type(error).__name__})")

    def slows_down(self, job: NoticeJob, answer: Outcome) -> bool:
        """Whether the endpoint is in trouble."""
        if job.notice is None or self._leaves(job.message):
            return False
        metrics.notice_attempts.labels(job.message.channel.kind, answer.state).inc()
        (self._troubled.add if answer.state == "retry" else self._troubled.discard)(job.message.lane)
        return answer.state == "retry"

    async def record(self, tx: Tx, ended: Sequence[tuple[NoticeJob, Outcome | None]], now: datetime) -> None:
        """Record what was told, what is tried again, and what failed; announce and follow up."""
        await notices.lock(tx)
        await messages.give_back(tx, [job.message for job, answer in ended if answer is None], now)
        made = {job.message.message_id: (job, answer) for job, answer in ended if answer is not None}
        held = await messages.held(tx, [job.message for job, _ in made.values()])
        about = await messages.due_notices(tx, [message.message_id for message in held])
        for message in held:
            job, answer = made[message.message_id]
            await self._record(tx, job, answer, about.get(message.message_id, []), now)

    def _job(self, message: Message, content: Content | None, look: _Look) -> NoticeJob:
        if content is None:
            return NoticeJob(message, None)
        first = content.first[0]
        agreement = look.agreements[first.agreement]
        if agreement is None:
            return NoticeJob(message, None, (first.role, first.person), UNREADABLE)
        made = [
            context.notice(
                each, agreement, look.known.get(each.lead_id), look.said.get(each.lead_id),
                incident_id=message.incident_id, links=self._links,
            )
            for each in content.first
        ]  # fmt: skip
        if content.count > 1:
            said = grouped(
                made, content.count, notice_id=message.message_id, incident_id=message.incident_id,
                several=content.several,
            )  # fmt: skip
        elif message.shared:  # the others are over; who has taken it before must know it again
            said = replace(made[0], notice_id=message.message_id)
        else:
            said = made[0]
        return NoticeJob(message, replace(said, not_taken_by=_not_taken_by(message)), (first.role, first.person))

    async def _agreement(self, tx: Tx, digest: str) -> Agreement | None:
        """The agreement; None if this release can't read it."""
        try:
            return await agreements.by_hash(tx, digest)
        except (NotFound, Misconfigured) as unreadable:
            self._log.error("notice_failed", agreement=digest, reason=unreadable.detail)
            return None

    def _leaves(self, message: Message) -> bool:
        return message.late and (message.attempts > 0 or message.lane in self._troubled)

    async def _record(self, tx: Tx, job: NoticeJob, answer: Outcome, due: Sequence[DueNotice], now: datetime) -> None:
        message, attempts = job.message, job.message.attempts + 1
        if not due:
            await messages.end(tx, message.message_id)
            return
        schedule_s = self._schedules.last_s if message.next_channel is None else self._schedules.each_s
        if answer.unsure and message.channel.kind in PAGING:
            await messages.note_unsure(tx, message)
            message = replace(message, unsure=(*message.unsure, message.channel_number))
        step = next_step(answer, attempts, self._fraction(), schedule_s)
        if step.action == "retry":
            await messages.try_again(tx, message, answer.why, now + timedelta(seconds=step.wait_s))
        elif step.action == "told":
            await self._told(tx, message, due, attempts, now)
        else:
            await _gave_up(tx, job, due, attempts, answer.why, now)
            if message.next_channel is None:
                await self._follow_up(tx, message, due, _pagers(message), now)

    async def _told(self, tx: Tx, message: Message, due: Sequence[DueNotice], attempts: int, now: datetime) -> None:
        channel = message.channel
        await messages.end_notices(tx, message, "told", attempts, None, now)
        await messages.end(tx, message.message_id)
        metrics.notices.labels("told").inc(len(due))
        await announce(tx, [delivered(each, channel.kind, attempts, now) for each in due])
        await self._follow_up(
            tx, message, due, [(channel, False), *(way for way in _pagers(message) if way[0] != channel)], now
        )

    async def _end_at_pagers(
        self,
        tx: Tx,
        claimed: Sequence[Message],
        dropped: Sequence[DueNotice],
        about: Mapping[str, Content],
        now: datetime,
    ) -> None:
        """End what pagers may have taken of messages that are not sent any more."""
        over: dict[str, list[DueNotice]] = {}
        for each in dropped:
            over.setdefault(each.message_id or "", []).append(each)
        for message in claimed:
            if message.unsure and message.message_id not in about:
                await self._follow_up(tx, message, over.get(message.message_id, []), _pagers(message), now)

    async def _follow_up(
        self,
        tx: Tx,
        message: Message,
        ended: Sequence[DueNotice],
        ways: Sequence[tuple[SendingChannel, bool]],
        now: datetime,
    ) -> None:
        """Tell those channels of what was over while the message was being sent."""
        told = [Told(each, way, message.incident_id, message.shared, unsure) for each in ended for way, unsure in ways]
        await notices.add_notices(tx, list(follow_ups_of_late(told, now)), now, self._grouping)


def _not_taken_by(message: Message) -> tuple[str, ...]:
    """The channels that were tried before this one and certainly did not take the message."""
    tried = enumerate(message.channels[: message.channel_number])
    return tuple(terms.channel(each.kind) for number, each in tried if number not in message.unsure)


def _pagers(message: Message) -> list[tuple[SendingChannel, bool]]:
    """The pagers that may have taken the message without saying so."""
    return [(message.channels[number], True) for number in message.unsure]


async def _gave_up(tx: Tx, job: NoticeJob, due: Sequence[DueNotice], attempts: int, why: str, now: datetime) -> None:
    """The channel did not take it: it goes on through the next one, or has failed."""
    message, following = job.message, job.message.next_channel
    if following is not None:
        await messages.move_on(tx, message, following.lane(*job.recipient), now)
    else:
        await messages.end_notices(tx, message, "failed", attempts, why, now)
        await messages.end(tx, message.message_id)
        metrics.notices.labels("failed").inc(len(due))
    next_kind = following.kind if following is not None else None
    number, kind = message.channel_number, message.channel.kind
    await announce(tx, [failed(each, number, kind, attempts, why, next_kind, now) for each in due])
