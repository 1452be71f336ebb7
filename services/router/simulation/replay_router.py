"""The router's decisions made once more, on leads that a replay remembers instead of those in its database."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import islice

from msgspec.structs import replace

from services.router.domain.accounts import Accounts, Owned, keys_of, needs_accounts, owns
from services.router.domain.availability import Hold, Leave
from services.router.domain.decision import decide
from services.router.domain.lead import HELD, Lead, followed_by
from services.router.domain.parked import RoutingKey, departed_reps, pools_with_capacity, routing_key
from services.router.domain.proof import ReassignReason
from services.router.domain.reassignment import Verdict, reassign
from services.router.domain.routing_state import RoutingState, contact_keys
from services.router.handlers.events import LEAD_CHANGING, starts_of
from services.router.handlers.parked import MAX_LEADS
from services.router.simulation.replay_state import ReplayState
from services.router.simulation.storage import DiskDict, OwnerIndex
from services.router.simulation.summary import reason_text
from shared.domain.agreement import Agreement
from shared.domain.errors import Refused
from shared.domain.events import ActivityRecorded, InquiryReceived
from shared.domain.lead import Company, Contact

Changed = Callable[[Lead | None, Lead], None]
"""Hears of every lead that changed: as it was, and as it is."""


class ReplayRouter:
    """Mutable. What lies between `begin` and `end` is one transaction of the router's. `owners` is None when no
    agreement asks for them. `refused` counts people's orders that can't be carried out.
    """

    def __init__(
        self, state: ReplayState, owners: OwnerIndex | None, inquiries: DiskDict[InquiryReceived], changed: Changed
    ) -> None:
        self.state = state
        self.routing = RoutingState()
        self.refused = 0
        self._owners = owners
        self._inquiries = inquiries
        self._changed = changed
        self._needs_accounts = False
        self._parked: dict[str, dict[str, Lead]] = {}

    def use_agreement(self, agreement: Agreement) -> None:
        """Which agreement the next transactions are under."""
        self.agreement = agreement
        self._needs_accounts = self._owners is not None and needs_accounts(agreement)

    def begin(self, now: datetime) -> None:
        """Begin a transaction."""
        self.now = now
        self.routing.begin()
        self._accounts = Accounts()
        self._reasons: dict[str, str] = {}
        self._asked: set[str] = set()

    def end(self) -> bool:
        """Keep what changed; whether anything did."""
        routing = self.routing
        for lead_id, lead in routing.changed.items():
            known = self.state.leads.get(lead_id)
            before = known.lead if known is not None else None
            if self._owners is not None and (owns(lead) or (before is not None and owns(before))):
                self._owners.update(lead)
            self._track_parked(before, lead)
            self._changed(before, lead)
            self.state.change(lead, self.now, self._reasons.get(lead_id, ""), asked=lead_id in self._asked)
        return bool(routing.changed or routing.touched_reps)

    def judge(self, inquiries: Sequence[InquiryReceived], candidates: Sequence[str]) -> None:
        """Judge each inquiry, in order, after those that have been waiting for someone. `candidates` are the ids of
        leads that may be theirs.
        """
        self._prefetch(inquiries, candidates)
        if self._needs_accounts and self._owners is not None:
            keys = [keys_of(inquiry.company, inquiry.contact) for inquiry in inquiries]
            self._accounts = Accounts(self._owners.owners_of(keys))
        self.drain()
        for inquiry in inquiries:
            owner = self._accounts.owner_of(keys_of(inquiry.company, inquiry.contact)) if self._needs_accounts else None
            self._add(decide(self.agreement, inquiry, self.routing, self.now, owner))
            self._asked.add(inquiry.lead_id)
        self._apply(self.state.take_early(starts_of(inquiries, self.routing)))

    def apply_facts(self, facts: Sequence[ActivityRecorded]) -> None:
        """Note what sales did, and do what follows from it."""
        here = [fact for fact in facts if self.state.add_fact(fact)]
        if any(fact.kind in LEAD_CHANGING for fact in facts):
            self._apply([fact for fact in here if fact.kind in LEAD_CHANGING])
            self.drain()

    def set_absence(self, rep: str, hold: Hold | None, leave: tuple[Leave, ...]) -> bool:
        """How it stands with a rep from now on; whether someone may have become available by it."""
        state = self.routing.state(rep)
        self.routing.set_state(rep, type(state)(state.open, state.day, state.new_today, hold, leave))
        return hold is None or hold == state.hold

    def run_command(self, lead_id: str, cause: ReassignReason) -> None:
        """Carry out a person's order if it can be: the lead is in hands, or waits, and the rep is there."""
        lead = self.lead(lead_id)
        if lead is None or lead.state not in HELD:
            return
        try:
            self.reassign(lead, cause)
        except Refused:
            self.refused += 1

    def drain(self, only: Iterable[str] | None = None) -> None:
        """As the router does it: the longest waiting first, each rule until nobody is there for its leads. `only`
        these pools, or all.
        """
        for pool in list(pools_with_capacity(self.agreement, self.routing, self.now)):
            if only is None or pool in only:
                self._drain_pool(pool)

    def reassign_from_departed_reps(self) -> bool:
        """Hand on leads of reps who are not in the team; whether there are more, since one transaction takes only so
        many.
        """
        gone = departed_reps(self.agreement, self.routing)
        if not gone:
            return False
        theirs = sorted(
            (replayed.lead.updated_at, lead_id)
            for lead_id, replayed in self.state.leads.items()
            if replayed.lead.state == "assigned" and replayed.lead.rep in gone
        )
        for _, lead_id in theirs[:MAX_LEADS]:
            lead = self.lead(lead_id)
            if lead is not None:
                self.reassign(lead, ReassignReason("left"))
        return len(theirs) > MAX_LEADS

    def reassign(self, lead: Lead, cause: ReassignReason) -> bool:
        """Whether the lead changed hands. Raises as the router's `reassign`."""
        inquiry = self._inquiries.get(lead.inquiry_id)
        assert inquiry is not None, "every inquiry of the record is kept"  # noqa: S101
        verdict = reassign(self.agreement, cause, lead, inquiry, self.routing, self.now)
        if verdict is not None:
            self._add(verdict)
        return verdict is not None

    def lead(self, lead_id: str) -> Lead | None:
        """The lead with this id, or the one that it became part of, on the routing state."""
        self.routing.load(lead for lead in self.state.chain(lead_id) if lead.lead_id not in self.routing.leads)
        return self.routing.lead(lead_id)

    def _prefetch(self, inquiries: Sequence[InquiryReceived], candidates: Sequence[str]) -> None:
        """Put on the routing state what the verdicts need."""
        if not candidates:
            return
        own = [lead for inquiry in inquiries for lead in self.state.chain(inquiry.lead_id)]
        self.routing.load(own)
        known = set(self.routing.leads)
        others = {lead.lead_id: lead for each in candidates for lead in self.state.chain(each)}
        keys = {key for inquiry in inquiries for key in contact_keys(inquiry.contact)}
        # Those who are known by it now come before those who were once: the first to have a key keeps it.
        order = sorted(others.values(), key=lambda lead: (keys.isdisjoint(contact_keys(lead.contact)), lead.lead_id))
        self.routing.load(lead for lead in order if lead.lead_id not in known)

    def _apply(self, facts: Sequence[ActivityRecorded]) -> None:
        for fact in facts:
            lead = self.lead(fact.lead_id)
            if lead is None:
                continue
            if fact.kind == "declined":
                if lead.state == "assigned" and fact.by in (None, lead.rep):
                    self.reassign(lead, ReassignReason("declined", by=fact.by))
                continue
            after = followed_by(lead, fact, self.now)
            if after is not None:
                self.routing.save(after)

    def _add(self, verdict: Verdict) -> None:
        lead, proof = verdict.lead, verdict.proof
        if proof.verdict != "merged":
            turn = proof.turn.why if proof.turn is not None else None
            self._reasons[lead.lead_id] = reason_text(
                proof.verdict, proof.reason, cause=proof.ask, rule=proof.rule, rep=proof.rep, turn=turn
            )
        if proof.ask is None:
            self._asked.add(lead.lead_id)
        if self._needs_accounts and owns(lead):
            owned = Owned(keys_of(lead.company, lead.contact), str(lead.rep), lead.pool or "", lead.lead_id)
            self._accounts.add(owned)

    def _track_parked(self, before: Lead | None, lead: Lead) -> None:
        if before is not None and before.state == "parked" and before.parked_at != lead.parked_at:
            self._parked.get(before.pool or "", {}).pop(before.lead_id, None)
        if lead.state == "parked":
            self._parked.setdefault(lead.pool or "", {})[lead.lead_id] = _slim(lead)

    def _drain_pool(self, pool: str) -> None:
        changed = self.routing.changed
        new = sorted(lead_id for lead_id, lead in changed.items() if lead.state == "parked" and lead.pool == pool)
        waiting = list(islice(self._parked.get(pool, {}).values(), MAX_LEADS))
        kept = [each for each in sorted(waiting, key=_by_parked_at) if each.lead_id not in new]
        stuck: set[RoutingKey] = set()
        for each in (*kept, *(changed[lead_id] for lead_id in new)):
            key = routing_key(self.agreement, each)
            if key is not None and key in stuck:
                continue
            lead = self.lead(each.lead_id)
            if (
                lead is None
                or lead.state != "parked"
                or lead.pool != pool
                or self.reassign(lead, ReassignReason("drained"))
            ):
                continue
            if key is not None:
                stuck.add(key)


def _by_parked_at(lead: Lead) -> tuple[datetime | None, str]:
    return lead.parked_at, lead.lead_id


def _slim(lead: Lead) -> Lead:
    """What has to be known of a lead that waits, without what was said and done."""
    return replace(
        lead, contact=Contact(), company=Company(), reason="", reasons=(), intents=(), signals=(), other_keys=()
    )
