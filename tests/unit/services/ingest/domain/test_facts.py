"""An activity names its lead in one way, carries what its kind needs, and respects the agreement."""

from typing import Any

import msgspec
import pytest

from services.ingest.domain.draft import instant_at, json_instant
from services.ingest.domain.facts import Activity, normal_activity, recorded
from services.ingest.domain.identity import Identity, inquiry_stem
from services.ingest.domain.rules import rules_of
from services.ingest.domain.strict_json import Reader
from shared import agreement_file
from shared.domain.errors import Refused
from shared.domain.events import ActivityRecorded
from tests.agreements import agreement_text

identity = Identity(b"a key of more than enough length")
reader: Reader[Activity] = Reader(Activity)
LEAD = identity.lead_id(email="jo@example.com", phone=None)


def activity(**fields: Any) -> Activity:
    return normal_activity(reader.read(msgspec.json.encode(fields)), identity)


@pytest.mark.parametrize(
    "who", [{"lead_id": LEAD}, {"inquiry_id": inquiry_stem(LEAD) + "0" * 24}, {"email": "JO@example.com "}]
)
def test_each_way_to_name_a_lead_names_the_same_lead(who: dict[str, str]) -> None:
    normal = activity(kind="call", **who)
    assert (normal.lead_id, normal.inquiry_id, normal.email) == (LEAD, None, None)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"kind": "call"}, ""),
        ({"kind": "call", "lead_id": LEAD, "email": "jo@example.com"}, ""),
        ({"kind": "call", "lead_id": "4711"}, "/lead_id"),
        ({"kind": "call", "inquiry_id": "4711"}, "/inquiry_id"),
        ({"kind": "call", "email": "4711"}, "/email"),
        ({"kind": "rang", "lead_id": LEAD}, "/kind"),
        ({"kind": "call", "lead_id": LEAD, "outcome": "meh"}, "/outcome"),
        ({"kind": "rejected", "lead_id": LEAD}, "/reason"),
        ({"kind": "objection", "lead_id": LEAD}, "/objection"),
        ({"kind": "content_used", "lead_id": LEAD}, "/content_id"),
        ({"kind": "stage", "lead_id": LEAD}, "/stage"),
        ({"kind": "won", "lead_id": LEAD, "amount": {"value": "12,5", "currency": "EUR"}}, "/amount/value"),
        ({"kind": "won", "lead_id": LEAD, "amount": {"value": 12, "currency": "EUR"}}, "/amount/value"),
        ({"kind": "call", "lead_id": LEAD, "occurred_at": "2026-11-21T09:36:10"}, "/occurred_at"),
        ({"kind": "call", "lead_id": LEAD, "activity_id": ""}, "/activity_id"),
    ],
)
def test_what_an_activity_lacks_or_has_wrong_is_pointed_at(fields: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Refused) as refused:
        activity(**fields)
    assert (refused.value.status, refused.value.pointer) == (422, pointer)


def test_the_event_that_is_kept_is_the_activity_that_was_sent() -> None:
    amount = {"value": "12000.00", "currency": "EUR"}
    sent = activity(
        kind="won", activity_id='crm "991"', email="jo@example.com", by="ann", amount=amount, text="50% off"
    )
    draft = recorded(sent, raw=b"{}")
    event = msgspec.json.decode(draft.value_at(draft.id_at(7), json_instant(7)), type=ActivityRecorded)
    assert event == ActivityRecorded(
        lead_id=LEAD,
        activity_id='crm "991"',
        kind="won",
        accepted_at=instant_at(7),
        by="ann",
        amount=amount,
        text="50% off",
    )
    assert (draft.lead_id, draft.topic) == (LEAD, ActivityRecorded.TOPIC)


def test_a_repeat_is_known_by_its_id_then_by_the_senders_key_then_by_its_bytes() -> None:
    named = activity(kind="call", lead_id=LEAD, activity_id="a")
    bare = activity(kind="call", lead_id=LEAD)
    assert recorded(named, raw=b"1").repeat_key == recorded(named, raw=b"2", sent_key="k").repeat_key
    assert recorded(bare, raw=b"1", sent_key="k").id_at(1) == recorded(bare, raw=b"2", sent_key="k").id_at(2)
    assert recorded(bare, raw=b"1").repeat_key != recorded(bare, raw=b"2").repeat_key
    assert recorded(bare, raw=b"1").id_at(1) != recorded(bare, raw=b"1").id_at(2)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"kind": "rejected", "reason": "no_budget"}, None),
        ({"kind": "rejected", "reason": "other", "text": "moved abroad"}, None),
        ({"kind": "rejected", "reason": "other"}, "/text"),
        ({"kind": "rejected", "reason": "other", "text": " "}, "/text"),
        ({"kind": "rejected", "reason": "bad vibes"}, "/reason"),
        ({"kind": "lost", "reason": "bad vibes"}, None),
        ({"kind": "objection", "objection": "price"}, None),
        ({"kind": "objection", "objection": "smell"}, "/objection"),
        ({"kind": "call", "objection": "smell"}, "/objection"),
    ],
)
def test_the_agreements_reasons_and_objections_hold(fields: dict[str, Any], pointer: str | None) -> None:
    text = agreement_text() + "  objections: [price, timing]\n"
    rules = rules_of(agreement_file.parse(text, "test.yaml").agreement)
    against = rules(activity(lead_id=LEAD, **fields))
    assert (against.pointer if against else None) == pointer
