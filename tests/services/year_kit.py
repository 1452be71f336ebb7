"""A company and its year in virtual time: the router, the monitor and the scoreboard at work on one database, without a
log, a socket or a wait. The clock goes from each instant at which something is due to the next.
"""

import heapq
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from services.router.domain.availability import Leave
from services.router.handlers.commands import Commands
from services.router.handlers.events import RouterHandlers
from services.router.handlers.parked import ParkedTimer
from services.router.handlers.transaction import RoutingTransactions
from services.router.store.tables import tables as router_tables
from services.scoreboard import handlers as scoreboard
from services.sla_monitor.domain.period_windows import NO_PARTITION
from services.sla_monitor.domain.skew import Probes
from services.sla_monitor.handlers import MonitorHandlers
from services.sla_monitor.store.tables import tables as monitor_tables
from services.sla_monitor.store.tables import windows as monitor_windows
from services.sla_monitor.workers.periods import Periods
from services.sla_monitor.workers.timer import Timer
from shared import agreement_file
from shared.agreements import store as agreements
from shared.bus.envelope import Envelope, Received, decode, encode
from shared.db import outbox
from shared.db.engine import Database
from shared.db.tables import RuntimeTables
from shared.domain.agreement_versions import Schedule
from shared.domain.events import (
    ACTIVITIES,
    ASSIGNMENTS,
    ESCALATIONS,
    INQUIRIES,
    ActivityRecorded,
    Event,
    InquiryReceived,
    LeadAssigned,
    WatermarkAdvanced,
)
from shared.domain.ids import event_id
from shared.domain.lead import Company, Consent, Contact
from shared.ports import Bus, Message, Record
from shared.runtime.wakeup import WakeUp
from tests.kit.clocks import ManualClock
from tests.services.year_agreement import AGREEMENT, FIRST, SECOND

BRUSSELS = ZoneInfo("Europe/Brussels")
TOLERANCE = timedelta(seconds=2)
FAR = timedelta(days=30)
READ_WITHIN = timedelta(hours=1)
"""How long a report may take to be read, if nothing else is due. A verdict may be late; it is never wrong."""
BY_WEEKDAY = (1.3, 1.2, 1.1, 1.0, 0.8, 0.3, 0.2)
BY_MONTH = (0.9, 1.0, 1.2, 1.1, 1.0, 0.9, 0.5, 0.5, 1.2, 1.4, 1.3, 0.8)
BY_HOUR = (1, 1, 0, 0, 0, 0, 1, 3, 6, 9, 10, 9, 6, 7, 9, 9, 8, 6, 5, 4, 4, 3, 2, 1)


@dataclass
class Year:
    """How the year went: what happened by kind, as `Counter`s of events and activities."""

    seed: int
    leads: int = 0
    late: int = 0
    leaves: int = 0
    steps: int = 0
    events: Counter[str] = field(default_factory=Counter)
    activities: Counter[str] = field(default_factory=Counter)


