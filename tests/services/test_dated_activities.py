"""A sender who is trusted with it says when a call happened: it counts from then, and takes a breach back."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import (
    ACTIVITIES,
    ActivityRecorded,
    BreachRetracted,
    EscalationClosed,
    WindowBreached,
    WindowMet,
)
from tests.kit.agreements import agreement_text
from tests.services.audit_kit import audited, read_all
from tests.services.ingest_kit import Running, running
from tests.services.sla_monitor_kit import QUICK, Stage, activity, assigned, now, stage_on

TRUSTED, OTHER = "crm-of-acme", "dialler-of-acme"
HOUR = timedelta(hours=1)


@pytest.fixture
async def stage(embedded_bus: EmbeddedBus, database: Database) -> AsyncIterator[Stage]:
    async with stage_on(database, embedded_bus) as stage:
        yield stage


def secret(name: str) -> str:
    return f"the-secret-of-{name}-0123456789abcdef"


def keys_file(folder: Path) -> str:
    scopes = {TRUSTED: ["activities:write", "activities:date"], OTHER: ["activities:write"]}
    entries = [
        {"name": name, "sha256": sha256(secret(name).encode()).hexdigest(), "scopes": each}
        for name, each in scopes.items()
    ]
    (folder / "keys.json").write_text(json.dumps(entries))
    return str(folder / "keys.json")


async def report(ingest: Running, by: str, **more: object) -> httpx.Response:
    body = {"kind": "call", "email": "jo@example.com", **more}
    return await ingest.client.post("/v1/activities", json=body, headers={"Authorization": f"Bearer {secret(by)}"})


async def test_a_call_counts_from_when_a_trusted_sender_says_and_from_its_acceptance_for_others(tmp_path: Path) -> None:
    happened_at = now() - HOUR
    async with running(tmp_path, BATON_KEYS=keys_file(tmp_path), BATON_INGEST_DATED_BACK_S="7200") as ingest:
        await ingest.until_ready()
        dated = {"occurred_at": happened_at.isoformat()}
        trusted = await report(ingest, TRUSTED, activity_id="1", **dated)
        other = await report(ingest, OTHER, activity_id="2", **dated)
        assert (trusted.status_code, other.status_code) == (202, 202)
        assert trusted.json()["results"][0]["counts_at"] == happened_at.isoformat().replace("+00:00", "Z")
        assert "counts_at" not in other.json()["results"][0]
        for by, back, status, said in (
            (TRUSTED, 3 * HOUR, 422, "2:00:00"),
            (OTHER, 3 * HOUR, 202, ""),
            (OTHER, -HOUR, 422, "future"),
        ):
            answer = await report(ingest, by, occurred_at=(now() - back).isoformat())
            assert (answer.status_code, said in answer.text) == (status, True)
            if status == 422:
                assert answer.json()["errors"][0]["pointer"] == "/occurred_at"
        events = [received.event for received in await ingest.events(ACTIVITIES, 3)]
    found = {event.activity_id: event for event in events if isinstance(event, ActivityRecorded)}
    assert (found["1"].happened_at, found["1"].occurred_at) == (happened_at, happened_at)
    assert (found["2"].happened_at, found["2"].occurred_at) == (None, happened_at)


async def test_a_call_that_is_reported_late_and_happened_in_time_takes_a_breach_back(stage: Stage) -> None:
    async with stage.monitor():
        stage.mark_from_now_on()
        began_at = now()
        await stage.publish(assigned("ld_1", QUICK), assigned("ld_2", QUICK))
        breached = {each.lead_id: each for each in await stage.wait_for(WindowBreached, 2)}
        in_time = began_at + timedelta(seconds=1)
        call = activity("ld_1", happened_at=in_time)
        await stage.publish(call, activity("ld_2", happened_at=now()))
        [retracted] = await stage.wait_for(BreachRetracted)
        assert (retracted.breach_id, retracted.met_by) == (breached["ld_1"].breach_id, call.activity_id)
        closed = {each.lead_id: each.reason for each in await stage.wait_for(EscalationClosed, 2)}
        assert closed == {"ld_1": "breach retracted", "ld_2": "answered late"}
        later = assigned("ld_1", QUICK, rep="bob", generation=2, assigned_at=call.accepted_at - timedelta(seconds=0.05))
        await stage.publish(later)
        [met] = await stage.wait_for(WindowMet)
        assert (met.generation, met.met_by) == (2, call.activity_id)
    await read_all(stage.bus, stage.database)
    report = await audited(stage.database)
    assert (report.right, report.different, report.not_checked) == (3, 0, {}), report.differences


async def test_what_was_accepted_is_a_duplicate_when_the_sender_repeats_it_after_the_limit(tmp_path: Path) -> None:
    made = {"occurred_at": (now() - HOUR).isoformat()}
    sent = {"activity_id": "1", **made}
    with_key = {"Authorization": f"Bearer {secret(TRUSTED)}", "Idempotency-Key": "batch 7"}
    several = [{"kind": "call", "email": "jo@example.com", **made}] * 2

    async with running(tmp_path, BATON_KEYS=keys_file(tmp_path), BATON_INGEST_DATED_BACK_S="7200") as ingest:
        await ingest.until_ready()
        assert (await report(ingest, TRUSTED, **sent)).json()["results"][0]["status"] == "waiting"
        first = await ingest.client.post("/v1/activities", json=several, headers=with_key)
        assert first.status_code == 202, first.text
    async with running(tmp_path, BATON_KEYS=keys_file(tmp_path), BATON_INGEST_DATED_BACK_S="60") as ingest:
        await ingest.until_ready()
        [again] = (await report(ingest, TRUSTED, **sent)).json()["results"]
        assert (again["status"], again["activity_id"], "counts_at" in again) == ("duplicate", "1", False)
        repeated = await ingest.client.post("/v1/activities", json=several, headers=with_key)
        assert [each["status"] for each in repeated.json()["results"]] == ["duplicate", "duplicate"]

        ordinary = {"kind": "call", "email": "jo@example.com"}
        mixed = [{**ordinary, "activity_id": "new"}, {**ordinary, **sent}, {**ordinary, "activity_id": "2", **made}]
        headers = {"Authorization": with_key["Authorization"]}
        refused = await ingest.client.post("/v1/activities", json=mixed, headers=headers)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/2/occurred_at")
        for what in ({"activity_id": "1", "outcome": "connected", **made}, made):
            answer = await report(ingest, TRUSTED, **what)
            assert (answer.status_code, "0:01" in answer.text) == (422, True), answer.text
        accepted = await ingest.client.post("/v1/activities", json=mixed[:2], headers=headers)
        assert [each["status"] for each in accepted.json()["results"]] == ["waiting", "duplicate"]


async def test_what_was_accepted_is_a_duplicate_though_the_agreement_no_longer_takes_it(tmp_path: Path) -> None:
    file = tmp_path / "the_agreement.yaml"
    file.write_text(agreement_text())
    rejection = {"kind": "rejected", "email": "jo@example.com", "reason": "no_budget", "activity_id": "1"}

    async with running(tmp_path, BATON_AGREEMENT=str(file)) as ingest:
        await ingest.until_ready()
        assert (await ingest.post("/v1/activities", rejection)).json()["results"][0]["status"] == "waiting"
    file.write_text(agreement_text().replace("code: no_budget", "code: no_money"))
    async with running(tmp_path, BATON_AGREEMENT=str(file)) as ingest:
        await ingest.until_ready()
        again = await ingest.post("/v1/activities", rejection)
        assert (again.status_code, again.json()["results"][0]["status"]) == (202, "duplicate")
        other = await ingest.post("/v1/activities", {**rejection, "activity_id": "2"})
        assert other.status_code == 422, other.text
        assert other.json()["errors"][0]["pointer"] == "/reason"
