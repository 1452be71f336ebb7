"""Leads that wait when another version of the agreement comes into force."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from services.router.domain import routing as rules
from services.router.domain.parked import Rerouted
from services.router.domain.routing import Routing
from services.router.domain.routing_state import RoutingState
from services.router.simulation.lookup import ReplayLookup
from services.router.simulation.replay_state import ReplayState
from services.router.simulation.storage import DiskDict, ReplayedLead
from shared import agreement_file
from shared.domain.agreement import Agreement
from shared.domain.events import InquiryReceived
from tests.kit.events import after
from tests.services.router_kit import TEAM, stranger

NEWSLETTER = "  - {name: inside sales, when: {field: inquiry.kind, op: is, value: newsletter}, to: {pool: inside}}\n"


def agreed(text: str) -> Agreement:
    return agreement_file.parse(text, "test.yaml").agreement


def test_every_lead_that_waits_is_tried_under_another_version_a_bounded_number_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "PAGE", 2)
    monkeypatch.setattr(rules, "MAX_LEADS", 2)
    state = RoutingState()
    with (
        closing(DiskDict(tmp_path / "leads.db", msgspec.msgpack.Decoder(ReplayedLead))) as leads,
        closing(DiskDict(tmp_path / "inquiries.db", msgspec.msgpack.Decoder(InquiryReceived))) as inquiries,
    ):
        lookup = ReplayLookup(ReplayState(leads, timedelta(seconds=2)), None, inquiries)
        one, two = agreed(TEAM.replace(NEWSLETTER, "")), agreed(TEAM.replace("version: 1", "version: 2"))
        lookup._state.agreements = {each.hash: each for each in (one, two)}
        for number in range(1, 10):
            asked = stranger(number, kind="newsletter" if number == 9 else "demo_request")
            inquiries.put(asked.inquiry_id, asked)
            routing = Routing(state, lookup, one, after(number))
            routing.judge([asked])
            lookup.save(routing)
            state.begin()
        assert state.waiting == {"field": 5}
        reached: Rerouted | None = None
        tried = []
        for minutes in (20, 21, 22):
            routing = Routing(state, lookup, two, after(minutes))
            reached = routing.reroute_parked(reached)
            tried.append((reached and reached.last.lead_id, [each.lead.rep for each in routing.verdicts]))
            lookup.save(routing)
            state.begin()
        assert tried == [("ld_6", []), ("ld_8", []), (None, ["cleo"])]
