"""A draft is tried on the past from the agreement's page; nothing is changed by that."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from tests.kit.agreements import agreement_text
from tests.services.router_kit import Router, inquiry, running

DRAFT = agreement_text(score=60).replace("version: 1", "version: 2")
YAML = {"content-type": "application/yaml"}


@pytest.fixture
async def router(database: Database, embedded_bus: EmbeddedBus, tmp_path: Path) -> AsyncIterator[Router]:
    file = tmp_path / "agreement.yaml"
    file.write_text(agreement_text())
    async with running(file, database, embedded_bus) as router:
        await router.publish(*(inquiry(n) for n in range(1, 6)))
        await router.wait_for(5)
        yield router


async def test_the_same_words_change_nothing_and_a_higher_threshold_turns_down_those_below_it(router: Router) -> None:
    same = agreement_text().replace("version: 1", "version: 2")
    nothing = await router.client.post("/v1/agreement/simulations", content=same, headers=YAML)
    assert (nothing.status_code, nothing.json()["leads"], nothing.json()["differ"]) == (200, 5, 0)
    stricter = (await router.client.post("/v1/agreement/simulations", content=DRAFT, headers=YAML)).json()
    assert (stricter["leads"], stricter["differ"]) == (5, 5)
    assert {found["after"]["state"] for found in stricter["first"]} == {"rejected"}
    lead = (await router.client.get("/v1/leads/ld_1")).json()
    assert lead["state"] == "assigned"


async def test_a_draft_that_does_not_load_is_refused_with_its_lines_and_other_types_too(
    router: Router,
) -> None:
    wrong = await router.client.post("/v1/agreement/simulations", content="agreement: x\n", headers=YAML)
    assert wrong.status_code == 422
    assert "draft.yaml:1:1: `version` is missing" in wrong.json()["detail"]
    form = await router.client.post("/v1/agreement/simulations", content="a=b", headers={"content-type": "text/plain"})
    assert form.status_code == 415


async def test_a_large_draft_holds_up_no_other_request_and_is_answered_with_its_first_findings(router: Router) -> None:
    flat = "\n".join(f"key{n}: {n}" for n in range(2_000))
    simulation = asyncio.create_task(router.client.post("/v1/agreement/simulations", content=flat, headers=YAML))
    answered = 0
    while not (await asyncio.wait({simulation}, timeout=0.05))[0]:
        assert (await router.client.get("/v1/leads/ld_1")).status_code == 200
        answered += 1
    answer = await simulation
    assert answer.status_code == 422
    assert answer.json()["detail"].count("\n") == 50
    assert answer.json()["detail"].endswith("more")
    assert answered > 2
    large = await router.client.post("/v1/agreement/simulations", content="#" * 300_000, headers=YAML)
    assert large.status_code == 413
