"""A key counts for its sender only, and whatever was answered with 2xx is stored: someone else's key drops nothing."""

import json
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from shared.domain.events import ACTIVITIES, INQUIRIES, QUARANTINE, ActivityRecorded, InquiryReceived, RecordQuarantined
from tests.services.ingest_kit import GOOGLE_KEY, KEY, Running, running

JO, AL = {"contact": {"email": "jo@example.com"}}, {"contact": {"email": "al@example.com"}}
SCOPES = ["leads:write", "activities:write"]
LEAD = {
    "lead_id": "g-1", "google_key": GOOGLE_KEY,
    "user_column_data": [{"column_id": "EMAIL", "string_value": "jo@example.com"}],
}  # fmt: skip


def keys_file(folder: Path) -> str:
    """One key of an earlier release, without sources, and one that is given some."""
    entries = [
        {"name": name, "sha256": sha256(secret(name).encode()).hexdigest(), "scopes": SCOPES} | more
        for name, more in {"one": {}, "two": {}, "ads": {"sources": ["google", "api"]}}.items()
    ]
    (folder / "keys.json").write_text(json.dumps(entries))
    return str(folder / "keys.json")


def secret(name: str) -> str:
    return f"the-secret-of-{name}-0123456789abcdef"


async def post(ingest: Running, path: str, body: object, by: str | None = None, **headers: str) -> httpx.Response:
    key = secret(by) if by else KEY
    return await ingest.client.post(path, json=body, headers={"Authorization": f"Bearer {key}", **headers})


@pytest.mark.parametrize("body", [{}, {"external_id": "e1"}])
async def test_two_senders_may_use_the_same_key(tmp_path: Path, body: dict[str, str]) -> None:
    sent = {} if body else {"Idempotency-Key": "k"}
    async with running(tmp_path, BATON_KEYS=keys_file(tmp_path)) as ingest:
        first = await post(ingest, "/v1/leads", JO | body, by="one", **sent)
        other = await post(ingest, "/v1/leads", AL | body, by="two", **sent)
        again = await post(ingest, "/v1/leads", AL | body, by="two", **sent)
        events = [received.event for received in await ingest.events(INQUIRIES, 2)]
    results = [answer.json()["results"][0] for answer in (first, other, again)]
    assert [result["status"] for result in results] == ["accepted", "accepted", "duplicate"]
    assert results[2]["inquiry_id"] == results[1]["inquiry_id"]
    people = {event.contact.email for event in events if isinstance(event, InquiryReceived)}
    assert people == {"jo@example.com", "al@example.com"}


@pytest.mark.parametrize(
    ("headers", "body", "named"),
    [({"Idempotency-Key": "k"}, {}, "Idempotency-Key 'k'"), ({}, {"external_id": "e1"}, "external_id 'e1'")],
)
async def test_other_content_under_a_used_key_is_refused_with_both_named(
    tmp_path: Path, headers: dict[str, str], body: dict[str, str], named: str
) -> None:
    async with running(tmp_path) as ingest:
        first = (await post(ingest, "/v1/leads", JO | body, **headers)).json()["results"][0]
        other = await post(ingest, "/v1/leads", AL | body, **headers)
        await ingest.stop()
    async with running(tmp_path) as ingest:
        late = await post(ingest, "/v1/leads", AL | body, **headers)
        fine = (await post(ingest, "/v1/leads", AL)).json()["results"][0]
    assert (other.status_code, late.status_code) == (422, 422)
    assert other.json()["detail"] == late.json()["detail"]
    assert all(part in other.json()["detail"] for part in (named, first["inquiry_id"], fine["lead_id"]))


