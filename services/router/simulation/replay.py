"""The past as it would have been under an agreement: the record lends inquiries, facts, absences, people's orders and
the clock, and everything else is decided again, by the rules that the router decides by.

What the router does by itself, because time has passed, has an instant of its own. Where it was about to happen in the
same way then, it happens at the record's instant, late as that may have been; elsewhere as soon as it can.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from services.router.domain.availability import free_at
from services.router.domain.lead import Lead
from services.router.domain.parked import pools_with_capacity
from services.router.domain.proof import ReassignReason
from services.router.domain.routing_state import RoutingState
from services.router.domain.simulation_promises import LadderMove, ladder_moves, still_due
from services.router.simulation.history import History
from services.router.simulation.record_reader import RecordRow
from services.router.simulation.replay_router import ReplayRouter
from services.router.simulation.replay_state import ReplayState
from services.router.simulation.storage import DiskDict, OwnerIndex, ReplayedLead
from shared.domain.agreement import Agreement
from shared.domain.events import InquiryReceived


class Replay:
    """One replay. It follows the versions that were in force until `since` (None: from the beginning), and `draft`
    from then on (None: never).
    """

    def __init__(
        self,
        state: ReplayState,
        history: History,
        owners: OwnerIndex | None,
        inquiries: DiskDict[InquiryReceived],
        *,
        draft: Agreement | None,
        since: datetime | None,
        tolerance: timedelta,
    ) -> None:
        self.state = state
        self.router = ReplayRouter(state, owners, inquiries, self._schedule_moves)
        self._history = history
        self._draft = draft
        self._since = since
        self._tolerance = tolerance
        self._agreement: Agreement | None = None
        self._now: datetime | None = None
        self._moves: list[tuple[datetime, str, int, str]] = []
        self._leaving = False
        # Someone may be there for a lead that waits, and the router has not looked since.
        self._untried = False
        self._available_at: datetime | None = None
        self._stale = True

    def replay(self, rows: Sequence[RecordRow], candidates: Sequence[str]) -> None:
        """What was recorded at one instant, once time has passed until then. `candidates` are the ids of leads that may
        be those of its inquiries.
        """
        now = rows[0].at
        self._follow_agreement(now)
        if self._agreement is None:
            return
        self._begin(now)
        inquiries = [
            row.verdict.inquiry for row in rows if row.verdict and row.verdict.inquiry and row.verdict.ask is None
        ]
        facts = [row.fact for row in rows if row.fact is not None]
        if inquiries:
            self.router.judge(inquiries, candidates)
        if facts:
            self.router.apply_facts(facts)
        if self._run_commands(rows):
            if self._leaving:
                self._leaving = self.router.reassign_from_departed_reps()
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
            chance = self._next_available_at()
            move_at = self._moves[0][0] if self._moves else None
            if move_at is not None and move_at < upto and (chance is None or move_at <= chance):
                self._move_as_due(*heapq.heappop(self._moves))
            elif chance is not None and chance < upto:
                self._drain_at(max(chance, self._now))
            else:
                return

    def _begin(self, now: datetime) -> None:
        self._now = now
        self._untried = False
        self.router.begin(now)

    def _end(self) -> None:
        self._stale |= self.router.end()

    def _schedule_moves(self, before: Lead | None, lead: Lead) -> None:
        if lead.state == "assigned" and (before is None or before.generation != lead.generation):
            for move in ladder_moves(self.state.agreements[lead.agreement.hash], lead, self._tolerance):
                heapq.heappush(self._moves, (move.at, lead.lead_id, lead.generation, move.promise))

    # Which agreement.

    def _take_effect(self, draft: Agreement, at: datetime) -> None:
        """The draft takes effect, and with it leads of those who are not in its team move on."""
        self._use_agreement(draft)
        self._leaving = True
        while self._leaving:
            self._begin(at)
            self._leaving = self.router.reassign_from_departed_reps()
            self.router.drain()
            self._end()

    def _follow_agreement(self, now: datetime) -> None:
        if self._draft is not None and (self._since is None or self._since <= now):
            self._use_agreement(self._draft)
        elif self._history.in_force is not None:
            self._use_agreement(self._history.in_force)

    def _use_agreement(self, agreement: Agreement) -> None:
        if self._agreement is not None and self._agreement.hash == agreement.hash:
            return
        self._leaving = self._agreement is not None
        self._agreement = agreement
        self.router.use_agreement(agreement)
        self._stale = True
        for each in agreement.with_drafts:
            self.state.agreements[each.hash] = each

    # What comes from the record.

    def _run_commands(self, rows: Sequence[RecordRow]) -> bool:
        """What people ordered and ladders asked for; whether the router then looked at those who wait."""
        tries = False
        for row in rows:
            cause = row.verdict.ask if row.verdict is not None else None
            if row.absence is not None:
                tries |= self.router.set_absence(row.absence.rep, row.absence.hold, row.absence.leave)
            elif cause is not None and cause.kind == "manual":
                self.router.run_command(str(row.lead_id), cause)
                tries = True
            elif cause is not None and cause.kind == "missed":
                self._move_as_recorded(str(row.lead_id))
            tries |= row.tick or (cause is not None and cause.kind == "left")
        return tries

    def _move_as_recorded(self, lead_id: str) -> None:
        """A ladder moved the lead then; it moves it now if it stood the same and was to be moved at the same time."""
        known, then = self.state.leads.get(lead_id), self._history.state.leads.get(lead_id)
        if (
            known is not None
            and then is not None
            and known.lead.state == "assigned"
            and self._same_ownership(known, then)
        ):
            lead = self.router.lead(lead_id)
            if lead is not None:
                self.router.reassign(lead, ReassignReason("missed"))

    # What falls due by itself.

    def _move_as_due(self, at: datetime, lead_id: str, generation: int, promise: str) -> None:
        known, then = self.state.leads.get(lead_id), self._history.state.leads.get(lead_id)
        if known is None or known.lead.state != "assigned" or known.lead.generation != generation:
            return
        agreement = self.state.agreements[known.lead.agreement.hash]
        if not still_due(agreement, known.lead, known.facts, LadderMove(at, promise), self._tolerance):
            return
        if then is not None and self._same_ownership(known, then):
            return
        self._begin(max(at, self._now or at))
        lead = self.router.lead(lead_id)
        if lead is not None:
            self.router.reassign(lead, ReassignReason("missed"))
        self._untried = True
        self._end()

    def _same_ownership(self, known: ReplayedLead, then: ReplayedLead) -> bool:
        """Whether the lead had the same owner then since the same instant, and was to be moved at the same ones."""
        one, other = known.lead, then.lead
        if other.state != "assigned" or (one.rep, one.assigned_at) != (other.rep, other.assigned_at):
            return False
        if (one.agreement.hash, one.score) == (other.agreement.hash, other.score):
            return True
        ours = ladder_moves(self.state.agreements[one.agreement.hash], one, self._tolerance)
        theirs = ladder_moves(self._history.state.agreements[other.agreement.hash], other, self._tolerance)
        return [move.at for move in ours] == [move.at for move in theirs]

    def _next_available_at(self) -> datetime | None:
        """When someone may become able to have a lead that waits, as far as time alone tells."""
        assert self._agreement is not None, "an agreement is in force"  # noqa: S101
        routing = self.router.routing
        if not any(routing.waiting.values()):
            return None
        if self._untried and self._now and any(pools_with_capacity(self._agreement, routing, self._now)):
            return self._now
        self._untried = False
        if self._stale:
            self._stale = False
            self._available_at = min(
                (at for _, at in self._available_times(self._agreement, routing.waiting)), default=None
            )
        return self._available_at

    def _available_times(self, agreement: Agreement, waiting: Mapping[str, int]) -> Iterator[tuple[str, datetime]]:
        now = self._now
        for each in agreement.deciding:
            for name, pool in each.pools.items():
                if now is None or waiting.get(name, 0) <= 0:
                    continue
                for rep in pool.members:
                    at = free_at(each.people[rep], self.router.routing.state(rep), pool, now)
                    if at is not None and at > now:
                        yield name, at

    def _drain_at(self, at: datetime) -> None:
        """Give waiting leads their chance, but for pools for which leads waited for the same chance then."""
        ours, theirs = self._pools_with_capacity(at)
        self._begin(at)
        if ours - theirs:
            self.router.drain(ours - theirs)
        self._end()
        self._stale = True

    def _pools_with_capacity(self, at: datetime) -> tuple[set[str], set[str]]:
        """The pools for whose leads someone may be there at that instant: in the replay, and in the past."""
        history, agreement, routing = self._history, self._agreement, self.router.routing
        assert agreement is not None, "an agreement is in force"  # noqa: S101
        then = history.in_force
        if at == self._now:
            past = RoutingState(reps=routing.reps, waiting=history.waiting)
            theirs = set(pools_with_capacity(then, past, at)) if then is not None else set()
            return set(pools_with_capacity(agreement, routing, at)), theirs
        ours = {name for name, chance in self._available_times(agreement, routing.waiting) if chance == at}
        return ours, {
            name for name, chance in self._available_times(then, history.waiting) if chance == at
        } if then else set()
