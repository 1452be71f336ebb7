"""The past as it would have been under an agreement: the record lends inquiries, facts, absences, people's orders and
the clock, and everything else is decided anew, by the rules that the router decides by.

What the router does by itself, because time has passed, has an instant of its own. Where it was about to happen in the
same way then, it happens at the record's instant, late as that may have been; elsewhere as soon as it can.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from services.router.domain.availability import free_at
from services.router.domain.desk import Desk
from services.router.domain.lead import Lead
from services.router.domain.proof import Ask
from services.router.domain.simulation_promises import Move, moves, still_asked
from services.router.handlers.waiting import pools_with_hope
from services.router.simulation.book import Book
from services.router.simulation.deciding import Deciding
from services.router.simulation.keeping import Kept, Owners, Standing
from services.router.simulation.past import Row
from services.router.simulation.recorded import Recorded
from shared.domain.agreement import Agreement
from shared.domain.events import InquiryReceived


class Simulated:
    """One replay. It follows the versions that were in force until `since` (None: from the beginning), and `draft`
    from then on (None: never).
    """

    def __init__(
        self,
        book: Book,
        recorded: Recorded,
        owners: Owners | None,
        inquiries: Kept[InquiryReceived],
        *,
        draft: Agreement | None,
        since: datetime | None,
        tolerance: timedelta,
    ) -> None:
        self.book = book
        self.router = Deciding(book, owners, inquiries, self._watch)
        self._recorded = recorded
        self._draft = draft
        self._since = since
        self._tolerance = tolerance
        self._agreement: Agreement | None = None
        self._now: datetime | None = None
        self._moves: list[tuple[datetime, str, int, str]] = []
        self._leaving = False
        # Somebody may be there for a lead that waits, and the router has not looked since.
        self._untried = False
        self._chance: datetime | None = None
        self._stale = True

    def replay(self, rows: Sequence[Row], candidates: Sequence[str]) -> None:
        """What was recorded at one instant, once time has passed until then. `candidates` are the ids of leads that may
        be those of its inquiries.
        """
        now = rows[0].at
        self._follow_agreement(now)
        if self._agreement is None:
            return
        self._begin(now)
        inquiries = [row.told.inquiry for row in rows if row.told and row.told.inquiry and row.told.ask is None]
        facts = [row.fact for row in rows if row.fact is not None]
        if inquiries:
            self.router.judge(inquiries, candidates)
        if facts:
            self.router.hear(facts)
        if self._carry_out(rows):
            if self._leaving:
                self._leaving = self.router.hand_on_of_those_who_left()
            self.router.drain()
        elif not facts:
            self._untried = True
        self._end()

    def pass_time(self, upto: datetime) -> None:
        """Do what falls due before `upto` by itself: ladders move leads, waiting leads get their chance, the draft
        takes effect.
        """
        if self._draft is not None and self._since is not None and self._since <= upto and self._agreement is not None:
            since, self._since = self._since, None
            self.pass_time(since)
            self._take_effect(self._draft, since)
        while self._agreement is not None and self._now is not None:
            chance = self._next_chance()
            move_at = self._moves[0][0] if self._moves else None
            if move_at is not None and move_at < upto and (chance is None or move_at <= chance):
                self._move_as_due(*heapq.heappop(self._moves))
            elif chance is not None and chance < upto:
                self._try(max(chance, self._now))
            else:
                return

    def _begin(self, now: datetime) -> None:
        self._now = now
        self._untried = False
        self.router.begin(now)

    def _end(self) -> None:
        self._stale |= self.router.end()

    def _watch(self, before: Lead | None, lead: Lead) -> None:
        if lead.state == "assigned" and (before is None or before.generation != lead.generation):
            for move in moves(self.book.agreements[lead.agreement.hash], lead, self._tolerance):
                heapq.heappush(self._moves, (move.at, lead.lead_id, lead.generation, move.promise))

    # Which agreement.

    def _take_effect(self, draft: Agreement, at: datetime) -> None:
        """The draft takes effect, and with it leads of those who are not in its team move on."""
        self._under(draft)
        self._leaving = True
        while self._leaving:
            self._begin(at)
            self._leaving = self.router.hand_on_of_those_who_left()
            self.router.drain()
            self._end()

    def _follow_agreement(self, now: datetime) -> None:
        if self._draft is not None and (self._since is None or self._since <= now):
            self._under(self._draft)
        elif self._recorded.in_force is not None:
            self._under(self._recorded.in_force)

    def _under(self, agreement: Agreement) -> None:
        if self._agreement is not None and self._agreement.hash == agreement.hash:
            return
        self._leaving = self._agreement is not None
        self._agreement = agreement
        self.router.under(agreement)
        self._stale = True
        for each in agreement.with_drafts:
            self.book.agreements[each.hash] = each

    # What comes from the record.

    def _carry_out(self, rows: Sequence[Row]) -> bool:
        """What people ordered and ladders asked for; whether the router then looked at those who wait."""
        tries = False
        for row in rows:
            ask = row.told.ask if row.told is not None else None
            if row.absence is not None:
                tries |= self.router.note_absence(row.absence.rep, row.absence.hold, row.absence.leave)
            elif ask is not None and ask.kind == "manual":
                self.router.obey(str(row.lead_id), ask)
                tries = True
            elif ask is not None and ask.kind == "missed":
                self._move_as_recorded(str(row.lead_id))
            tries |= row.tick or (ask is not None and ask.kind == "left")
        return tries

    def _move_as_recorded(self, lead_id: str) -> None:
        """A ladder moved the lead then; it moves it now if it stood the same and was to be moved at the same time."""
        known, then = self.book.leads.get(lead_id), self._recorded.book.leads.get(lead_id)
        if known is not None and then is not None and known.lead.state == "assigned" and self._alike(known, then):
            lead = self.router.known(lead_id)
            if lead is not None:
                self.router.hand_on(lead, Ask("missed"))

    # What falls due by itself.

    def _move_as_due(self, at: datetime, lead_id: str, generation: int, promise: str) -> None:
        known, then = self.book.leads.get(lead_id), self._recorded.book.leads.get(lead_id)
        if known is None or known.lead.state != "assigned" or known.lead.generation != generation:
            return
        agreement = self.book.agreements[known.lead.agreement.hash]
        if not still_asked(agreement, known.lead, known.facts, Move(at, promise), self._tolerance):
            return
        if then is not None and self._alike(known, then):
            return
        self._begin(max(at, self._now or at))
        lead = self.router.known(lead_id)
        if lead is not None:
            self.router.hand_on(lead, Ask("missed"))
        self._untried = True
        self._end()

    def _alike(self, known: Standing, then: Standing) -> bool:
        """Whether the lead had the same owner then since the same instant, and was to be moved at the same ones."""
        one, other = known.lead, then.lead
        if other.state != "assigned" or (one.rep, one.assigned_at) != (other.rep, other.assigned_at):
            return False
        if (one.agreement.hash, one.score) == (other.agreement.hash, other.score):
            return True
        ours = moves(self.book.agreements[one.agreement.hash], one, self._tolerance)
        theirs = moves(self._recorded.book.agreements[other.agreement.hash], other, self._tolerance)
        return [move.at for move in ours] == [move.at for move in theirs]

    def _next_chance(self) -> datetime | None:
        """When somebody may become able to have a lead that waits, as far as time alone tells."""
        assert self._agreement is not None, "an agreement is in force"  # noqa: S101
        desk = self.router.desk
        if not any(desk.waiting.values()):
            return None
        if self._untried and self._now and any(pools_with_hope(self._agreement, desk, self._now)):
            return self._now
        self._untried = False
        if self._stale:
            self._stale = False
            self._chance = min((at for _, at in self._chances(self._agreement, desk.waiting)), default=None)
        return self._chance

    def _chances(self, agreement: Agreement, waiting: Mapping[str, int]) -> Iterator[tuple[str, datetime]]:
        now = self._now
        for each in agreement.deciding:
            for name, pool in each.pools.items():
                if now is None or waiting.get(name, 0) <= 0:
                    continue
                for rep in pool.members:
                    at = free_at(each.people[rep], self.router.desk.state(rep), pool, now)
                    if at is not None and at > now:
                        yield name, at

    def _try(self, at: datetime) -> None:
        """Give waiting leads their chance, but for pools for which leads waited for the same chance then."""
        ours, theirs = self._with_chance(at)
        self._begin(at)
        if ours - theirs:
            self.router.drain(ours - theirs)
        self._end()
        self._stale = True

    def _with_chance(self, at: datetime) -> tuple[set[str], set[str]]:
        """The pools for whose leads somebody may be there at that instant: in the replay, and in the past."""
        recorded, agreement, desk = self._recorded, self._agreement, self.router.desk
        assert agreement is not None, "an agreement is in force"  # noqa: S101
        then = recorded.in_force
        if at == self._now:
            past = Desk(reps=desk.reps, waiting=recorded.waiting)
            theirs = set(pools_with_hope(then, past, at)) if then is not None else set()
            return set(pools_with_hope(agreement, desk, at)), theirs
        ours = {name for name, chance in self._chances(agreement, desk.waiting) if chance == at}
        return ours, {name for name, chance in self._chances(then, recorded.waiting) if chance == at} if then else set()
