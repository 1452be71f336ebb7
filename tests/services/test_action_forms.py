"""The forms behind links in messages act on a real spool and on either database, once."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from shared.bus.embedded import EmbeddedBus
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.domain.action_links import Action, Grant, key_of, signed
from shared.domain.events import ACTIVITIES, ActivityRecorded, EscalationAcknowledged, EscalationRaised
from tests.services.ingest_kit import KEY, running
from tests.services.sla_monitor_kit import Stage, assigned, stage_on

JO = {"contact": {"email": "jo@example.com"}}
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "null", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def stage(database: Database, embedded_bus: EmbeddedBus) -> AsyncIterator[Stage]:
    async with stage_on(database, embedded_bus) as made:
        yield made


async def post(
    client: httpx.AsyncClient, key: str, path: str, action: Action, subject: str, person: str = "ann", **fields: str
) -> httpx.Response:
    until = int(SystemClock().now().timestamp()) + 60
    grant = signed(key_of(key), Grant("nt_1", action, subject, person, until))
    client.headers.pop("authorization", None)
    return await client.post(path, content=urlencode({"grant": grant, **fields}), headers=FORM)


async def test_a_lead_is_accepted_and_rejected_once_by_the_person_of_the_link(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        lead_id = (await ingest.post("/v1/leads", JO)).json()["results"][0]["lead_id"]
        await ingest.until_ready()
        shown = []
        sent: list[tuple[Action, dict[str, str]]] = [
            ("accept", {}),
            ("accept", {}),
            ("reject", {"reason": "bored"}),
            ("reject", {"reason": "other", "text": " "}),
            ("reject", {"reason": "other", "text": "Not now\x00"}),
            ("reject", {"reason": "other", "text": "Never"}),
        ]
        for action, fields in sent:
            answer = await post(ingest.client, KEY, "/act/lead", action, lead_id, **fields)
            shown.append((answer.status_code, answer.text.partition("<p>")[2].partition("</p>")[0]))
        wrong = await post(ingest.client, KEY, "/act/lead", "acknowledge", lead_id)
        stranger = await post(ingest.client, KEY, "/act/lead", "accept", lead_id, person="zoe")
        forged = await post(ingest.client, "bk_of_someone_else", "/act/lead", "accept", lead_id)
        read = await ingest.client.get("/act/lead")
        events = [received.event for received in await ingest.events(ACTIVITIES, 2)]
    assert shown[:2] == [(200, "You accepted the lead."), (200, "You accepted this lead already.")]
    assert [status for status, _ in shown[2:]] == [422, 422, 200, 200]
    assert "Unknown reject reason" in shown[2][1]
    assert shown[4:] == [
        (200, "You rejected the lead."),
        (200, "This link was used before, with another reason. The first one counts."),
    ]
    assert (wrong.status_code, stranger.status_code, forged.status_code, read.status_code) == (410, 422, 410, 404)
    assert [(e.kind, e.by, e.reason) for e in events if isinstance(e, ActivityRecorded)] == [
        ("accepted", "ann", None),
        ("rejected", "ann", "other"),
    ]


async def test_an_escalation_is_acknowledged_once_by_the_person_of_the_link(stage: Stage) -> None:
    async with stage.monitor() as client:
        stage.mark_from_now_on()
        await stage.publish(assigned())
        [raised] = await stage.wait_for(EscalationRaised)
        path, escalation = "/act/escalation", raised.escalation_id
        first = await post(client, "admin-key", path, "acknowledge", escalation, "mia", **{"for": "30 minutes"})
        again = await post(client, "admin-key", path, "acknowledge", escalation, "mia", **{"for": "4 hours"})
        gone = await post(client, "admin-key", path, "acknowledge", "nope", "mia")
        odd = await post(client, "admin-key", path, "acknowledge", escalation, "mia", **{"for": "a while"})
        [event] = await stage.wait_for(EscalationAcknowledged)
    assert (first.status_code, "You acknowledged it for 30 minutes." in first.text) == (200, True)
    assert (again.status_code, "already" in again.text) == (200, True)
    assert (gone.status_code, odd.status_code) == (404, 422)
    assert event.by == "mia"
    assert event.until is not None
    assert (event.until - event.at).total_seconds() == 1800
