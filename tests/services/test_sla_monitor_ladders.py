"""Ladders on a real log and either database: forgotten acknowledgements, silences, who is on duty, and the end."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared import agreement_file
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import (
    EscalationAcknowledged,
    EscalationClosed,
    EscalationExhausted,
    EscalationRaised,
    Recipient,
)
from tests.kit.agreements import agreement_text
from tests.services.sla_monitor_kit import DEAL as PROBES
from tests.services.sla_monitor_kit import Stage, StoppedClock, activity, assigned, now, stage_on

FORGOTTEN = agreement_file.parse(
    agreement_text(within="1 second").partition("ladders:")[0]
    + "ladders: {response: [{at: 0 seconds, tell: [rep]}, {repeat: 1 time, every: 1 hour}]}\n",
    "forgotten.yaml",
).agreement
STAFFED = agreement_file.parse(
    agreement_text(within="1 second").partition("ladders:")[0].replace("version: 1", "version: 2")
    + """\
ladders: {response: [{at: 0 seconds, page: true}]}
duty: {ops: {rota: [ann], turn: week, starts: 2099-01-01}}
""",
    "staffed.yaml",
).agreement


@pytest.fixture
async def stage(database: Database, embedded_bus: EmbeddedBus) -> AsyncIterator[Stage]:
    async with stage_on(database, embedded_bus, FORGOTTEN, STAFFED, PROBES) as stage:
        yield stage


async def test_an_acknowledged_and_forgotten_escalation_fires_again_and_is_exhausted_at_last(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StoppedClock(stage, monkeypatch)
    async with stage.monitor() as client:
        await stage.publish(assigned(deal=FORGOTTEN, assigned_at=clock.now))
        await clock.pass_by(seconds=2)
        [raised] = await stage.wait_for(EscalationRaised)
        url = f"/v1/escalations/{raised.escalation_id}/acknowledge"
        answer = await client.post(url, json={"by": "mia", "for": "30 minutes"})
        assert answer.status_code == 200, answer.text
        await clock.pass_by(minutes=31)
        await stage.wait_for(EscalationRaised, 2)
        await clock.pass_by(minutes=30)
        again = (await stage.wait_for(EscalationRaised, 3))[1:]
        assert [(event.because, event.to) for event in again] == [
            ("acknowledgement_ended", raised.to),
            (None, raised.to),
        ]
        [taken] = await stage.wait_for(EscalationAcknowledged)
        assert again[0].due_at == taken.until
        await clock.pass_by(minutes=61)
        [over] = await stage.wait_for(EscalationExhausted)
        assert (over.escalation_id, over.notify) == (raised.escalation_id, ("rep",))
        page = (await client.get("/v1/escalations", params={"state": "exhausted"})).json()
        assert [item["state"] for item in page["items"]] == ["exhausted"]
        await stage.publish(activity(at=clock.now))
        assert [event.reason for event in await stage.wait_for(EscalationClosed)] == ["answered late"]


async def test_a_silence_keeps_a_breach_quiet_until_it_is_ended(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StoppedClock(stage, monkeypatch)
    async with stage.monitor() as client:
        ends_at = (clock.now + timedelta(hours=2)).isoformat()
        body = {"by": "MIA@acme.example", "reason": "the CRM moves", "until": ends_at, "matches": {"owner": "ann"}}
        made = (await client.post("/v1/silences", json=body)).json()
        assert (made["by"], made["owner"], made["state"]) == ("mia", "ann", "active")
        await stage.publish(assigned(deal=FORGOTTEN, assigned_at=clock.now))
        await clock.pass_by(seconds=2)
        [raised] = await stage.wait_for(EscalationRaised)
        assert (raised.to, raised.skipped, raised.page) == ((), "silenced: the CRM moves", False)
        active = (await client.get("/v1/silences", params={"state": "active"})).json()["items"]
        assert [each["silence_id"] for each in active] == [made["silence_id"]]
        ended = await client.post(f"/v1/silences/{made['silence_id']}/end", json={"by": "ann"})
        assert (ended.status_code, ended.json()["state"], ended.json()["ended_by"]) == (200, "over", "ann")
        await clock.pass_by(seconds=1)
        loud = (await stage.wait_for(EscalationRaised, 2))[1]
        assert (loud.because, loud.to) == ("silence_ended", (Recipient("rep", "ann"),))
        again = await client.post(f"/v1/silences/{made['silence_id']}/end", json={"by": "ann"})
        assert again.status_code == 409
        assert (await client.post("/v1/silences/none/end", json={"by": "ann"})).status_code == 404
        assert (await client.get("/v1/silences", params={"state": "active"})).json()["items"] == []


async def test_a_silence_without_an_end_a_reason_or_a_known_name_is_refused(stage: Stage) -> None:
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"until": None}, "/until", "A silence needs an end"),
        ({"until": timedelta(days=31)}, "/until", "at most 30 days"),
        ({"until": timedelta(days=-1)}, "/until", "over before it begins"),
        ({"from": timedelta(days=3), "until": timedelta(days=2)}, "/until", "over before it begins"),
        ({"reason": None}, "/reason", "required"),
        ({"by": None}, "/by", "required"),
        ({"by": "nobody-known"}, "/by", "Unknown person"),
        ({"matches": {"promise": "nothing"}}, "/matches/promise", "Unknown promise"),
        ({"matches": {"pool": "nothing"}}, "/matches/pool", "Unknown pool"),
        ({"matches": {"owner": "nobody-known"}}, "/matches/owner", "Unknown person"),
        ({"matches": {"who": "ann"}}, "/matches/who", ""),
    ]
    async with stage.monitor() as client:
        for change, pointer, says in wrong:
            whole = {"by": "mia", "reason": "the CRM moves", "until": timedelta(days=1), **change}
            written = {
                name: (now() + value).isoformat() if isinstance(value, timedelta) else value
                for name, value in whole.items()
            }
            body = {name: value for name, value in written.items() if value is not None}
            answer = await client.post("/v1/silences", json=body)
            assert answer.status_code == 422, change
            [error] = answer.json().get("errors", [answer.json()])
            assert error["pointer"] == pointer
            assert says.casefold() in error["detail"].casefold()
        assert (await client.get("/v1/silences")).json()["items"] == []


async def test_an_override_puts_someone_on_duty_and_its_deletion_takes_them_off(stage: Stage) -> None:
    async with stage.monitor() as client:
        stage.mark_from_now_on()
        await stage.publish(assigned("ld_0", deal=STAFFED))
        [alone] = await stage.wait_for(EscalationRaised)
        assert (alone.to, alone.skipped) == ((), "nobody on duty")
        ends_at = now() + timedelta(hours=8)
        made = await client.post(
            "/v1/duty/ops/overrides", json={"who": "bob@acme.example", "to": ends_at.isoformat(), "by": "mia"}
        )
        assert (made.status_code, made.json()["person"], made.json()["by"]) == (201, "bob", "mia")
        await stage.publish(assigned("ld_1", deal=STAFFED))
        paged = (await stage.wait_for(EscalationRaised, 2))[1]
        assert (paged.to, paged.page) == ((Recipient("ops", "bob"),), True)
        [duty] = (await client.get("/v1/duty")).json()["items"]
        assert (duty["role"], duty["person"], len(duty["overrides"]), len(duty["gaps"])) == ("ops", "bob", 1, 1)
        assert abs(datetime.fromisoformat(duty["until_at"]) - ends_at) < timedelta(seconds=1)
        url = f"/v1/duty/ops/overrides/{made.json()['override_id']}"
        assert [(await client.delete(url)).status_code for _ in range(2)] == [204, 404]
        [duty] = (await client.get("/v1/duty")).json()["items"]
        assert (duty["person"], duty["overrides"]) == (None, [])
        assert (await client.get("/v1/duty/ops/overrides")).json()["items"] == []


async def test_an_override_of_an_unknown_role_or_person_or_in_the_past_is_refused(stage: Stage) -> None:
    wrong: list[tuple[str, dict[str, str]]] = [
        ("ops", {"who": "nobody-known"}),
        ("ops", {"by": "nobody-known"}),
        ("ops", {"to": "2026-01-01T00:00:00Z"}),
        ("ops", {"to": "2099-01-01"}),
        ("rep", {}),
        ("nothing", {}),
    ]
    async with stage.monitor() as client:
        for role, change in wrong:
            body = {"who": "bob", "to": "2099-01-01T00:00:00Z", "by": "mia"} | change
            answer = await client.post(f"/v1/duty/{role}/overrides", json=body)
            assert answer.status_code == 422, (role, change)
