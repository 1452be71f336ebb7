"""An activity names its lead in one way, carries what its kind needs, and respects the agreement."""

from typing import Any

import msgspec
import pytest

from services.ingest.domain.facts import Activity, normal_activity, recorded
from services.ingest.domain.identity import Identity, inquiry_stem
from services.ingest.domain.pending_event import PendingEvent, instant_at, json_instant
from services.ingest.domain.rules import counted, rules_of
from services.ingest.domain.strict_json import Reader
from shared import agreement_file
from shared.domain.errors import Refused
from shared.domain.events import ActivityRecorded, activity_id_of
from tests.kit.agreements import agreement_text

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
        ({"kind": "declined"}, ""),
        ({"kind": "call", "lead_id": LEAD, "confirmed": ["need"]}, "/confirmed"),
        ({"kind": "stage", "lead_id": LEAD, "confirmed": ["need"]}, "/stage"),
        ({"kind": "stage", "lead_id": LEAD, "stage": "sql", "confirmed": "need"}, "/confirmed"),
    ],
)
def test_what_an_activity_lacks_or_has_wrong_is_pointed_at(fields: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Refused) as refused:
        activity(**fields)
    assert (refused.value.status, refused.value.pointer) == (422, pointer)


def test_the_stored_event_is_the_activity_that_was_sent() -> None:
    amount = {"value": "12000.00", "currency": "EUR"}
    sent = activity(
        kind="won", activity_id='crm "991"', email="jo@example.com", by="ann", amount=amount, text="50% off"
    )
    pending_event = recorded(sent, sender="crm", raw=b"{}")
    event = msgspec.json.decode(pending_event.value_at(pending_event.id_at(7), json_instant(7)), type=ActivityRecorded)
    assert event == ActivityRecorded(
        lead_id=LEAD,
        activity_id='crm "991"',
        kind="won",
        accepted_at=instant_at(7),
        by="ann",
        amount=amount,
        text="50% off",
        sender="crm",
    )
    assert pending_event.shown_id == 'crm "991"'
    assert (pending_event.lead_id, pending_event.topic) == (LEAD, ActivityRecorded.TOPIC)


def test_what_was_confirmed_and_why_a_lead_was_declined_is_stored() -> None:
    stage = recorded(
        activity(kind="stage", stage="sql", confirmed=["need", "authority"], lead_id=LEAD), sender="crm", raw=b"1"
    )
    declined = recorded(activity(kind="declined", reason="on leave", lead_id=LEAD), sender="crm", raw=b"2")
    events = [
        msgspec.json.decode(pending_event.value_at("a", json_instant(7)), type=ActivityRecorded)
        for pending_event in (stage, declined)
    ]
    assert (events[0].stage, events[0].confirmed) == ("sql", ("need", "authority"))
    assert (events[1].kind, events[1].reason, events[1].confirmed) == ("declined", "on leave", ())


def _draft(raw: bytes, sent: str | None = None, *, by: str = "crm", **fields: Any) -> PendingEvent:
    return recorded(activity(kind="call", lead_id=LEAD, **fields), sender=by, raw=raw, sent_key=sent)


def test_a_repeat_is_known_by_its_id_then_by_the_senders_key_then_by_its_bytes() -> None:
    assert _draft(b"1", activity_id="a").repeat_key == _draft(b"2", "k", activity_id="a").repeat_key
    assert _draft(b"1", "k").id_at(1) == _draft(b"2", "k").id_at(2)
    assert _draft(b"1").repeat_key != _draft(b"2").repeat_key
    assert _draft(b"1").id_at(1) != _draft(b"1").id_at(2)


def test_facts_of_two_senders_are_distinct_whatever_ids_they_choose() -> None:
    pending_events = [_draft(b"1", activity_id="a", by=by) for by in ("crm", "other")]
    events = [
        msgspec.json.decode(pending_event.value_at(pending_event.id_at(7), json_instant(7)), type=ActivityRecorded)
        for pending_event in pending_events
    ]
    assert (
        len({pending_event.repeat_key for pending_event in pending_events})
        == len({pending_event.id_at(7) for pending_event in pending_events})
        == 2
    )
    assert len({event.key for event in events}) == 2
    assert [activity_id_of(event.key) for event in events] == ["a", "a"]
    assert _draft(b"1", "k").repeat_key != _draft(b"1", "k", by="other").repeat_key
    assert _draft(b"1").repeat_key != _draft(b"1", by="other").repeat_key


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


