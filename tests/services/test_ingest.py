"""The routes of ingest on a real port: what is accepted, what is refused and how, and what reaches the log."""

import asyncio
import itertools
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from shared.domain.events import ACTIVITIES, INQUIRIES, ActivityRecorded, InquiryReceived
from shared.domain.ids import event_id
from tests.kit.agreements import agreement_text
from tests.services.ingest_kit import KEY, running

JO = {"contact": {"email": "jo@example.com"}}
AUTH = {"Authorization": f"Bearer {KEY}"}


async def test_a_lead_is_answered_with_its_ids_and_reaches_the_log_as_sent(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        answer = await ingest.post(
            "/v1/leads", {**JO, "source": "web", "external_id": "e1", "custom": {"a": [1, None]}}
        )
        assert answer.status_code == 202
        [result] = answer.json()["results"]
        [received] = await ingest.events(INQUIRIES, 1)
    event = received.event
    assert isinstance(event, InquiryReceived)
    assert result == {"status": "accepted", "inquiry_id": event.inquiry_id, "lead_id": event.lead_id}
    assert (event.contact.email, event.custom, event.source) == ("jo@example.com", {"a": [1, None]}, "web")
    assert received.envelope.id == event_id(InquiryReceived.TYPE, event.inquiry_id)
    assert abs((received.envelope.time - event.accepted_at).total_seconds()) < 0.001
    assert received.record.key == event.lead_id


@pytest.mark.parametrize("again", [{"Idempotency-Key": "k1"}, {}])
async def test_a_repeat_gets_the_first_answer_and_makes_no_second_event(tmp_path: Path, again: dict[str, str]) -> None:
    async with running(tmp_path) as ingest:
        first = (await ingest.post("/v1/leads", [JO, {"contact": {"phone": "+32470123456"}}], **again)).json()[
            "results"
        ]
        second = (await ingest.post("/v1/leads", [JO, {"contact": {"phone": "+32470123456"}}], **again)).json()[
            "results"
        ]
        await ingest.post("/v1/leads", {**JO, "message": "another"})
        events = await ingest.events(INQUIRIES, 3)
    assert [r["status"] for r in first] == ["accepted", "accepted"]
    assert second == [{**result, "status": "duplicate"} for result in first]
    assert len({e.envelope.id for e in events}) == 3


async def test_a_repeat_is_known_after_a_restart(tmp_path: Path) -> None:
    lead = {**JO, "source": "web", "external_id": "e1"}
    async with running(tmp_path) as ingest:
        first = (await ingest.post("/v1/leads", lead)).json()["results"][0]
        await ingest.stop()
    async with running(tmp_path) as ingest:
        second = (await ingest.post("/v1/leads", {**lead, "occurred_at": None})).json()["results"][0]
        await ingest.stop()
    assert second == {**first, "status": "duplicate"}


async def test_lines_and_arrays_are_taken_and_answered_in_order(tmp_path: Path) -> None:
    people = [{"contact": {"email": f"p{n}@example.com"}} for n in range(3)]
    lines = "\n".join(json.dumps(p) for p in people) + "\n\n"
    async with running(tmp_path) as ingest:
        array = await ingest.post("/v1/leads", people)
        answer = await ingest.client.post(
            "/v1/leads", content=lines, headers={**AUTH, "Content-Type": "application/x-ndjson"}
        )
    ids = [r["lead_id"] for r in array.json()["results"]]
    assert answer.status_code == 202
    assert [r["lead_id"] for r in answer.json()["results"]] == ids
    assert len(set(ids)) == 3


JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/x-ndjson"}
BAD: list[tuple[dict[str, Any], int, str, str | None]] = [
    ({"content": b"{", "headers": JSON}, 400, "Line 1, column 2", None),
    ({"content": b"", "headers": JSON}, 400, "nothing in the body", None),
    ({"content": b"[]", "headers": JSON}, 422, "at least one item", None),
    (
        {"content": b'{"contact": {"email": "a@b.example"},\n "contact": {}}', "headers": JSON},
        400,
        "Line 2, column 12",
        None,
    ),
    ({"content": b'[{"contact": {"email": "a@b.example"}},\n{"contact": NaN}]', "headers": JSON}, 400, "Line 2", None),
    ({"content": b'{"contact":\n{}}\n{"contact": {}}', "headers": JSON}, 400, "application/x-ndjson", None),
    (
        {"content": b'{"contact": {"email": "a@b.example"}}\n{"contact": {}', "headers": LINES},
        400,
        "Line 2, column 15",
        None,
    ),
    ({"content": b"[" * 5000, "headers": JSON}, 400, "deeper than 32", None),
    ({"content": b"5", "headers": JSON}, 422, "Expected 'object'", None),
    ({"json": {"contact": {"email": "nobody"}}}, 422, "not an e-mail address", "/contact/email"),
    ({"json": {"contact": {"email": "jo@example.com", "phone": "0470"}}}, 422, "country code", "/contact/phone"),
    ({"json": {"contact": {}}}, 422, "contact.phone", "/contact"),
    ({"json": {**JO, "utm": 1}}, 422, "Unknown field", "/utm"),
    ({"json": {**JO, "occurred_at": "yesterday"}}, 422, "RFC3339", "/occurred_at"),
    ({"json": [JO, {"contact": {"email": 5}}]}, 422, "Expected", "/1/contact/email"),
    ({"json": [JO, {"contact": {"email": "x"}}]}, 422, "not an e-mail", "/1/contact/email"),
    (
        {"content": b"email=jo", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        415,
        "application/json",
        None,
    ),
    ({"json": JO, "headers": {"Content-Encoding": "gzip"}}, 415, "uncompressed", None),
    ({"json": JO, "headers": {"Idempotency-Key": "x" * 300}}, 400, "Idempotency-Key", None),
    ({"json": {**JO, "custom": {"a": ["x" * 16_000] * 20}}}, 413, "256 KiB", None),
    ({"content": b" " * (1024 * 1024 + 1), "headers": JSON}, 413, "1024 KiB", None),
    ({"json": [JO] * 1001}, 413, "1000 items", None),
]


async def test_every_bad_request_is_answered_with_what_is_wrong_and_stores_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        for request, status, detail, pointer in BAD:
            headers = {**AUTH, **request.get("headers", {})}
            answer = await ingest.client.post("/v1/leads", **{**request, "headers": headers})
            body = answer.json()
            assert (answer.status_code, body["status"]) == (status, status), body
            assert answer.headers["content-type"] == "application/problem+json"
            assert detail in body["detail"], body
            assert (body.get("errors", [{}])[0].get("pointer")) == pointer, body
        await ingest.post("/v1/leads", {"contact": {"email": "good@example.com"}})
        [only] = await ingest.events(INQUIRIES, 1)
    assert isinstance(only.event, InquiryReceived)
    assert only.event.contact.email == "good@example.com"


async def test_a_request_without_the_right_key_or_method_is_refused_with_the_reason(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        none = await ingest.client.post("/v1/leads", json=JO)
        wrong = await ingest.client.post("/v1/leads", json=JO, headers={"Authorization": "Bearer nope"})
        get = await ingest.client.get("/v1/activities", headers=AUTH)
        put = await ingest.client.put("/v1/leads", json=JO, headers=AUTH)
        unknown = await ingest.client.post("/v1/sources/nowhere", json={})
    assert (none.status_code, wrong.status_code, unknown.status_code) == (401, 401, 404)
    assert none.headers["www-authenticate"].startswith("Bearer")
    assert (get.status_code, get.headers["allow"]) == (405, "POST")
    assert (put.status_code, put.headers["allow"]) == (405, "POST")


async def test_a_key_without_the_scope_is_refused_by_the_name_of_the_scope(tmp_path: Path) -> None:
    entry = {
        "name": "crm",
        "sha256": sha256(b"the-secret-of-the-crm-0123456789").hexdigest(),
        "scopes": ["activities:write"],
    }
    (tmp_path / "keys.json").write_text(json.dumps([entry]))
    async with running(tmp_path, BATON_KEYS=str(tmp_path / "keys.json")) as ingest:
        answer = await ingest.client.post(
            "/v1/leads", json=JO, headers={"Authorization": "Bearer the-secret-of-the-crm-0123456789"}
        )
    assert answer.status_code == 403
    assert "leads:write" in answer.json()["detail"]


async def test_a_slow_sender_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.api.request.BODY_S", 0.1)
    async with running(tmp_path) as ingest:
        reader, writer = await asyncio.open_connection("127.0.0.1", ingest.port)
        head = f"POST /v1/leads HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: 100\r\n\r\n{{"
        writer.write(head.encode())
        async with asyncio.timeout(60):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 408")


async def test_a_body_is_counted_while_it_streams(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        reader, writer = await asyncio.open_connection("127.0.0.1", ingest.port)
        head = (
            f"POST /v1/leads HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        writer.write(head.encode() + (b"10000\r\n" + b" " * 65_536 + b"\r\n") * 17)
        async with asyncio.timeout(60):
            answer = await reader.read(100)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 413")


async def test_activities_are_accepted_by_any_name_of_the_lead_and_keyed_by_it(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        lead = (await ingest.post("/v1/leads", JO)).json()["results"][0]
        await ingest.until_ready()
        sent = [
            {"kind": "call", "activity_id": "a1", "lead_id": lead["lead_id"], "outcome": "connected", "by": "ann"},
            {"kind": "declined", "activity_id": "a2", "lead_id": lead["lead_id"], "by": " Ann@acme.example"},
            {"kind": "note", "inquiry_id": lead["inquiry_id"], "text": "hm"},
            {"kind": "email", "email": "JO@example.com"},
        ]
        answer = await ingest.post("/v1/activities", sent)
        again = await ingest.post("/v1/activities", sent[0])
        events = await ingest.events(ACTIVITIES, 4)
    assert answer.status_code == 202, answer.text
    by = {e.event.kind: e.event.by for e in events if isinstance(e.event, ActivityRecorded)}
    assert by == {"call": "ann", "declined": "ann", "note": None, "email": None}
    results = answer.json()["results"]
    assert results[0] == {"status": "accepted", "activity_id": "a1", "lead_id": lead["lead_id"]}
    assert {r["lead_id"] for r in results} == {lead["lead_id"]} == {e.event.lead_id for e in events}
    assert again.json()["results"] == [{**results[0], "status": "duplicate"}]


@pytest.mark.parametrize(
    ("activity", "pointer"),
    [
        ({"kind": "rejected", "reason": "bored", "email": "a@b.example"}, "/reason"),
        ({"kind": "rejected", "reason": "other", "email": "a@b.example"}, "/text"),
        ({"kind": "rejected", "email": "a@b.example"}, "/reason"),
        ({"kind": "dance", "email": "a@b.example"}, "/kind"),
        ({"kind": "call", "email": "nobody"}, "/email"),
        ({"kind": "call", "email": "a@b.example", "by": "zoe"}, "/by"),
        ({"kind": "call", "email": "a@b.example", "mood": 1}, "/mood"),
    ],
)
async def test_an_activity_against_the_rules_is_refused_at_its_place(
    tmp_path: Path, activity: dict[str, str], pointer: str
) -> None:
    async with running(tmp_path) as ingest:
        await ingest.until_ready()
        answer = await ingest.post("/v1/activities", [{"kind": "call", "email": "a@b.example"}, activity])
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/1" + pointer


async def test_the_endpoint_goes_by_the_agreement_in_force_without_a_restart(tmp_path: Path) -> None:
    file, fact = tmp_path / "agreement.yaml", {"kind": "stage", "stage": "sql", "email": "a@b.example"}
    async with running(tmp_path) as ingest, asyncio.timeout(60):
        await ingest.until_ready()
        assert (await ingest.post("/v1/activities", {**fact, "activity_id": "1"})).status_code == 202
        assert (await ingest.client.get("/readyz")).json()["notes"] == {}
        file.write_text("agreement: test\n")
        while not (notes := (await ingest.client.get("/readyz")).json()["notes"]):
            await asyncio.sleep(0.05)
        assert "version 1 of test stays in force" in notes["ingest.agreement"]
        assert (await ingest.client.get("/readyz")).status_code == 200
        second = agreement_text().replace("version: 1", "version: 2")
        file.write_text(second.replace("definitions:\n", "definitions:\n  sql: {needs: [need]}\n"))
        for number in itertools.count(2):
            answer = await ingest.post("/v1/activities", {**fact, "activity_id": str(number)})
            if answer.status_code != 202:
                break
            await asyncio.sleep(0.05)
        confirmed = await ingest.post("/v1/activities", {**fact, "activity_id": "another", "confirmed": ["need"]})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/confirmed")
        assert confirmed.status_code == 202


async def test_only_an_operator_takes_the_clock_of_the_machine_as_right(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        assert (await ingest.client.post("/v1/clock/accept")).status_code == 401
        accepted = await ingest.post("/v1/clock/accept", None)
        assert accepted.status_code == 200
        assert accepted.json()["clock"] == "accepted"
        assert accepted.json()["instance"]
