"""Part of the leads under a draft: for real, or only in addition to what is decided; both arms in the same figures."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import LeadAssigned, PilotArm
from shared.domain.lead import Contact
from tests.kit.agreements import agreement_text
from tests.services.router_kit import Router, activity, inquiry, running

PILOTS = """
pilots:
  - {name: trial, scope: {field: inquiry.campaign, op: is, value: q4-demo}, agreement: draft.yaml, mode: live}
  - {name: stricter, scope: {field: inquiry.campaign, op: missing}, agreement: strict.yaml, mode: shadow}
"""
SHADOW = PILOTS.replace("mode: live", "mode: shadow")


@pytest.fixture
async def router(database: Database, embedded_bus: EmbeddedBus, tmp_path: Path) -> AsyncIterator[Router]:
    file = tmp_path / "agreement.yaml"
    file.write_text(agreement_text() + PILOTS)
    draft = agreement_text(within="5 minutes").replace("agreement: test", "agreement: trial")
    (tmp_path / "draft.yaml").write_text(
        draft.replace("everyone else, to: {pool: benelux}", "trial, to: {pool: alone}")
    )
    (tmp_path / "strict.yaml").write_text(agreement_text(score=60).replace("agreement: test", "agreement: strict"))
    async with running(file, database, embedded_bus) as router:
        yield router


async def test_leads_in_the_scope_of_a_live_pilot_go_by_the_draft_and_their_proof_says_so(router: Router) -> None:
    await router.publish(inquiry(1, campaign="q4-demo"))
    [event] = await router.wait_for(1)
    assert isinstance(event, LeadAssigned)
    assert (event.rep.id, event.rule, event.agreement.name) == ("cleo", "trial", "trial")
    [verdict] = (await router.client.get("/v1/leads/ld_1/proof")).json()["verdicts"]
    assert (verdict["pilot"], verdict["follows"]) == ("trial", True)
    assert event.pilot_arms == (PilotArm("trial", "draft"),)
    await router.publish(inquiry(2, campaign="other"))
    [event] = await router.wait_for(1)
    assert isinstance(event, LeadAssigned)
    assert (event.agreement.name, event.pilot_arms) == ("test", ())
    await router.publish(activity(1, "accepted"))
    await router.lead("ld_1", lambda lead: lead["stage"] == "sal")
    [trial, _] = (await router.client.get("/v1/pilots")).json()["items"]
    arms = trial["arms"]
    assert (trial["mode"], arms["draft"]["leads"], arms["draft"]["accepted_share"]) == ("live", 1, "1.0000")
    assert (arms["draft"]["win_rate"], arms["in_force"]["accepted_share"]) == (None, None)


async def test_a_shadow_only_records_what_the_draft_would_have_decided(router: Router) -> None:
    await router.publish(
        *(inquiry(n) for n in (1, 2)), inquiry(3, contact=Contact(email="d@x.com", seniority="director"))
    )
    decisions = await router.wait_for(3)
    assert [event.TYPE for event in decisions] == ["baton.lead.assigned.v1"] * 3
    assert {event.agreement.name for event in decisions if isinstance(event, LeadAssigned)} == {"test"}
    [_, shadow] = (await router.client.get("/v1/pilots")).json()["items"]
    assert (shadow["arms"]["inquiries"], shadow["arms"]["draft"]) == (3, {"assigned": 1, "rejected": 2})
    assert shadow["arms"]["in_force"] == {"assigned": 3}
    refused = next(each for each in shadow["differing"] if each["verdict"] == "rejected")
    assert refused["reason"] == "score: 40 points, the agreement asks for 60"
    reps = {item["rep"]: item for item in (await router.client.get("/v1/reps")).json()["items"]}
    assert sum(item["open"] for item in reps.values()) == 3
    assert (reps["ann"]["pools"]["benelux"]["turns"], reps["bob"]["pools"]["benelux"]["turns"]) == (2, 1)


async def test_the_arms_of_a_pilot_are_leads_in_its_scope_since_it_began(router: Router, tmp_path: Path) -> None:
    in_scope: dict[str, Any] = {"campaign": "q4-demo"}
    await use(router, tmp_path, "", version=2)
    await router.publish(inquiry(1, **in_scope))
    await router.wait_for(1)
    await use(router, tmp_path, SHADOW, version=3)
    await router.publish(inquiry(2, **in_scope), inquiry(3, campaign="other"), inquiry(4, **in_scope, test=True))
    await router.wait_for(3)
    await use(router, tmp_path, PILOTS, version=4)
    await router.publish(inquiry(5, **in_scope), inquiry(6, campaign="other"), inquiry(7, **in_scope, test=True))
    await router.wait_for(3)
    await router.publish(inquiry(2, 2, **in_scope), inquiry(5, 2, **in_scope))
    await router.wait_for(2)
    await router.publish(activity(2, "rejected", reason="no_budget"), activity(5, "accepted"))
    await router.lead("ld_2", lambda lead: lead["state"] == "closed")
    await router.lead("ld_5", lambda lead: lead["stage"] == "sal")
    [live, _] = (await router.client.get("/v1/pilots")).json()["items"]
    assert {arm: figures["leads"] for arm, figures in live["arms"].items()} == {"draft": 1, "in_force": 1}
    assert [live["arms"][arm]["accepted_share"] for arm in ("draft", "in_force")] == ["1.0000", "0.0000"]
    assert live["arms"]["in_force"]["last_at"] < live["arms"]["draft"]["first_at"] == live["since"]
    await use(router, tmp_path, SHADOW, version=5)
    [shadow, _] = (await router.client.get("/v1/pilots")).json()["items"]
    assert (shadow["decided"], shadow["arms"]["inquiries"]) == (live["arms"], 1)


async def test_without_data_a_share_is_null_and_there_is_no_arm(router: Router) -> None:
    [trial, shadow] = (await router.client.get("/v1/pilots")).json()["items"]
    assert (trial["since"], trial["arms"]) == (None, {})
    assert shadow["arms"] == {"inquiries": 0, "differ": 0, "draft": {}, "in_force": {}}


async def test_a_pilot_turned_to_shadow_no_longer_rules_its_leads(router: Router, tmp_path: Path) -> None:
    await router.publish(inquiry(1, campaign="q4-demo"))
    [first] = await router.wait_for(1)
    assert isinstance(first, LeadAssigned)
    assert (first.rep.id, first.agreement.name) == ("cleo", "trial")
    await use(router, tmp_path, SHADOW, version=2)
    move = {"to": {"pool": "benelux"}, "reason": "the trial is over"}
    moved = await router.client.post("/v1/leads/ld_1/move", json=move)
    assert (moved.json()["owner"]["rep"], moved.json()["agreement"]["name"]) == ("ann", "test")
    [event] = await router.wait_for(1)
    assert isinstance(event, LeadAssigned)
    assert event.pilot_arms == ()
    [trial, _] = (await router.client.get("/v1/pilots")).json()["items"]
    assert [trial["decided"][arm]["leads"] for arm in ("draft", "in_force")] == [1, 0]
    verdicts = (await router.client.get("/v1/leads/ld_1/proof")).json()["verdicts"]
    assert [(verdict["agreement"]["name"], verdict.get("pilot"), verdict["follows"]) for verdict in verdicts] == [
        ("trial", "trial", True),
        ("test", None, True),
    ]


async def use(router: Router, folder: Path, pilots: str, *, version: int) -> None:
    """Let another version of the agreement with these pilots come into force."""
    text = (agreement_text() + pilots).replace("version: 1", f"version: {version}")
    (folder / "agreement.yaml").write_text(text)
    async with asyncio.timeout(60):
        while (await router.client.get("/v1/agreement")).json()["agreement"]["version"] != version:
            await asyncio.sleep(0.02)
