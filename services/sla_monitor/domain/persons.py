"""Which leads are one person: a lead that became part of another, and what is reported under either id."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from services.sla_monitor.domain.window import INQUIRY, Fact
from shared.domain.events import Event, LeadMerged
from shared.domain.settlement import passes_on


class Merge(msgspec.Struct, frozen=True):
    """A lead id that continues `into` another since `merged_at`. `was_lead` says whether it had been a lead itself; if
    not, it is only one more id under which the person is known.
    """

    lead_id: str
    into: str
    merged_at: datetime
    was_lead: bool


def merges_in(event: Event) -> list[Merge]:
    """The merge that an event announces, if it does. Records of earlier releases, and merges by hand, have no instant
    but that of the decision.
    """
    if not isinstance(event, LeadMerged) or event.into is None:
        return []
    merged_at = event.one_person_since or event.decided_at
    return [Merge(event.lead_id, event.into, merged_at, event.was is not None)]


class Persons:
    """The ids of some people: for each, that of the lead that goes on and those of all that became part of it."""

    def __init__(self, lead_ids: Collection[str], merges: Iterable[Merge]) -> None:
        self._asked = lead_ids
        self._merges = {merge.lead_id: merge for merge in merges}
        self._ids: defaultdict[str, set[str]] = defaultdict(set)
        for lead_id in self._merges:
            self._ids[self.lead_of(lead_id)].add(lead_id)

    @property
    def ids(self) -> list[str]:
        """All ids of all of them."""
        return self.ids_of(self._asked)

    def lead_of(self, lead_id: str) -> str:
        """The lead under which the person goes on, which is `lead_id` itself if it became part of no other."""
        if lead_id not in self._merges:
            return lead_id
        seen = {lead_id}
        while lead_id in self._merges and self._merges[lead_id].into not in seen:
            lead_id = self._merges[lead_id].into
            seen.add(lead_id)
        return lead_id

    def ids_of(self, lead_ids: Iterable[str]) -> list[str]:
        """All ids of the people with these ids, each once."""
        if not self._merges:
            return list(dict.fromkeys(lead_ids))
        leads = dict.fromkeys(self.lead_of(lead_id) for lead_id in lead_ids)
        return [each for lead_id in leads for each in (lead_id, *sorted(self._ids.get(lead_id, ())))]

    def facts_for(self, lead_id: str, facts: Mapping[str, Sequence[Fact]]) -> list[Fact]:
        """What counts for a lead, of the facts by the id under which they were reported."""
        if not self._merges:
            return list(facts.get(lead_id, ()))
        ids = self.ids_of([lead_id])
        return [fact for each in ids for fact in facts.get(each, ()) if self.counts(lead_id, each, fact)]

    def counts(self, lead_id: str, reported_under: str, fact: Fact) -> bool:
        """Whether a fact reported under one id of the person counts for a lead of theirs.

        Where a lead started concerns that lead only.
        """
        if reported_under == lead_id:
            return True
        between = self._way(lead_id) ^ self._way(reported_under)
        merged_at = max((each.merged_at for each in between if each.was_lead), default=None)
        return fact.kind != INQUIRY and passes_on(fact.kind, fact.accepted_at, merged_at)

    def _way(self, lead_id: str) -> set[Merge]:
        """The merges from this id to the lead under which the person goes on."""
        found: set[Merge] = set()
        while (merge := self._merges.get(lead_id)) is not None and merge not in found:
            found.add(merge)
            lead_id = merge.into
        return found