async def test_one_request_may_not_use_a_key_for_two_things_and_then_stores_neither(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        both = await post(ingest, "/v1/leads", [JO | {"external_id": "e"}, AL | {"external_id": "e"}])
        await post(ingest, "/v1/leads", AL)
        [only] = await ingest.events(INQUIRIES, 1)
    assert both.status_code == 422
    assert isinstance(only.event, InquiryReceived)
    assert only.event.external_id is None


async def test_two_systems_may_choose_the_same_activity_id_and_one_may_not_use_it_twice(tmp_path: Path) -> None:
    def activity(kind: str) -> dict[str, str]:
        return {"kind": kind, "activity_id": "1", "email": "jo@example.com"}

    async with running(tmp_path, BATON_KEYS=keys_file(tmp_path)) as ingest:
        await ingest.until_ready()
        answers = [
            await post(ingest, "/v1/activities", activity(kind), by=by)
            for kind, by in (("note", "one"), ("call", "two"), ("call", "two"), ("meeting", "two"))
        ]
        received = await ingest.events(ACTIVITIES, 2)
    assert [answer.status_code for answer in answers] == [202, 202, 202, 422]
    results = [answer.json()["results"][0] for answer in answers[:3]]
    assert [(r["status"], r["activity_id"]) for r in results] == [
        ("waiting", "1"),
        ("waiting", "1"),
        ("duplicate", "1"),
    ]
    facts = [each.event for each in received if isinstance(each.event, ActivityRecorded)]
    assert {(fact.kind, fact.activity_id, fact.sender) for fact in facts} == {
        ("note", "1", "one"),
        ("call", "1", "two"),
    }
    assert len({each.envelope.id for each in received}) == len({fact.key for fact in facts}) == 2


async def test_a_foreseen_external_id_drops_no_lead_of_a_platform(tmp_path: Path) -> None:
    guess = JO | {"source": "google", "external_id": "g-1"}
    async with running(tmp_path, BATON_KEYS=keys_file(tmp_path)) as ingest:
        refused = await post(ingest, "/v1/leads", guess, by="one")
        allowed = await post(ingest, "/v1/leads", AL | guess | AL, by="ads")
        unnamed = await post(ingest, "/v1/leads", AL | {"source": "other"}, by="ads")
        real = await ingest.client.post("/v1/sources/google", json=LEAD)
        events = [received.event for received in await ingest.events(INQUIRIES, 2)]
    assert (refused.status_code, allowed.status_code, unnamed.status_code, real.status_code) == (403, 202, 403, 200)
    assert "'google'" in refused.json()["detail"]
    people = {event.contact.email for event in events if isinstance(event, InquiryReceived)}
    assert people == {"jo@example.com", "al@example.com"}


async def test_a_platforms_lead_that_changed_under_its_id_is_set_aside_with_both_named(tmp_path: Path) -> None:
    changed = LEAD | {"user_column_data": [{"column_id": "EMAIL", "string_value": "al@example.com"}]}
    async with running(tmp_path) as ingest:
        answers = [await ingest.client.post("/v1/sources/google", json=each) for each in (LEAD, LEAD, changed, changed)]
        [first] = await ingest.events(INQUIRIES, 1)
        [aside] = await ingest.events(QUARANTINE, 1)
    assert {answer.status_code for answer in answers} == {200}
    assert isinstance(aside.event, RecordQuarantined)
    assert isinstance(first.event, InquiryReceived)
    assert (aside.event.code, aside.event.origin) == ("key_reused", "source:google")
    assert first.event.inquiry_id in aside.event.detail
    assert b"al@example.com" in aside.event.body


async def test_an_anonymous_submission_id_stands_in_nobody_elses_way(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        for person, message in (("al", "first"), ("jo", "real"), ("jo", "changed")):
            form = {"email": f"{person}@example.com", "submission_id": "s1", "message": message}
            answer = await ingest.client.post("/v1/sources/open", data=form)
            assert answer.json()["results"][0]["status"] == "accepted"
        events = [received.event for received in await ingest.events(INQUIRIES, 2)]
        [aside] = await ingest.events(QUARANTINE, 1)
    assert {event.message for event in events if isinstance(event, InquiryReceived)} == {"first", "real"}
    assert isinstance(aside.event, RecordQuarantined)
    assert b"changed" in aside.event.body