def test_clocks_are_paused_only_under_an_agreement_that_says_for_how_long() -> None:
    text = agreement_text()
    more = """    feedback: {within: 5 business days, met_by: [accepted, rejected], ladder: response}
    pause: {at_most: 5 business days}
"""
    pausing = text.replace("\nladders:\n", f"{more}\nladders:\n")
    for kind in ("paused", "resumed"):
        asked = activity(lead_id=LEAD, kind=kind, reason="on holiday")
        against = rules_of(agreement_file.parse(text, "test.yaml").agreement)(asked)
        assert against is not None
        assert "promises.sales.pause" in against.detail
        assert rules_of(agreement_file.parse(pausing, "test.yaml").agreement)(asked) is None


@pytest.mark.parametrize("by", ["ann", " Ann", "ANN@acme.example ", None])
def test_people_are_named_by_id_or_address_without_case_and_spaces(by: str | None) -> None:
    agreement = agreement_file.parse(agreement_text(), "test.yaml").agreement
    given = activity(lead_id=LEAD, kind="declined", by=by)
    assert counted(agreement, given).by == (by and "ann")


@pytest.mark.parametrize("by", ["zoe", "", "ann@other.example", "ann bob"])
def test_an_unknown_person_is_refused(by: str) -> None:
    agreement = agreement_file.parse(agreement_text(), "test.yaml").agreement
    with pytest.raises(Refused, match="ann, bob, cleo, mia") as refused:
        counted(agreement, activity(lead_id=LEAD, kind="call", by=by))
    assert (refused.value.status, refused.value.pointer) == (422, "/by")


def test_a_repeat_is_known_by_what_was_sent_even_if_a_person_has_another_address_by_then() -> None:
    agreement = agreement_file.parse(agreement_text(), "test.yaml").agreement
    sent = activity(lead_id=LEAD, kind="call", activity_id="1", by="ann@acme.example")
    before = recorded(sent, sender="crm", raw=b"")
    after = recorded(sent, sender="crm", raw=b"", rules=lambda activity: counted(agreement, activity))
    assert (before.id, before.content) == (after.id, after.content)
    assert b'"by":"ann"' in after.body


NEEDS = agreement_text().replace("definitions:\n", "definitions:\n  sql: {needs: [authority, need, timeline]}\n")


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ({"kind": "stage", "stage": "sql"}, "authority, need, timeline"),
        ({"kind": "stage", "stage": " SQL"}, "authority, need, timeline"),
        ({"kind": "stage", "stage": "sql", "confirmed": ["timeline", "authority"]}, "need"),
        ({"kind": "stage", "stage": "sql", "confirmed": ["need", "timeline", "authority", "budget"]}, None),
        ({"kind": "stage", "stage": "opportunity"}, "authority, need, timeline"),
        ({"kind": "opportunity"}, "authority, need, timeline"),
        ({"kind": "opportunity", "confirmed": ["need", "timeline", "authority"]}, None),
        ({"kind": "stage", "stage": "sal"}, None),
        ({"kind": "won"}, None),
        ({"kind": "call"}, None),
    ],
)
def test_a_lead_becomes_an_sql_only_with_all_that_the_agreement_has_confirmed(
    fields: dict[str, Any], missing: str | None
) -> None:
    agreement = agreement_file.parse(NEEDS, "test.yaml").agreement
    against = rules_of(agreement)(activity(lead_id=LEAD, **fields))
    if missing is None:
        assert against is None
        return
    assert against is not None
    assert (against.status, against.pointer) == (422, "/confirmed")
    assert against.detail.endswith(f"what is missing to 'confirmed': {missing}.")
    assert "definitions.sql.needs" in against.detail


def test_an_agreement_that_asks_for_nothing_takes_any_stage() -> None:
    agreement = agreement_file.parse(agreement_text(), "test.yaml").agreement
    assert rules_of(agreement)(activity(lead_id=LEAD, kind="stage", stage="sql")) is None


@pytest.mark.parametrize(("sent", "stage"), [("SQL", "sql"), (" Sal ", "sal"), ("Opportunity", "opportunity")])
def test_a_stage_is_compared_without_case_and_recorded_as_the_list_has_it(sent: str, stage: str) -> None:
    found = normal_activity(activity(kind="stage", stage=sent, lead_id=LEAD), identity)
    assert found.stage == stage


@pytest.mark.parametrize("sent", ["closedwon", "foo", "customer", "mql", "sql2"])
def test_a_stage_that_is_not_in_the_list_is_refused_with_the_list(sent: str) -> None:
    with pytest.raises(Refused, match=r"sal, sql, opportunity") as refused:
        normal_activity(activity(kind="stage", stage=sent, lead_id=LEAD), identity)
    assert refused.value.pointer == "/stage"
