"""Compares the outcomes of the same leads before and after a change: lead by lead and in totals.

Buyers are identified by lead id only; reasons contain nothing that a person wrote.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Literal

import msgspec

from services.router.domain.lead import Lead
from services.router.domain.proof import Proof
from services.router.simulation.record_reader import RecordedVerdict
from shared.domain.lead import LeadStage, LeadState

SHOWN = 20
"""The number of differing leads to list with the totals, in the order of comparison."""

QUALIFIED = ("mql", "sal", "sql", "opportunity", "customer")

COMPARED: Mapping[str, str] = MappingProxyType(
    {
        "stage": "stage",
        "state": "state",
        "owner": "owner",
        "pool": "pool",
        "deadline": "respond_by",
        "breach": "breached",
    }
)
"""What can differ, with the field of `LeadOutcome` that says it."""


class LeadOutcome(msgspec.Struct, frozen=True):
    """What became of a lead. `breached` names each promise that an owner of it missed; `reason_text` is the reason of
    the last verdict on it.
    """

    state: LeadState | Literal["unknown"]
    stage: LeadStage
    owner: str | None
    pool: str | None
    rule: str | None
    respond_by: datetime | None
    breached: tuple[str, ...]
    why: str


NOTHING = LeadOutcome("unknown", "", None, None, None, None, (), "the lead is not there")
"""The outcome of a lead that one of two replays does not have."""


class LeadDifference(msgspec.Struct, frozen=True):
    """A lead with two outcomes. `fields` are those that differ, of `stage`, `state`, `owner`, `pool`, `deadline` and
    `breach`; a renamed rule is not a difference.

    `turn_only`: the same rules sent it to the same pool both times, and only the turn differed.
    """

    lead_id: str
    received_at: datetime
    channel: str | None
    campaign: str | None
    before: LeadOutcome
    after: LeadOutcome
    fields: tuple[str, ...]
    turn_only: bool


class Tally(msgspec.Struct):
    """Mutable sums over leads."""

    leads: int = 0
    qualified: int = 0
    breached: int = 0

    def count(self, outcome: LeadOutcome) -> None:
        """One more."""
        self.leads += 1
        self.qualified += outcome.stage in QUALIFIED
        self.breached += bool(outcome.breached)


class Change(msgspec.Struct):
    """The sums of one group before and after."""

    before: Tally
    after: Tally


class Summary(msgspec.Struct):
    """Two replays in totals: `before` and `after` name what was compared, `differing_fields` counts differing leads by
    field, `first` are the first of them, `replayed` counts the judged inquiries, `refused` the commands that could not
    be carried out.

    `stages` counts leads by outcome; `reps`, `pools` and `channels` by owner, pool and channel. `since` and `until`
    limit the leads that are compared.
    """

    before: str
    after: str
    since: datetime | None
    until: datetime
    replayed: int = 0
    refused: int = 0
    leads: int = 0
    differ: int = 0
    turn_only: int = 0
    total: Change = msgspec.field(default_factory=lambda: Change(Tally(), Tally()))
    differing: dict[str, int] = {}
    stages: dict[str, Change] = {}
    reps: dict[str, Change] = {}
    pools: dict[str, Change] = {}
    channels: dict[str, Change] = {}
    first: list[LeadDifference] = []

    def compare(self, lead: Lead, before: LeadOutcome, after: LeadOutcome) -> LeadDifference | None:
        """Count a lead; returns how it differs, None when it does not. Ids that ceased both times are no leads, and
        tests are nobody's.
        """
        if lead.test or before.state == after.state == "merged":
            return None
        self.leads += 1
        self._count(lead, before, after)
        fields = differing_fields(before, after)
        if not fields:
            return None
        self.differ += 1
        for field in fields:
            self.differing[field] = self.differing.get(field, 0) + 1
        turn_only = not {"stage", "state", "pool"} & set(fields) and before.owner != after.owner
        self.turn_only += turn_only
        found = LeadDifference(
            lead.lead_id, lead.received_at, lead.channel, lead.campaign, before, after, fields, turn_only
        )
        if len(self.first) < SHOWN:
            self.first.append(found)
        return found

    def _count(self, lead: Lead, before: LeadOutcome, after: LeadOutcome) -> None:
        channel = _group(self.channels, lead.channel or "none")
        for outcome, side in ((before, "before"), (after, "after")):
            for change in (
                self.total,
                channel,
                _group(self.stages, reached(outcome)),
                _group(self.reps, outcome.owner or "nobody"),
                _group(self.pools, outcome.pool or "none"),
            ):
                tally: Tally = getattr(change, side)
                tally.count(outcome)


def _group(groups: dict[str, Change], name: str) -> Change:
    found = groups.get(name)
    if found is None:
        found = groups[name] = Change(Tally(), Tally())
    return found


def reached(outcome: LeadOutcome) -> str:
    """The outcome of a lead in one word: how it ended, that it is parked, or its stage."""
    return outcome.stage if outcome.state in ("assigned", "closed") else outcome.state


def differing_fields(before: LeadOutcome, after: LeadOutcome) -> tuple[str, ...]:
    """The names of what differs."""
    return tuple([name for name, field in COMPARED.items() if getattr(before, field) != getattr(after, field)])


def reason_text(proof: Proof | RecordedVerdict) -> str:
    """The reason of a verdict without text from a person or personal data."""
    if proof.ask is None and proof.verdict in ("rejected", "parked"):
        return proof.reason
    if proof.verdict == "split":
        return ASKED["split"]
    if proof.verdict == "merged":
        return "joined the lead that the same person was already"
    if proof.verdict == "rejected":
        return f"{ASKED['rejudged']}; the agreement does not accept it"
    moved = f"{ASKED[proof.ask.kind]}; " if proof.ask is not None else ""
    if proof.verdict == "parked":
        return f"{moved}nobody was available"
    by_turn = f"{proof.rep} is {proof.turn.why}" if proof.turn is not None else f"to {proof.rep}"
    return f"{moved}rule '{proof.rule}': {by_turn}"


ASKED = {
    "missed": "its owner missed the promise",
    "declined": "its owner gave it back",
    "manual": "someone moved it",
    "left": "its owner left the team",
    "on_leave": "its owner went on leave",
    "drained": "it had waited",
    "rescored": "another inquiry raised its score",
    "rejudged": "it was judged again",
    "split": "someone split it from another lead",
    "reopened": "sales accepted it after rejecting it",
}
"""Why a lead changed hands, by the kind of `ReassignReason`."""
