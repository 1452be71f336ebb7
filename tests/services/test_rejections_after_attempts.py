"""A reject reason that asks for attempts is refused while they are surely missing: in the API and behind a link."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from services.sla_monitor.service import build
from shared import agreement_file, metrics
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.domain.action_links import Grant, key_of, signed
from shared.domain.agreement import Agreement
from tests.kit import services
from tests.kit.agreements import agreement_text
from tests.kit.services import platform_on
from tests.kit.subscribers import serving
from tests.kit.waiting import until
from tests.services.ingest_kit import KEY, Running, running
from tests.services.sla_monitor_kit import assigned, store

_PROMISES = "met_by: [call, email, meeting], ladder: response}"
_ATTEMPTS = "    attempts: {at_least: 3, within: 5 business days, met_by: [call, email], ladder: response}"
TEXT = (
    agreement_text()
    .replace(_PROMISES, f"{_PROMISES}\n{_ATTEMPTS}")
    .replace("- {code: no_budget}", "- {code: no_budget}\n    - {code: unreachable, only_after: attempts}")
)
DEAL: Agreement = agreement_file.parse(TEXT, "test.yaml").agreement
UNREACHABLE = {"kind": "rejected", "reason": "unreachable", "by": "ann"}


@asynccontextmanager
async def ingest_on(folder: Path, port: int) -> AsyncIterator[Running]:
    """Ingest, which asks a monitor on this port."""
    (folder / "deal.yaml").write_text(TEXT)
    agreement, url = str(folder / "deal.yaml"), f"http://127.0.0.1:{port}"
    async with running(folder, BATON_AGREEMENT=agreement, BATON_INGEST_MONITOR_URL=url) as ingest:
        await ingest.until_ready()
        yield ingest


@asynccontextmanager
async def monitor_on(database: Database, ingest: Running, listener: socket.socket) -> AsyncIterator[httpx.AsyncClient]:
    """A monitor that reads what ingest writes and answers here."""
    platform = platform_on(database, ingest.bus.bus, BATON_ADMIN_KEY=KEY, BATON_SLA_MONITOR_TOLERANCE_S="0.2")
    auth = {"Authorization": f"Bearer {KEY}"}
    async with (
        services.running(platform, build(platform)) as web,
        serving(web, listener) as url,
        httpx.AsyncClient(base_url=url, headers=auth) as client,
    ):
        yield client


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port of this machine that nobody else gets."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


async def lead_of(ingest: Running, email: str) -> str:
    answer = await ingest.post("/v1/leads", {"contact": {"email": email}})
    return str(answer.json()["results"][0]["lead_id"])


async def act(ingest: Running, lead_id: str, *activities: dict[str, str]) -> httpx.Response:
    return await ingest.post("/v1/activities", [{"lead_id": lead_id, **each} for each in activities])


async def reject_by_link(ingest: Running, lead_id: str) -> httpx.Response:
    until_s = int(SystemClock().now().timestamp()) + 60
    grant = signed(key_of(KEY), Grant("nt_1", "reject", lead_id, "ann", until_s))
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    body = urlencode({"grant": grant, "reason": "unreachable"})
    return await ingest.client.post("/act/lead", content=body, headers=headers)


async def test_a_rejection_that_asks_for_attempts_is_refused_until_they_are_recorded(
    database: Database, tmp_path: Path, listener: socket.socket
) -> None:
    await store(database, DEAL)
    async with (
        ingest_on(tmp_path, listener.getsockname()[1]) as ingest,
        monitor_on(database, ingest, listener) as monitor,
    ):
        lead_id = await lead_of(ingest, "jo@example.com")
        await services.publish(ingest.bus.bus, assigned(lead_id, DEAL))

        async def known() -> bool:
            return (await monitor.get(f"/v1/leads/{lead_id}/attempts")).status_code == 200

        await until(known)
        none = await act(ingest, lead_id, UNREACHABLE)
        alone = await ingest.post("/v1/activities", {"lead_id": lead_id, **UNREACHABLE})
        other = await act(ingest, lead_id, {"kind": "rejected", "reason": "other", "text": " "})
        # Each is known at once, although the monitor reads it later.
        await act(ingest, lead_id, {"kind": "call", "outcome": "no_answer", "by": "ann"})
        one = await act(ingest, lead_id, UNREACHABLE)
        failed = await act(ingest, lead_id, {"kind": "email", "outcome": "bounced"}, UNREACHABLE)
        linked = await reject_by_link(ingest, lead_id)
        tried = ({"kind": "email"}, {"kind": "call", "text": "again"})
        enough = await act(ingest, lead_id, *tried, {**UNREACHABLE, "activity_id": "r1"})
        repeated = await act(ingest, lead_id, {**UNREACHABLE, "activity_id": "r1"})
        stranger = await act(ingest, await lead_of(ingest, "al@example.com"), UNREACHABLE)
    assert (none.status_code, none.json()["errors"][0]["pointer"]) == (422, "/0/reason")
    assert (alone.status_code, alone.json()["errors"][0]["pointer"]) == (422, "/reason")
    assert none.json()["detail"] == (
        "0 of 3 attempts recorded; the reject reason 'unreachable' may be used only after the promised attempts. "
        "Record 3 more (call, email), or choose another reason."
    )
    assert "needs a sentence" in other.json()["detail"]
    assert (one.status_code, one.json()["detail"][:27]) == (422, "1 of 3 attempts recorded; t")
    assert (failed.status_code, failed.json()["detail"][:8]) == (422, "1 of 3 a")
    assert failed.json()["errors"][0]["pointer"] == "/1/reason"
    assert linked.status_code == 422
    assert "Nothing was changed" in linked.text
    assert "1 of 3 attempts recorded" in linked.text
    assert enough.status_code == 202
    assert repeated.json()["results"][0]["status"] == "duplicate"
    # Nothing is promised on a lead that is nobody's.
    assert stranger.status_code == 202


async def test_a_rejection_is_accepted_and_counted_while_the_monitor_is_away(
    tmp_path: Path, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    listener.close()
    before = metrics.rejections_unchecked._value.get()
    async with ingest_on(tmp_path, port) as ingest:
        accepted = await act(ingest, await lead_of(ingest, "jo@example.com"), UNREACHABLE)
    assert accepted.status_code == 202
    assert metrics.rejections_unchecked._value.get() == before + 1
