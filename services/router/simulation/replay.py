"""The past under another agreement: inquiries, facts, absences, commands and the clock come from the record, and
everything else is decided again by the router's rules.

What the router does because time has passed happens at the recorded instant if the same thing was about to happen then,
however late; otherwise as soon as it is due.
"""

import heapq
from collections.abc import Sequence
from datetime import datetime

from services.router.domain.availability import RepState
from services.router.domain.formats import FORMAT
from services.router.domain.lead import Lead
from services.router.domain.owner_leave import goes_to_others, next_leave_at
from services.router.domain.parked import Rerouted, available_times, next_available_at, pools_with_capacity
from services.router.domain.routing import Routing
from services.router.domain.routing_state import RoutingState
from services.router.domain.simulation_promises import LadderMove, still_due
from services.router.simulation.history import History
from services.router.simulation.lookup import ReplayLookup
from services.router.simulation.record_reader import RecordRow, in_order, new_inquiries
from services.router.simulation.replay_state import ReplayState
from services.router.simulation.storage import DiskDict, OwnerIndex, ReplayedLead
from shared.domain.activities import ANSWERS, CHANGES_LEAD
from shared.domain.agreement import Agreement
from shared.domain.errors import Conflict, NotFound, Refused
from shared.domain.events import InquiryReceived
from shared.domain.pauses import PAUSING


