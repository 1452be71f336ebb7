"""Ladders on a real log and either database: forgotten acknowledgements, and the end of a ladder."""

from collections.abc import AsyncIterator

import pytest

from shared import agreement_file
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import EscalationAcknowledged, EscalationClosed, EscalationExhausted, EscalationRaised
from tests.kit.agreements import agreement_text
from tests.services.sla_monitor_kit import Stage, activity, assigned, stage_on

FORGOTTEN = agreement_file.parse(
    agreement_text(within="1 second").partition("ladders:")[0]
    + "ladders: {response: [{at: 0 seconds, tell: [rep]}, {repeat: 1 time, every: 3 seconds}]}\n",
    "forgotten.yaml",
).agreement


@pytest.fixture
async def stage(database: Database, embedded_bus: EmbeddedBus) -> AsyncIterator[Stage]:
    async with stage_on(database, embedded_bus, FORGOTTEN) as stage:
        yield stage


async def test_an_acknowledged_and_forgotten_escalation_fires_again_and_is_exhausted_at_last(stage: Stage) -> None:
    async with stage.monitor() as client:
        stage.mark_from_now_on()
        await stage.publish(assigned(deal=FORGOTTEN))
        [raised] = await stage.wait_for(EscalationRaised)
        url = f"/v1/escalations/{raised.escalation_id}/acknowledge"
        answer = await client.post(url, json={"by": "mia", "for": "1 second"})
        assert answer.status_code == 200, answer.text
        again = (await stage.wait_for(EscalationRaised, 3))[1:]
        assert [(event.because, event.to) for event in again] == [
            ("acknowledgement_ended", raised.to),
            (None, raised.to),
        ]
        [taken] = await stage.wait_for(EscalationAcknowledged)
        assert again[0].due_at == taken.until
        [over] = await stage.wait_for(EscalationExhausted)
        assert (over.escalation_id, over.notify) == (raised.escalation_id, ("rep",))
        page = (await client.get("/v1/escalations", params={"state": "exhausted"})).json()
        assert [item["state"] for item in page["items"]] == ["exhausted"]
        await stage.publish(activity())
        assert [event.reason for event in await stage.wait_for(EscalationClosed)] == ["answered late"]
