"""What an operator sees and is told about reps who are away or have no calendar, on both databases."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import LeadAssigned, LeadReassigned
from tests.services.router_kit import TEAM, Router, running, stranger


@pytest.fixture
async def router(database: Database, embedded_bus: EmbeddedBus, tmp_path: Path) -> AsyncIterator[Router]:
    file = tmp_path / "agreement.yaml"
    file.write_text(TEAM.replace("email: cleo@acme.example, calendar: always,", "email: cleo@acme.example,"))
    async with running(file, database, embedded_bus) as router:
        yield router


async def reps_of(router: Router) -> dict[str, dict[str, object]]:
    return {item["rep"]: item for item in (await router.client.get("/v1/reps")).json()["items"]}


async def test_a_hold_until_an_instant_that_has_passed_is_refused(router: Router) -> None:
    hold = {"state": "hold", "until": (datetime.now(UTC) - timedelta(seconds=1)).isoformat()}
    answer = await router.client.put("/v1/reps/ann/availability", json=hold)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/until")
    released = {"state": "available", "until": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    assert (await router.client.put("/v1/reps/ann/availability", json=released)).status_code == 422
    assert (await reps_of(router))["ann"]["hold"] is None


async def test_moving_a_lead_to_a_rep_on_leave_is_done_with_a_warning(router: Router) -> None:
    await router.publish(stranger(1))
    [first] = await router.wait_for(1)
    assert isinstance(first, LeadAssigned)
    assert (first.rep.id, first.owner_away) == ("ann", None)
    today = datetime.now(UTC).date()
    off = {"first": (today - timedelta(days=1)).isoformat(), "last": (today + timedelta(days=20)).isoformat()}
    await router.client.put("/v1/reps/bob/leave", json={"leave": [off]})
    to_bob = {"to": {"rep": "bob"}, "reason": "knows them", "by": "mia"}
    moved = await router.client.post("/v1/leads/ld_1/move", json=to_bob)
    away = f"on leave until {today + timedelta(days=21)} 00:00"
    assert (moved.status_code, moved.json()["warning"]) == (200, f"bob is {away}; the clock waits.")
    [event] = await router.wait_for(1)
    assert isinstance(event, LeadReassigned)
    assert event.owner_away == away
    verdict = (await router.client.get("/v1/leads/ld_1/proof")).json()["verdicts"][-1]
    assert (verdict["reason"], verdict["follows"]) == (
        f"moved by mia: knows them; mia gave it to bob, who is {away}",
        True,
    )
    back = await router.client.post("/v1/leads/ld_1/move", json={"to": {"rep": "ann"}, "reason": "there"})
    assert "warning" not in back.json()


async def test_a_member_without_a_calendar_is_listed_and_can_be_given_a_lead(router: Router) -> None:
    await router.publish(stranger(1))
    await router.wait_for(1)
    assert (await reps_of(router))["ann"]["new_today"] == 1
    moved = await router.client.post("/v1/leads/ld_1/move", json={"to": {"rep": "cleo"}, "reason": "knows them"})
    assert moved.json()["owner"]["rep"] == "cleo"
    cleo = (await reps_of(router))["cleo"]
    assert (cleo["available"], cleo["open"], cleo["new_today"], list(cleo["pools"])) == (True, 1, 1, ["inside"])  # type: ignore[call-overload]
