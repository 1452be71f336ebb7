"""Two leads that an inquiry shows to be of one person: how sales ended either since then ends both, and how it ended
one before says nothing about the other. The router and the scoreboard come to the same, whatever is read first.
"""

import dataclasses
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from itertools import permutations
from pathlib import Path

import pytest
from msgspec.structs import replace

from services.router.domain.formats import BOTH_LEADS_END, FORMAT
from services.scoreboard.domain import leads as scoreboard
from services.scoreboard.domain.leads import LeadRow
from shared.domain.activities import CLOSING
from shared.domain.events import ActivityRecorded, Event, InquiryReceived, LeadAssigned, LeadDecided, LeadMerged
from shared.domain.lead import Contact
from tests.kit.events import activity, after
from tests.unit.services.router.domain.test_decision import AGREED, inquiry
from tests.unit.services.router.recorded_router import RecordedRouter

IDS = ("ld_1", "ld_2")
PHONE, EMAIL = Contact(phone="+32470000000"), Contact(email="jo@example.com")
BOTH = Contact(phone=PHONE.phone, email=EMAIL.email)
LINKED_AT = 10


def fact(lead: int, kind: str, minutes: float) -> ActivityRecorded:
    at = after(minutes)
    return activity(f"ld_{lead}", kind, activity_id=f"{kind}_{lead}_{minutes}", accepted_at=at, outcome=None)


FIRST = inquiry(1, lead_id="ld_1", contact=PHONE, accepted_at=after(0))
SECOND = inquiry(2, lead_id="ld_2", contact=EMAIL, accepted_at=after(1))
LINK = inquiry(3, lead_id="ld_2", contact=BOTH, accepted_at=after(LINKED_AT))
Known = tuple[str, str | None, datetime | None]

STORIES = [
    [fact(lead, kind, minutes) for lead, kind, minutes in story]
    for story in (
        [(1, "won", 20)],
        [(2, "won", 20)],
        [(1, "lost", 5)],
        [(2, "lost", 5)],
        [(2, "won", 5)],
        [(1, "rejected", 5), (2, "won", 20)],
        [(2, "rejected", 5), (1, "won", 20)],
        [(1, "won", 10), (2, "lost", 20)],
        [(1, "rejected", 20), (2, "won", 30)],
        [(2, "rejected", 20), (1, "lost", 20)],
        [(1, "rejected", 20), (2, "lost", 20)],
        [(1, "lost", 20), (2, "won", 20)],
        [(2, "lost", 20), (1, "rejected", 30)],
        [(1, "rejected", 20), (2, "accepted", 30)],
        [(2, "rejected", 20), (2, "accepted", 30)],
        [(1, "rejected", 20), (2, "accepted", 30), (1, "lost", 40)],
    )
]


def expected(story: list[ActivityRecorded]) -> Known:
    """What the last that sales did about the person comes to, since it is one person."""
    since = [each for each in story if each.accepted_at >= after(LINKED_AT)]
    if not since or since[-1].kind not in CLOSING:
        return ("assigned", None, None)
    return ("closed", since[-1].kind, since[-1].accepted_at)


class Page:
    """The rows of the scoreboard."""

    def __init__(self) -> None:
        self.rows = {lead_id: LeadRow(lead_id=lead_id) for lead_id in IDS}

    def read(self, event: Event) -> None:
        row = self.rows[event.lead_id]
        if isinstance(event, ActivityRecorded):
            row = scoreboard.act(row, event)
        elif isinstance(event, LeadAssigned | LeadDecided):
            row = scoreboard.settle(row, event)
        self.rows[event.lead_id] = row
        for each in list(self.rows.values()):
            if each.merged_into is not None:
                heir = self.rows[each.merged_into]
                self.rows[heir.lead_id] = scoreboard.inherit(heir, each)

    def shows(self) -> Known:
        [row] = [row for row in self.rows.values() if row.merged_into is None]
        return (row.state, row.ended_as, row.ended_at) if row.state == "closed" else (row.state, None, None)


class Past:
    """What was read of two people who turn out to be one: both inquiries in this order, then more of them."""

    def __init__(self, folder: Path, asked: Sequence[InquiryReceived]) -> None:
        folder.mkdir()
        self.router = RecordedRouter(folder)
        self.router.lookup.candidates = IDS
        self.router.agreed = dataclasses.replace(AGREED, mql=dataclasses.replace(AGREED.mql, minimum_data=()))
        self.announced: list[Event] = []
        self.events: list[Event] = []
        self._minutes = 1
        for each in asked:
            self.read(each)

    def read(self, event: InquiryReceived | ActivityRecorded) -> None:
        if isinstance(event, InquiryReceived):
            self.router.ask(event, minutes=self._minutes)
        else:
            self.router.act(event, minutes=self._minutes)
            self.events.append(event)
        self.announced += self.router.announced
        self.events += self.router.announced
        self._minutes += 60

    def merged(self) -> LeadMerged:
        """The end of the lead that ceased."""
        [found] = [event for event in self.announced if isinstance(event, LeadMerged) and event.was is not None]
        return found

    def known(self) -> list[Known]:
        """The person's lead in the router, and in a simulation of what it recorded."""
        into = str(self.merged().into)
        leads = [each.lead(into) for each in (self.router.live, self.router.past)]
        return [
            (lead.state, lead.outcome, lead.ended_at) if lead.state == "closed" else (lead.state, None, None)
            for lead in leads
            if lead is not None and lead.into is None
        ]