class Acme:
    """The services of a company, and what people do there. `per_day` is how many leads come in on a usual day."""

    def __init__(self, database: Database, bus: Bus, clock: ManualClock, *, seed: int, per_day: float) -> None:
        self.year = Year(seed)
        self._rng = random.Random(seed)
        self._database, self._bus, self._clock, self._per_day = database, bus, clock, per_day
        texts = [
            AGREEMENT.format(**FIRST, volume=round(per_day * 14), per="month"),
            AGREEMENT.format(**SECOND, volume=max(round(per_day * 3), 1), per="week"),
        ]
        self._versions = [agreement_file.parse(text, "company.yaml").agreement for text in texts]
        schedule = Schedule([(each.effective_from, each) for each in self._versions])
        self._transactions = RoutingTransactions(database, lambda now: schedule.at(now) or self._versions[0])
        self._router = RouterHandlers(self._transactions)
        self._commands = Commands(self._transactions, (WakeUp(), WakeUp()))
        self._parked = ParkedTimer(self._transactions, clock, WakeUp(), WakeUp())
        self._periods = Periods(database=database, bus=bus, tolerance=TOLERANCE, announced=WakeUp())
        self._monitor = MonitorHandlers(database, bus, TOLERANCE, Probes(), counts=self._periods.promised)
        wakes = {name: WakeUp() for name in ("wake", "advanced", "announced")}
        self._timer = Timer(database, bus, tolerance=TOLERANCE, **wakes)
        self._unread: dict[str, list[Received]] = {INQUIRIES: [], ACTIVITIES: [], ASSIGNMENTS: [], ESCALATIONS: []}
        self._plans: list[tuple[datetime, int, Callable[[], Awaitable[None]]]] = []
        self._reported: list[tuple[datetime, int, ActivityRecorded]] = []
        self._number = 0
        self._marked_at = clock.at

    async def live(self, first: date, last: date) -> Year:
        """Let the days pass, and some more until everything has a verdict."""
        await self._begin()
        for at in self._arrivals(first, last):
            self._plan(at, self._someone_asks)
        for at, rep, leave in self._leaves(first, last):
            self._plan(at, lambda rep=rep, leave=leave: self._goes_on_leave(rep, leave))  # type: ignore[misc]
        end = datetime.combine(last + timedelta(days=45), datetime.min.time(), BRUSSELS).astimezone(UTC)
        while (at := min(await self._next_due(), end)) < end:
            await self._step(at)
        await self._step(end)
        await self._scoreboard_reads()
        return self.year

    async def _begin(self) -> None:
        async with self._database.begin() as tx:
            for version in self._versions:
                await agreements.save(tx, version, self._clock.at)
            await agreements.activate(tx, self._versions[0].hash, self._clock.at)
        await self._periods.look()

    def _plan(self, at: datetime, what: Callable[[], Awaitable[None]]) -> None:
        self._number += 1
        heapq.heappush(self._plans, (at.astimezone(UTC), self._number, what))

    # What happens when

    def _arrivals(self, first: date, last: date) -> Iterator[datetime]:
        """More leads on Mondays than on Sundays, in autumn than in summer, and in the morning than at night."""
        for number in range((last - first).days + 1):
            day = first + timedelta(days=number)
            expected = self._per_day * BY_WEEKDAY[day.weekday()] * BY_MONTH[day.month - 1]
            for _ in range(int(expected + self._rng.random())):
                [hour] = self._rng.choices(range(24), BY_HOUR)
                seconds = timedelta(seconds=self._rng.randrange(3600))
                yield datetime(day.year, day.month, day.day, hour, tzinfo=BRUSSELS).astimezone(UTC) + seconds

    def _leaves(self, first: date, last: date) -> Iterator[tuple[datetime, str, Leave]]:
        """Two weeks in summer, the days around Christmas, and some days in between, some of them on short notice."""
        for rep in ("ann", "bob", "cleo", "dirk", "eve"):
            summer = date(first.year, 7, 5) + timedelta(days=self._rng.randrange(40))
            days = [(summer, 14), (date(first.year, 12, self._rng.randrange(20, 28)), 6)]
            days += [
                (first + timedelta(days=self._rng.randrange(10, 355)), self._rng.choice((1, 1, 2, 5))) for _ in "12345"
            ]
            for begins, length in days:
                if first < begins <= last:
                    noon = datetime.combine(begins, datetime.min.time(), BRUSSELS)
                    before = timedelta(days=self._rng.choice((1, 20, 60)), hours=self._rng.choice((-9, 3)))
                    told_at = max(noon - before, datetime.combine(first, datetime.min.time(), BRUSSELS))
                    yield told_at, rep, Leave(begins, begins + timedelta(days=length - 1))

    async def _next_due(self) -> datetime:
        """The next instant at which something is due. What was reported may take `READ_WITHIN` to be read."""
        now = self._clock.at
        of_leads = monitor_windows.c.partition != NO_PARTITION  # periods are looked at after midnight
        query = sa.select(sa.func.min(monitor_windows.c.look_at)).where(of_leads)
        async with self._database.read() as tx:
            look_at = (await tx.execute(query)).scalar_one()
        midnight = datetime.combine(now.astimezone(BRUSSELS).date() + timedelta(days=1), datetime.min.time(), BRUSSELS)
        due = [midnight.astimezone(UTC) + timedelta(minutes=1), self._parked._due_at(now + FAR)]
        due += [look_at] if look_at is not None else []
        due += [_on_grid(self._reported[0][0])] if self._reported else []
        due += [self._plans[0][0]] if self._plans else []
        return max(min(due), now + timedelta(milliseconds=1))

    async def _step(self, at: datetime) -> None:
        passed = at - self._clock.at
        day = self._clock.at.astimezone(BRUSSELS).date()
        self._clock.advance(seconds=passed.total_seconds())
        self._clock.at = at
        self.year.steps += 1
        while self._plans and self._plans[0][0] <= at:
            await heapq.heappop(self._plans)[2]()
        if self._parked._due_at(at + FAR) <= at:
            while await self._parked._settle():
                pass
        await self._read_reports()
        await self._events()
        if at.astimezone(BRUSSELS).date() != day:
            await self._periods.look()
            await self._periods.look()  # once everything up to the first look is known to be read
        while await self._timer.settle_due_windows() == 0.0:
            pass
        await self._events()

    async def _read_reports(self) -> None:
        """What sales reported since the last step, then the watermarks behind it."""
        now, facts = self._clock.at, []
        while self._reported and self._reported[0][0] <= now:
            facts.append(heapq.heappop(self._reported)[2])
        batch = [self._received(each, each.accepted_at) for each in facts]
        self.year.activities.update(each.kind for each in facts)
        mark = WatermarkAdvanced(lead_id="", instance="ingest-1", upto=now, state="running")
        marks = [
            msgspec.structs.replace(
                self._received(mark, now), record=Record(ACTIVITIES, number, self._number, "", b"", {})
            )
            for number in range(self._bus.partitions(ACTIVITIES))
        ]
        if facts:
            async with self._database.begin() as tx:
                await self._router.on_activities(tx, batch)
            self._keep(batch)
        async with self._database.begin() as tx:
            await self._monitor.on_activities(tx, [*batch, *marks])

    async def _events(self) -> None:
        """Hand on what the router and the monitor have decided, until nothing follows."""
        while found := [*await self._announced(router_tables), *await self._announced(monitor_tables)]:
            for topic, handle in (
                (ASSIGNMENTS, self._monitor.on_assignments),
                (ESCALATIONS, self._router.on_escalations),
            ):
                batch = [each for each in found if topic == each.event.TOPIC]
                if batch:
                    async with self._database.begin() as tx:
                        await handle(tx, batch)
            self._keep(found)
            for each in found:
                if isinstance(each.event, LeadAssigned):
                    self._rep_plans(each.event)

    async def _announced(self, tables: RuntimeTables) -> list[Received]:
        async with self._database.read() as tx:
            waiting = await outbox.unpublished(tx, tables, max_rows=1000)
        if waiting:
            async with self._database.begin() as tx:
                await outbox.remove(tx, tables, [each.seq for each in waiting])
        return [self._read(each.message) for each in waiting]

    # What people do

    async def _someone_asks(self) -> None:
        rng, self.year.leads = self._rng, self.year.leads + 1
        again = self.year.leads > 20 and rng.random() < 0.08
        person = rng.randrange(self.year.leads) if again else self.year.leads
        event = InquiryReceived(
            lead_id=f"ld_{person}",
            inquiry_id=f"in_{self.year.leads}",
            source="website",
            kind=rng.choice(("demo_request", "whitepaper", "webinar")),
            accepted_at=self._clock.at,
            contact=Contact(
                email=f"p{person}@p{person}.example",
                phone=f"+32{person:08}" if rng.random() < 0.8 else None,
                country=rng.choice(("BE", "BE", "FR", "US")),
            ),
            company=Company(name=f"Company {person}"),
            consent=Consent(basis="opt_in") if rng.random() < 0.95 else None,
        )
        batch = [self._received(event, event.accepted_at)]
        async with self._database.begin() as tx:
            await self._router.on_inquiries(tx, batch)
        self._keep(batch)

    async def _goes_on_leave(self, rep: str, leave: Leave) -> None:
        self.year.leaves += 1
        known = self._transactions.state
        before = known.state(rep).leave if known is not None else ()
        ended = self._clock.at.date() - timedelta(days=7)
        await self._commands.take_leave(rep, tuple(sorted({*(e for e in before if e.last > ended), leave}, key=_first)))

    def _rep_plans(self, event: LeadAssigned) -> None:
        """What the new owner will do: most call soon and decide in days, some forget, and some reports come late."""
        rng, at, rep = self._rng, self._clock.at, event.rep.id
        if rng.random() < 0.06:
            return
        at = self._report(
            at + self._soon(), event.lead_id, "call", rep, outcome=rng.choice(("connected", "no_answer", None))
        )
        if rng.random() < 0.1:
            at = self._report(at + timedelta(hours=2), event.lead_id, "paused", rep)
            at = self._report(at + timedelta(days=rng.randrange(1, 9)), event.lead_id, "resumed", rep)
        for _ in range(rng.randrange(3)):
            at = self._report(
                at + timedelta(hours=rng.expovariate(1 / 20)), event.lead_id, rng.choice(("call", "email")), rep
            )
        if rng.random() < 0.85:
            kind = rng.choice(("accepted", "accepted", "rejected"))
            reason = "no_budget" if kind == "rejected" else None
            self._report(at + timedelta(hours=rng.expovariate(1 / 30)), event.lead_id, kind, rep, reason=reason)

    def _soon(self) -> timedelta:
        return timedelta(minutes=self._rng.expovariate(1 / self._rng.choice((20, 20, 60, 600))))

    def _report(
        self,
        at: datetime,
        lead_id: str,
        kind: str,
        by: str,
        *,
        outcome: str | None = None,
        reason: str | None = None,
    ) -> datetime:
        """Plan an activity during the day; one call in fifty days after it was made, by a trusted CRM."""
        local = at.astimezone(BRUSSELS)
        if local.weekday() > 4 or not 8 <= local.hour < 22:
            at = (local + timedelta(hours=14)).replace(hour=self._rng.randrange(9, 18)).astimezone(UTC)
        self._number += 1
        event = ActivityRecorded(
            lead_id=lead_id,
            activity_id=f"ac_{self._number}",
            kind=kind,
            accepted_at=at,
            by=by,
            outcome=outcome,
            reason=reason,
        )
        if kind in ("call", "email") and self._rng.random() < 0.03:
            self.year.late += 1
            reported_at = at + timedelta(days=self._rng.uniform(0.1, 6))
            event = msgspec.structs.replace(event, happened_at=at, accepted_at=reported_at)
        heapq.heappush(self._reported, (event.accepted_at, self._number, event))
        return at

    # Events on their way

    def _received(self, event: Event, at: datetime) -> Received:
        key = event.inquiry_id if isinstance(event, InquiryReceived) else msgspec.json.encode(event)
        return self._read(encode(Envelope(event_id(key), "baton/ingest", at, event)))

    def _read(self, message: Message) -> Received:
        self._number += 1
        partition = self._bus.partition_of(message.topic, message.key)
        return decode(Record(message.topic, partition, self._number, message.key, message.value, dict(message.headers)))

    def _keep(self, batch: list[Received]) -> None:
        for each in batch:
            self.year.events[type(each.event).__name__] += 1
            self._unread[each.event.TOPIC].append(each)

    async def _scoreboard_reads(self) -> None:
        reads = {
            INQUIRIES: scoreboard.on_inquiries,
            ACTIVITIES: scoreboard.on_activities,
            ASSIGNMENTS: scoreboard.on_assignments,
            ESCALATIONS: scoreboard.on_escalations,
        }
        for topic, batch in self._unread.items():
            for begin in range(0, len(batch), 500):
                async with self._database.begin() as tx:
                    await reads[topic](tx, batch[begin : begin + 500])


def _on_grid(at: datetime) -> datetime:
    return datetime.fromtimestamp(-(-at.timestamp() // READ_WITHIN.total_seconds()) * READ_WITHIN.total_seconds(), UTC)


def _first(leave: Leave) -> date:
    return leave.first
