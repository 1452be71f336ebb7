"""The router's decisions made once more, on leads that a replay remembers instead of those in its database."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import islice

from msgspec.structs import replace

from services.router.domain.accounts import Accounts, Owned, asks_for_accounts, keys_of, owns
from services.router.domain.availability import Hold, Leave
from services.router.domain.decision import decide
from services.router.domain.desk import Desk, contact_keys
from services.router.domain.handover import Verdict, hand_on
from services.router.domain.lead import HELD, Lead, followed_by
from services.router.domain.proof import Ask
from services.router.domain.simulation import why
from services.router.handlers.hearing import CHANGING, starts_of
from services.router.handlers.waiting import MOST, Fate, fate_of, pools_with_hope, those_who_left
from services.router.simulation.book import Book
from services.router.simulation.keeping import Kept, Owners
from shared.domain.agreement import Agreement
from shared.domain.errors import Refused
from shared.domain.events import ActivityRecorded, InquiryReceived
from shared.domain.lead import Company, Contact

Changed = Callable[[Lead | None, Lead], None]
"""Hears of every lead that changed: as it was, and as it is."""


class Deciding:
    """Mutable. What lies between `begin` and `end` is one transaction of the router's. `owners` is None when no
    agreement asks for them. `refused` counts people's orders that can't be carried out.
    """

    def __init__(self, book: Book, owners: Owners | None, inquiries: Kept[InquiryReceived], changed: Changed) -> None:
        self.book = book
        self.desk = Desk()
        self.refused = 0
        self._owners = owners
        self._inquiries = inquiries
        self._changed = changed
        self._asks = False
        self._parked: dict[str, dict[str, Lead]] = {}

    def under(self, agreement: Agreement) -> None:
        """Which agreement the next transactions are under."""
        self.agreement = agreement
        self._asks = self._owners is not None and asks_for_accounts(agreement)

    def begin(self, now: datetime) -> None:
        """Sit down at the desk."""
        self.now = now
        self.desk.begin()
        self._accounts = Accounts()
        self._reasons: dict[str, str] = {}
        self._asked: set[str] = set()

    def end(self) -> bool:
        """Keep what changed; whether anything did."""
        desk = self.desk
        for lead_id, lead in desk.changed.items():
            known = self.book.leads.get(lead_id)
            before = known.lead if known is not None else None
            if self._owners is not None and (owns(lead) or (before is not None and owns(before))):
                self._owners.note(lead)
            self._note_waiting(before, lead)
            self._changed(before, lead)
            self.book.change(lead, self.now, self._reasons.get(lead_id, ""), asked=lead_id in self._asked)
        return bool(desk.changed or desk.touched_reps)

    def judge(self, inquiries: Sequence[InquiryReceived], candidates: Sequence[str]) -> None:
        """Judge each inquiry, in order, after those that have been waiting for somebody. `candidates` are the ids of
        leads that may be theirs.
        """
        self._lay_out(inquiries, candidates)
        if self._asks and self._owners is not None:
            keys = [keys_of(inquiry.company, inquiry.contact) for inquiry in inquiries]
            self._accounts = Accounts(self._owners.of(keys))
        self.drain()
        for inquiry in inquiries:
            owner = self._accounts.owner_of(keys_of(inquiry.company, inquiry.contact)) if self._asks else None
            self._add(decide(self.agreement, inquiry, self.desk, self.now, owner))
            self._asked.add(inquiry.lead_id)
        self._follow(self.book.take_early(starts_of(inquiries, self.desk)))

    def hear(self, facts: Sequence[ActivityRecorded]) -> None:
        """Note what sales did, and do what follows from it."""
        here = [fact for fact in facts if self.book.hear(fact)]
        if any(fact.kind in CHANGING for fact in facts):
            self._follow([fact for fact in here if fact.kind in CHANGING])
            self.drain()

    def note_absence(self, rep: str, hold: Hold | None, leave: tuple[Leave, ...]) -> bool:
        """How it stands with a rep from now on; whether somebody may have become available by it."""
        state = self.desk.state(rep)
        self.desk.set_state(rep, type(state)(state.open, state.day, state.new_today, hold, leave))
        return hold is None or hold == state.hold

    def obey(self, lead_id: str, ask: Ask) -> None:
        """Carry out a person's order if it can be: the lead is in hands, or waits, and the rep is there."""
        lead = self.known(lead_id)
        if lead is None or lead.state not in HELD:
            return
        try:
            self.hand_on(lead, ask)
        except Refused:
            self.refused += 1

    def drain(self, only: Iterable[str] | None = None) -> None:
        """As the router does it: the longest waiting first, each rule until nobody is there for its leads. `only`
        these pools, or all.
        """
        for pool in list(pools_with_hope(self.agreement, self.desk, self.now)):
            if only is None or pool in only:
                self._drain_pool(pool)

    def hand_on_of_those_who_left(self) -> bool:
        """Hand on leads of reps who are not in the team; whether there are more, since one transaction takes only so
        many.
        """
        gone = those_who_left(self.agreement, self.desk)
        if not gone:
            return False
        theirs = sorted(
            (standing.lead.updated_at, lead_id)
            for lead_id, standing in self.book.leads.every()
            if standing.lead.state == "assigned" and standing.lead.rep in gone
        )
        for _, lead_id in theirs[:MOST]:
            lead = self.known(lead_id)
            if lead is not None:
                self.hand_on(lead, Ask("left"))
        return len(theirs) > MOST

    def hand_on(self, lead: Lead, ask: Ask) -> bool:
        """Whether the lead changed hands. Raises as the router's `hand_on`."""
        inquiry = self._inquiries.get(lead.inquiry_id)
        assert inquiry is not None, "every inquiry of the record is kept"  # noqa: S101
        verdict = hand_on(self.agreement, ask, lead, inquiry, self.desk, self.now)
        if verdict is not None:
            self._add(verdict)
        return verdict is not None

    def known(self, lead_id: str) -> Lead | None:
        """The lead with this id, or the one that it became part of, on the desk."""
        self.desk.know(lead for lead in self.book.chain(lead_id) if lead.lead_id not in self.desk.leads)
        return self.desk.lead(lead_id)

    def _lay_out(self, inquiries: Sequence[InquiryReceived], candidates: Sequence[str]) -> None:
        """Put on the desk what the verdicts need."""
        if not candidates:
            return
        own = [lead for inquiry in inquiries for lead in self.book.chain(inquiry.lead_id)]
        self.desk.know(own)
        known = set(self.desk.leads)
        others = {lead.lead_id: lead for each in candidates for lead in self.book.chain(each)}
        keys = {key for inquiry in inquiries for key in contact_keys(inquiry.contact)}
        # Those who are known by it now come before those who were once: the first to have a key keeps it.
        order = sorted(others.values(), key=lambda lead: (keys.isdisjoint(contact_keys(lead.contact)), lead.lead_id))
        self.desk.know(lead for lead in order if lead.lead_id not in known)

    def _follow(self, facts: Sequence[ActivityRecorded]) -> None:
        for fact in facts:
            lead = self.known(fact.lead_id)
            if lead is None:
                continue
            if fact.kind == "declined":
                if lead.state == "assigned" and fact.by in (None, lead.rep):
                    self.hand_on(lead, Ask("declined", by=fact.by))
                continue
            after = followed_by(lead, fact, self.now)
            if after is not None:
                self.desk.keep(after)

    def _add(self, verdict: Verdict) -> None:
        lead, proof = verdict.lead, verdict.proof
        if proof.verdict != "merged":
            turn = proof.turn.why if proof.turn is not None else None
            self._reasons[lead.lead_id] = why(
                proof.verdict, proof.reason, ask=proof.ask, rule=proof.rule, rep=proof.rep, turn=turn
            )
        if proof.ask is None:
            self._asked.add(lead.lead_id)
        if self._asks and owns(lead):
            owned = Owned(keys_of(lead.company, lead.contact), str(lead.rep), lead.pool or "", lead.lead_id)
            self._accounts.note(owned)

    def _note_waiting(self, before: Lead | None, lead: Lead) -> None:
        if before is not None and before.state == "parked" and before.parked_at != lead.parked_at:
            self._parked.get(before.pool or "", {}).pop(before.lead_id, None)
        if lead.state == "parked":
            self._parked.setdefault(lead.pool or "", {})[lead.lead_id] = _slim(lead)

    def _drain_pool(self, pool: str) -> None:
        changed = self.desk.changed
        new = sorted(lead_id for lead_id, lead in changed.items() if lead.state == "parked" and lead.pool == pool)
        waiting = list(islice(self._parked.get(pool, {}).values(), MOST))
        kept = [each for each in sorted(waiting, key=_longest_first) if each.lead_id not in new]
        stuck: set[Fate] = set()
        for each in (*kept, *(changed[lead_id] for lead_id in new)):
            fate = fate_of(self.agreement, each)
            if fate is not None and fate in stuck:
                continue
            lead = self.known(each.lead_id)
            if lead is None or lead.state != "parked" or lead.pool != pool or self.hand_on(lead, Ask("drained")):
                continue
            if fate is not None:
                stuck.add(fate)


def _longest_first(lead: Lead) -> tuple[datetime | None, str]:
    return lead.parked_at, lead.lead_id


def _slim(lead: Lead) -> Lead:
    """What has to be known of a lead that waits, without what was said and done."""
    return replace(
        lead, contact=Contact(), company=Company(), reason="", reasons=(), intents=(), signals=(), other_keys=()
    )