class Replay:
    """One replay. It follows the versions that were in force until `since` (None: from the beginning), and `draft`
    from then on (None: never). `refused` counts the moves that people asked for and that were not possible.
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
    ) -> None:
        self.state = state
        self.refused = 0
        self._routing_state = RoutingState()
        self._lookup = ReplayLookup(state, owners, inquiries)
        self._history = history
        self._draft = draft
        self._since = since
        self._agreement: Agreement | None = None
        self._now: datetime | None = None
        self._moves: list[tuple[datetime, str, int, str]] = []
        # Whether leads of departed reps and leads that wait are still tried under a version that came into force.
        self._leaving = False
        self._rerouted: Rerouted | None = None
        # Someone may be there for a lead that waits, and the router has not looked since.
        self._untried = False
        self._available_at: datetime | None = None
        self._stale = True
        self._leave_at: datetime | None = None
        self._leave_changed = True

    def replay(self, rows: Sequence[RecordRow], candidates: Sequence[str]) -> None:
        """What was recorded at one instant, once time has passed until then. `candidates` are the ids of leads that may
        be those of its inquiries.
        """
        now = rows[0].at
        self._follow_agreement(now)
        if self._agreement is None:
            self._wait_for_leads(rows)
            return
        self._lookup.candidates = candidates
        for part in in_order(rows):
            routing = self._begin(now, self._agreement)
            self._untried = not self._decide(routing, part)
            self._end(routing)

    def _wait_for_leads(self, rows: Sequence[RecordRow]) -> None:
        """Store what sales reported, and who was away, before the first verdict of the record."""
        self._leave_changed = True
        for absence in [row.absence for row in rows if row.absence is not None]:
            self._routing_state.set_state(absence.rep, RepState(hold=absence.hold, leave=absence.leave))
        for fact in [row.fact for row in rows if row.fact is not None]:
            self.state.add_fact(fact)
            if fact.kind in (*CHANGES_LEAD, *ANSWERS):
                self.state.add_early(fact)

    def pass_time(self, upto: datetime) -> None:
        """Do what falls due before `upto` by itself: ladders move leads, waiting leads get their chance, the draft
        takes effect.
        """
        if self._draft is not None and self._since is not None and self._since <= upto and self._agreement is not None:
            since, self._since = self._since, None
            self.pass_time(since)
            self._take_effect(self._draft, since)
        while self._agreement is not None and self._now is not None:
            chance = self._next_chance_at(self._agreement, self._now)
            move_at = self._moves[0][0] if self._moves else None
            if move_at is not None and move_at < upto and (chance is None or move_at <= chance):
                self._move_as_due(self._agreement, *heapq.heappop(self._moves))
            elif chance is not None and chance < upto:
                self._drain_at(self._agreement, self._now, max(chance, self._now))
            else:
                return

    def _begin(self, now: datetime, agreement: Agreement) -> Routing:
        """Begin a transaction of the router."""
        self._now = now
        self._untried = False
        self._routing_state.begin()
        # By the rules of the record: what an upgrade of Baton changed is no difference between agreements.
        proof_format = min(FORMAT, self._history.proof_format)
        return Routing(self._routing_state, self._lookup, agreement, now, proof_format=proof_format)

    def _end(self, routing: Routing) -> None:
        for before, lead in self._lookup.save(routing):
            self._schedule_moves(before, lead)
        if routing.state.changed or routing.state.touched_reps:
            self._stale = True

    def _schedule_moves(self, before: Lead | None, lead: Lead) -> None:
        if lead.state == "assigned" and (
            before is None or (before.generation, before.owner_leave) != (lead.generation, lead.owner_leave)
        ):
            self._push_moves(lead)

    def _move_later(self, lead_id: str) -> None:
        """The clock of the lead's promises stopped, or runs again."""
        for lead in self.state.chain(lead_id):
            if lead.state == "assigned":
                self._push_moves(lead)

    def _push_moves(self, lead: Lead) -> None:
        for move in self.state.moves_of(lead):
            heapq.heappush(self._moves, (move.at, lead.lead_id, lead.generation, move.promise))

    # Which agreement.

    def _take_effect(self, draft: Agreement, at: datetime) -> None:
        """The draft takes effect, and leads of reps who are not in its team are reassigned."""
        self._use_agreement(draft)
        self._leaving = True
        while self._leaving:
            routing = self._begin(at, draft)
            self._follow_version(routing)
            routing.relieve(self._relieved_then)
            routing.drain()
            self._end(routing)

    def _follow_version(self, routing: Routing) -> None:
        """Reassign leads under the version that came into force, as many as one transaction of the router does. Those
        that decided nothing are not in the record.
        """
        made = len(routing.verdicts)
        departed = routing.reassign_departed()
        self._rerouted = routing.reroute_parked(self._rerouted)
        while self._rerouted is not None and len(routing.verdicts) == made:
            self._rerouted = routing.reroute_parked(self._rerouted)
        self._leaving = departed or self._rerouted is not None

    def _follow_agreement(self, now: datetime) -> None:
        if self._draft is not None and (self._since is None or self._since <= now):
            self._use_agreement(self._draft)
        elif self._history.in_force is not None:
            self._use_agreement(self._history.in_force)

    def _use_agreement(self, agreement: Agreement) -> None:
        if self._agreement is not None and self._agreement.hash == agreement.hash:
            return
        self._leaving, self._rerouted = self._agreement is not None, None
        self._agreement = agreement
        self._stale = self._leave_changed = True
        for each in agreement.with_drafts:
            self.state.agreements[each.hash] = each

    # What comes from the record.

    def _decide(self, routing: Routing, rows: Sequence[RecordRow]) -> bool:
        """Decide on what was recorded; returns whether parked leads were tried."""
        inquiries, facts = new_inquiries(rows), [row.fact for row in rows if row.fact is not None]
        if inquiries:
            routing.judge(inquiries)
        copies = [row.copy for row in rows if row.copy is not None]
        backdated = bool(copies) and routing.backdate(copies)
        if facts:
            for fact in facts:
                self.state.add_fact(fact)
                if fact.kind in PAUSING:
                    self._move_later(fact.lead_id)
            routing.apply(facts)
        missed = self._missed_then(rows)
        if missed:
            routing.move_missed(missed)
        absences = [row.absence for row in rows if row.absence is not None]
        self._leave_changed = self._leave_changed or bool(absences)
        for absence in absences:
            routing.set_absence(absence.rep, absence.hold, absence.leave)
        moved = self._move_as_asked(routing, rows)
        rejudged = [row.rejudged for row in rows if row.rejudged is not None]
        for batch in rejudged:
            routing.judge_again(batch)
        settled = any(row.tick or (row.cause is not None and row.cause.kind == "left") for row in rows)
        if settled:
            if self._leaving:
                self._follow_version(routing)
            routing.relieve()
            routing.drain()
        return bool(inquiries or backdated or facts or missed or absences or moved or rejudged or settled)

    def _missed_then(self, rows: Sequence[RecordRow]) -> list[tuple[str, int]]:
        """Leads that a ladder moved then, and that it moves now, since they stand the same and were to be moved at the
        same time; each with its generation.
        """
        found = []
        for row in rows:
            if row.cause is None or row.cause.kind != "missed":
                continue
            known, then = self._both(str(row.lead_id))
            if known is not None and then is not None and self._same_ownership(known, then):
                found.append((known.lead.lead_id, known.lead.generation))
        return found

    def _move_as_asked(self, routing: Routing, rows: Sequence[RecordRow]) -> bool:
        """Move, merge and split leads as people asked for it; whether any was."""
        moved = False
        for row in rows:
            if row.verdict is None or row.cause is None or row.cause.kind not in ("manual", "same_person", "split"):
                continue
            try:
                if row.cause.kind == "same_person":
                    routing.merge(row.verdict.same_person[0].lead_id, str(row.lead_id), row.cause)
                elif row.cause.kind == "manual":
                    routing.move(str(row.lead_id), row.cause)
                elif row.verdict.inquiries is not None:
                    shared = row.verdict.inquiries
                    self._lookup.split_up = (*shared.theirs, *shared.others)
                    routing.split(str(row.lead_id), row.cause)
            except Refused:
                self.refused += 1
            except (NotFound, Conflict):
                continue
            else:
                moved = True
        return moved

    # What falls due by itself.

    def _move_as_due(self, agreement: Agreement, at: datetime, lead_id: str, generation: int, promise: str) -> None:
        known, then = self._both(lead_id)
        if known is None or known.lead.state != "assigned" or known.lead.generation != generation:
            return
        promised, move = self.state.agreements[known.lead.agreement.hash], LadderMove(at, promise)
        if move not in self.state.moves_of(known.lead):
            return  # The owner's leave has changed since, or the clock was paused.
        if not still_due(promised, known.lead, known.facts, move, self.state.tolerance):
            return
        if then is not None and self._same_ownership(known, then):
            return
        routing = self._begin(max(at, self._now or at), agreement)
        routing.move_missed([(lead_id, generation)])
        self._end(routing)

    def _relieved_then(self, lead_id: str) -> bool:
        """Whether the lead stands as it stood then, and others got it then because its owner went on leave."""
        known, then = self._both(lead_id)
        in_force, now = self._history.in_force, self._now
        if known is None or then is None or in_force is None or now is None or not self._same_ownership(known, then):
            return False
        return goes_to_others(then.lead, in_force, self._history.state.agreements[then.lead.agreement.hash], now)

    def _both(self, lead_id: str) -> tuple[ReplayedLead | None, ReplayedLead | None]:
        """The lead in the replay, and as recorded."""
        return self.state.leads.get(lead_id), self._history.state.leads.get(lead_id)

    def _same_ownership(self, known: ReplayedLead, then: ReplayedLead) -> bool:
        """Whether the lead had the same owner then since the same instant, and was to be moved at the same ones."""
        one, other = known.lead, then.lead
        if one.state != "assigned" or other.state != "assigned":
            return False
        if (one.rep, one.assigned_at) != (other.rep, other.assigned_at):
            return False
        if (one.agreement.hash, one.score, one.segments) == (other.agreement.hash, other.score, other.segments):
            return True
        ours, theirs = self.state.moves_of(one), self._history.state.moves_of(other)
        return [move.at for move in ours] == [move.at for move in theirs]

    def _next_chance_at(self, agreement: Agreement, now: datetime) -> datetime | None:
        """When a rep may become available for parked leads, or goes on leave, because time passes."""
        if self._leave_changed or (self._leave_at is not None and self._leave_at <= now):
            self._leave_at, self._leave_changed = next_leave_at(agreement, self._routing_state, now), False
        chances = (self._next_available_at(agreement, now), self._leave_at)
        return min((at for at in chances if at is not None), default=None)

    def _next_available_at(self, agreement: Agreement, now: datetime) -> datetime | None:
        """When a rep may become available for parked leads because time passes."""
        state = self._routing_state
        if not any(state.waiting.values()):
            return None
        if self._untried and any(pools_with_capacity(agreement, state, now)):
            return now
        self._untried = False
        if self._stale:
            self._stale = False
            self._available_at = next_available_at(agreement, state, now)
        return self._available_at

    def _drain_at(self, agreement: Agreement, now: datetime, at: datetime) -> None:
        """Give waiting leads their chance, but for pools for which leads waited for the same chance then."""
        past = RoutingState(reps=self._routing_state.reps, waiting=self._history.waiting)
        ours = _pools_with_capacity_at(at, agreement, self._routing_state, now)
        theirs = _pools_with_capacity_at(at, self._history.in_force, past, now)
        routing = self._begin(at, agreement)
        routing.relieve(self._relieved_then)
        if ours - theirs:
            routing.drain(ours - theirs)
        self._end(routing)
        self._stale = True


def _pools_with_capacity_at(at: datetime, agreement: Agreement | None, state: RoutingState, now: datetime) -> set[str]:
    """The pools for whose leads someone may become available at `at`, which is `now` or later."""
    if agreement is None:
        return set()
    if at == now:
        return set(pools_with_capacity(agreement, state, now))
    return {name for name, available_at in available_times(agreement, state, now) if available_at == at}
