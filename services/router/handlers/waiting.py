"""Leads that wait for somebody get one as soon as somebody can: the longest waiting first, by the rules in force.

They are tried whenever a lead ends or moves, before new inquiries are judged, and when time alone makes somebody
available: hours begin, leave or a hold ends, a new day begins. Leads whose owner left the team are handed on likewise.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime, timedelta

from services.router.domain.availability import free_at
from services.router.domain.desk import Desk
from services.router.domain.handover import hand_on, ruling
from services.router.domain.lead import Lead
from services.router.domain.proof import Ask
from services.router.handlers.sitting import Sitting, Sittings
from services.router.store import leads as store
from shared.db.engine import Tx
from shared.domain.agreement import Agreement, Pool
from shared.ports import Clock
from shared.runtime.outage import until_back
from shared.runtime.service import Signal

PAGE = 200
MOST = 1000
"""So many waiting leads of a pool are looked at in one transaction, so that it stays short."""

LONGEST_WAIT_S = 60.0


class Waiting:
    """The task that watches the clock for leads that wait. What it plans by is in memory; what it does is decided in a
    sitting, at least once a minute, since another process may have parked leads meanwhile.
    """

    def __init__(self, sittings: Sittings, clock: Clock, wake: Signal, done: Signal) -> None:
        self._sittings = sittings
        self._clock = clock
        self._wake = wake
        self._done = done
        self._agreement = ""

    async def run(self) -> None:
        """Until cancelled; an outage of the database is waited out."""
        while True:
            if not await until_back(self._settle, service="router", task="waiting"):
                await self._until_due()

    async def _until_due(self) -> None:
        latest = self._clock.now() + timedelta(seconds=LONGEST_WAIT_S)
        while (left := (self._due_at(latest) - self._clock.now()).total_seconds()) > 0:
            await self._wake.wait(left)

    def _due_at(self, latest: datetime) -> datetime:
        desk, now = self._sittings.desk, self._clock.now()
        agreement = self._sittings.agreement_at(now)
        if agreement.hash != self._agreement:
            return now
        # While somebody sits at the desk there is none to look at; their commit wakes us.
        chance = next_chance(agreement, desk, now) if desk is not None else None
        return min(chance or latest, latest)

    async def _settle(self) -> bool:
        """Whether there may be more to do at once, because one transaction takes only so many."""
        async with self._sittings.database.begin() as tx, self._sittings.open(tx) as sitting:
            if sitting.agreement.hash != self._agreement:
                await hand_on_of_those_who_left(tx, sitting)
            await drain(tx, sitting)
            if sitting.decided:
                sitting.note("tick", None)
        if sitting.decided:
            self._done.set()
            return True
        self._agreement = sitting.agreement.hash
        return False


async def drain(tx: Tx, sitting: Sitting) -> None:
    """Give waiting leads to those who can have them."""
    for pool in list(pools_with_hope(sitting.agreement, sitting.desk, sitting.now)):
        await _drain_pool(tx, sitting, pool)


def pools_with_hope(agreement: Agreement, desk: Desk, now: datetime) -> Iterator[str]:
    """Pools for which leads wait and in which somebody can have one; also pools that are no longer in the agreement,
    whose leads find another way.
    """
    every = agreement.deciding
    for name, waiting in desk.waiting.items():
        if waiting > 0:
            known = [(each, each.pools[name]) for each in every if name in each.pools]
            if not known or any(desk.candidates(each, pool, {}, now).available for each, pool in known):
                yield name


def next_chance(agreement: Agreement, desk: Desk, now: datetime) -> datetime | None:
    """When time alone will next make somebody available for a pool in which leads wait; None when it won't."""
    chances = [
        chance
        for each in agreement.deciding
        for name, waiting in desk.waiting.items()
        if waiting > 0 and name in each.pools
        for chance in _chances(each, each.pools[name], desk, now)
    ]
    return min((chance for chance in chances if chance > now), default=None)


def _chances(agreement: Agreement, pool: Pool, desk: Desk, now: datetime) -> Iterator[datetime]:
    for rep in pool.members:
        chance = free_at(agreement.people[rep], desk.state(rep), pool, now)
        if chance is not None:
            yield chance


async def _drain_pool(tx: Tx, sitting: Sitting, pool: str) -> None:
    """In the order of their waiting. A rule for whose leads nobody is there does not hold up those of others."""
    stuck: set[Fate] = set()
    async for page in _waiting_for(tx, sitting.desk, pool):
        inquiries = await sitting.inquiries_of(tx, page)
        for lead in page:
            fate = fate_of(sitting.agreement, lead)
            if fate is not None and fate in stuck:
                continue
            inquiry = inquiries[lead.lead_id]
            verdict = hand_on(sitting.agreement, Ask("drained"), lead, inquiry, sitting.desk, sitting.now)
            if verdict is not None:
                sitting.add(verdict)
            elif fate is not None:
                stuck.add(fate)


async def _waiting_for(tx: Tx, desk: Desk, pool: str) -> AsyncIterator[list[Lead]]:
    """A bounded number of leads that wait for the pool, a page at a time: those that are kept, then those that have
    come to wait in this very transaction.
    """
    new = sorted(lead.lead_id for lead in desk.changed.values() if lead.state == "parked" and lead.pool == pool)
    after, seen = None, 0
    while seen < MOST and desk.waiting.get(pool, 0) > 0:
        page = await store.parked(tx, pool, after, PAGE)
        if not page:
            break
        seen += len(page)
        after = (page[-1].parked_at, page[-1].lead_id)
        desk.know(lead for lead in page if lead.lead_id not in desk.leads)
        yield _still_waiting(desk, pool, [lead.lead_id for lead in page if lead.lead_id not in new])
    yield _still_waiting(desk, pool, new)


def _still_waiting(desk: Desk, pool: str, ids: Iterable[str]) -> list[Lead]:
    found = [desk.leads[lead_id] for lead_id in ids]
    return [lead for lead in found if lead.state == "parked" and lead.pool == pool]


Fate = tuple[str | None, str | None]


def fate_of(agreement: Agreement, lead: Lead) -> Fate | None:
    """What a waiting lead shares with those that will find nobody when it finds nobody: pilot and rule. None when that
    differs from lead to lead: by what the lead says, by who had it before, or since another version routed it.
    """
    under = ruling(agreement, lead)
    if lead.agreement.hash != under.hash or lead.last_rep is not None:
        return None
    if any(each.field is not None for route in under.routing if route.name == lead.rule for each in route.only):
        return None
    return lead.pilot, lead.rule


async def hand_on_of_those_who_left(tx: Tx, sitting: Sitting) -> None:
    """Hand on the leads of reps who are no longer in the team, a bounded number at a time."""
    gone = those_who_left(sitting.agreement, sitting.desk)
    if not gone:
        return
    for lead in await store.held_by(tx, gone, MOST):
        sitting.desk.know([lead])
        inquiries = await sitting.inquiries_of(tx, [lead])
        verdict = hand_on(sitting.agreement, Ask("left"), lead, inquiries[lead.lead_id], sitting.desk, sitting.now)
        if verdict is not None:
            sitting.add(verdict)


def those_who_left(agreement: Agreement, desk: Desk) -> list[str]:
    """Reps who hold leads and are in no team any more, neither of the agreement nor of a pilot."""
    team = {person.id for each in agreement.with_drafts for person in each.people.values() if person.active}
    return [rep for rep, state in desk.reps.items() if state.open > 0 and rep not in team]