@pytest.mark.parametrize("asked", [(FIRST, SECOND), (SECOND, FIRST)], ids=["by number", "by address"])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: " ".join(each.activity_id for each in story))
def test_in_any_order_router_and_scoreboard_come_to_the_same(
    tmp_path: Path, asked: Sequence[InquiryReceived], story: list[ActivityRecorded]
) -> None:
    read: list[InquiryReceived | ActivityRecorded] = [LINK, *story]
    ceased = set()
    for number, order in enumerate(permutations(read)):
        past = Past(tmp_path / str(number), asked)
        with closing(past.router):
            for each in order:
                past.read(each)
            ceased.add(past.merged().lead_id)
            assert past.merged().was in ("assigned", "closed")
            assert past.merged().one_person_since == after(LINKED_AT)
            assert past.known() == [expected(story)] * 2
            assert sum(state.open for state in past.router.state.reps.values()) == (expected(story)[0] == "assigned")
        announced = past.announced
        for events in (past.events, [*story, *announced], [*announced, *story], [*announced, *reversed(story)]):
            page = Page()
            for event in events:
                page.read(event)
            assert page.shows() == expected(story)
    if all(each.kind in CLOSING and each.accepted_at >= after(LINKED_AT) for each in story):
        assert ceased == {asked[1].lead_id}


def test_the_reason_for_which_a_lead_ended_goes_with_its_end(tmp_path: Path) -> None:
    past = Past(tmp_path / "past", [FIRST, SECOND])
    with closing(past.router):
        past.read(replace(fact(2, "lost", 20), reason="no_budget"))
        past.read(LINK)
        lead = past.router.live.lead("ld_1")
        assert lead is not None
        assert (lead.outcome, lead.reason, lead.stage) == ("lost", "lost by ann: no_budget", "mql")


@pytest.mark.parametrize("kind", CLOSING)
def test_how_a_lead_had_ended_before_it_ceased_says_nothing_about_the_one_that_goes_on(
    tmp_path: Path, kind: str
) -> None:
    past = Past(tmp_path / "past", [FIRST, SECOND])
    with closing(past.router):
        past.read(LINK)
        before = past.router.live.lead("ld_1")
        assert past.router.act(fact(2, kind, 5)) == []
        assert past.router.live.lead("ld_1") == before
        assert past.router.announced == []


def test_leads_that_an_earlier_release_merged_still_end_by_what_is_read_under_either_id(tmp_path: Path) -> None:
    past = Past(tmp_path / "past", [FIRST, SECOND])
    with closing(past.router):
        past.router.proof_format = BOTH_LEADS_END - 1
        past.read(LINK)
        assert past.merged().one_person_since is None
        past.router.proof_format = FORMAT
        past.read(fact(2, "won", 5))
        for each in (past.router.live, past.router.past):
            lead = each.lead("ld_1")
            assert lead is not None
            assert (lead.ended_at, lead.generation) == (after(5), 2), "the last inquiry began another cycle after that"


def test_an_id_that_ceased_before_the_persons_lead_did_counts_as_the_same_person_since_the_later_of_both(
    tmp_path: Path,
) -> None:
    other = Contact(email="jo@other.example")
    past = Past(tmp_path / "past", [replace(FIRST, lead_id="ld_0", contact=other), FIRST, SECOND])
    past.router.lookup.candidates = ("ld_0", *IDS)
    with closing(past.router):
        past.read(LINK)
        past.read(replace(LINK, inquiry_id="inq_4", contact=replace(other, phone=PHONE.phone), accepted_at=after(30)))
        past.read(replace(LINK, inquiry_id="inq_5", accepted_at=after(40)))
        into = {
            lead_id: lead.into for lead_id in ("ld_0", *IDS) if (lead := past.router.live.lead(lead_id)) is not None
        }
        assert into == {"ld_0": None, "ld_1": "ld_0", "ld_2": "ld_0"}
        cycles = []
        for minutes in (20, 30):
            past.read(fact(2, "won", minutes))
            cycles.append(past.router.state.leads["ld_0"].cycle)
        assert cycles == [1, 2], "the last inquiry began another cycle after the end that counts"
