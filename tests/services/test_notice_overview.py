"""How notices stand, as the operations board asks, on both databases."""

from datetime import datetime, timedelta
from typing import Any

from services.delivery.domain.due_notices import DueNotice
from services.delivery.service import build
from services.delivery.store.tables import notices
from shared.bus.embedded import EmbeddedBus
from shared.db.bulk import insert_rows, row_of
from shared.db.engine import Database
from shared.runtime.web import Web
from tests.kit.services import client_of, platform_on


def row(name: str, created_at: datetime, **changes: Any) -> dict[str, Any]:
    ordinary: dict[str, Any] = {
        "notice_id": name,
        "event_id": "ev",
        "lead_id": "ld_1",
        "window_id": "wi_1",
        "escalation_id": "es_1",
        "kind": "breach",
        "page": False,
        "role": "ops",
        "person": "bob",
        "promise": "first_response",
        "owner": "ann",
        "agreement": "sha256:a",
        "at": created_at,
        "due_at": created_at,
        "created_at": created_at,
    }
    return row_of(notices, DueNotice(**ordinary | changes))


async def test_the_overview_counts_what_waits_and_what_failed_within_a_day(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    platform = platform_on(database, embedded_bus)
    async with client_of(Web(platform, [build(platform)])) as client:
        before = (await client.get("/v1/notices/overview")).json()
        assert before["summary"] == "No notice is waiting, and none of the last 24 hours failed."
        async with database.begin() as tx:
            now = await database.now(tx)
            ago = [now - timedelta(hours=hours) for hours in range(30)]
            rows = [
                *(row(f"told{n}", ago[n], state="told", channel="slack") for n in range(8)),
                row("failed new", ago[2], state="failed", reason="refused"),
                row("failed old", ago[26], state="failed"),
                row("due", now - timedelta(minutes=1)),
            ]
            await insert_rows(tx, notices, rows)
        found = (await client.get("/v1/notices/overview")).json()
        assert (found["due"], found["failed"]) == (1, 1)
        names = [each["notice_id"] for each in found["latest"]]
        assert names == ["failed new", *(f"told{n}" for n in range(5))]
        assert found["summary"].startswith("1 notice waiting to be sent, the oldest for 6")
        assert found["summary"].endswith("1 notice of the last 24 hours reached no one.")
        assert (await client.get("/v1/notices/overview", headers={"Authorization": "Bearer x"})).status_code == 401
