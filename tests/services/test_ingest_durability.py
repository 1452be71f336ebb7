"""What was answered with 2xx is never lost: with the log away, the disk full, the process killed. Markers are true."""

import asyncio
import os
import signal
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from deploy.local.ports import free_ports
from services.ingest.sources.configuration import load
from services.ingest.spool.file import claim
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import Received, decode
from shared.bus.topics import read_topics
from shared.clock import SystemClock
from shared.domain.errors import Misconfigured
from shared.domain.events import (
    ACTIVITIES,
    INQUIRIES,
    QUARANTINE,
    ActivityRecorded,
    InquiryReceived,
    RecordQuarantined,
    WatermarkAdvanced,
)
from shared.ports import Message, Record
from tests.kit.services import from_start
from tests.kit.waiting import until
from tests.services.ingest_kit import KEY, environ, read_events, running

ROOT = Path(__file__).parents[2]


def lead(number: int) -> dict[str, object]:
    return {"contact": {"email": f"p{number}@example.com"}}


async def test_with_the_log_away_leads_are_accepted_and_all_arrive_in_order_when_it_is_back(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        ingest.bus.away = True
        accepted = []
        for number in range(30):
            answer = await ingest.post("/v1/leads", lead(number % 3) | {"message": str(number)})
            accepted.append(answer.json()["results"][0]["inquiry_id"])
        await ingest.bus.refused.wait()
        assert ingest.bus.published == [] or all(m.topic == ACTIVITIES for m in ingest.bus.published)
        ingest.bus.away = False
        events = [received.event for received in await ingest.events(INQUIRIES, 30)]
    assert {event.inquiry_id for event in events if isinstance(event, InquiryReceived)} == set(accepted)
    by_lead: dict[str, list[str]] = defaultdict(list)
    for event in events:
        assert isinstance(event, InquiryReceived)
        by_lead[event.lead_id].append(event.inquiry_id)
    for ids in by_lead.values():
        assert ids == sorted(ids, key=accepted.index)


async def test_before_its_first_marker_an_instance_is_not_ready_and_takes_leads_only(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, away=True) as ingest:
        await ingest.bus.refused.wait()
        ready = await ingest.client.get("/readyz")
        taken = await ingest.post("/v1/leads", lead(1))
        refused = await ingest.post("/v1/activities", {"kind": "call", "email": "jo@example.com"})
        ingest.bus.away = False
        await ingest.until_ready()
        late = await ingest.post("/v1/activities", {"kind": "call", "email": "jo@example.com"})
    assert ready.status_code == 503
    assert "first marker" in ready.json()["checks"]["ingest.announced"]
    assert (taken.status_code, refused.status_code, late.status_code) == (202, 503, 202)
    assert refused.headers["retry-after"] == "1"


class StandingClock(SystemClock):
    """Its instant does not move, as after a step back."""

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


async def test_markers_of_one_instant_that_say_different_things_have_different_ids(tmp_path: Path) -> None:
    async with running(tmp_path, clock=StandingClock()) as ingest:
        await ingest.until_ready()
        await ingest.post("/v1/leads", lead(1))
        await until(lambda: any(event.inquiries for _, event in _markers(ingest.bus.published)))
        dropped: dict[bytes, set[int]] = defaultdict(set)
        for event_id, event in _markers(ingest.bus.published):
            dropped[event_id].add(event.inquiries)
    assert {tuple(counts) for counts in dropped.values()} == {(0,), (1,)}


async def test_every_activity_is_ahead_of_each_marker_that_covers_it_and_a_clean_stop_signs_off(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        await ingest.until_ready()
        for number in range(150):
            if number % 40 == 20:
                ingest.bus.away = not ingest.bus.away
            activity = {"kind": "call", "email": f"p{number}@example.com"}
            assert (await ingest.post("/v1/activities", activity)).status_code == 202
        ingest.bus.away = False
        await ingest.stop()
        published = [m for m in ingest.bus.published if m.topic == ACTIVITIES]
        partitions = range(ingest.bus.bus.partitions(ACTIVITIES))
        upto: dict[int, WatermarkAdvanced] = {}
        counted = 0
        for message in published:
            event = _event(message)
            if isinstance(event, WatermarkAdvanced):
                assert message.partition is not None
                before = upto.get(message.partition)
                assert before is None or before.upto <= event.upto
                upto[message.partition] = event
            elif isinstance(event, ActivityRecorded):
                counted += 1
                covering = upto.get(ingest.bus.bus.partition_of(ACTIVITIES, message.key))
                assert covering is None or covering.upto <= event.accepted_at
    assert counted == 150
    assert set(upto) == set(partitions)
    assert {marker.state for marker in upto.values()} == {"left"}
    assert len({marker.instance for marker in upto.values()}) == 1


def _markers(messages: Iterable[Message]) -> list[tuple[bytes, WatermarkAdvanced]]:
    found = ((dict(message.headers)["ce_id"], _event(message)) for message in messages)
    return [(event_id, event) for event_id, event in found if isinstance(event, WatermarkAdvanced)]


def _event(message: object) -> object:
    assert hasattr(message, "headers")
    record = Record(message.topic, 0, 0, message.key, message.value, dict(message.headers))  # type: ignore[attr-defined]
    return decode(record).event


async def test_a_fact_that_the_log_will_never_take_is_set_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path, away=True) as ingest:
        before = (await ingest.post("/v1/leads", lead(1))).json()["results"][0]
        too_big = (await ingest.post("/v1/leads", lead(2))).json()["results"][0]
        await ingest.post("/v1/leads", lead(3))
        _grow(tmp_path / "data" / "spool-0.db", too_big["inquiry_id"])
    async with running(tmp_path) as ingest:
        events = [received.event for received in await ingest.events(INQUIRIES, 2)]
        [aside] = [received.event for received in await ingest.events(QUARANTINE, 1)]
        await ingest.until_ready()
        notes = (await ingest.client.get("/readyz")).json()["notes"]
        await ingest.stop()
    assert before["inquiry_id"] in {event.inquiry_id for event in events if isinstance(event, InquiryReceived)}
    assert isinstance(aside, RecordQuarantined)
    assert (aside.code, aside.inquiry_id, aside.record_type) == (
        "Unwritable",
        too_big["inquiry_id"],
        InquiryReceived.TYPE,
    )
    assert aside.origin.startswith("spool:")
    assert aside.origin.endswith("/2")
    assert "too big" in aside.detail
    assert (len(aside.body), (aside.body_bytes or 0) > 3_000_000) == (64 * 1024, True)
    assert "1 facts" in notes["ingest.set_aside"]
    with sqlite3.connect(tmp_path / "data" / "spool-0.db") as sql:
        [(seq, size)] = sql.execute("SELECT seq, length(value) FROM set_aside").fetchall()
    sql.close()
    assert (seq, size > 3_000_000) == (2, True)


async def test_an_activity_that_the_log_will_never_take_leaves_a_mark_that_holds_the_promises_of_its_lead(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as ingest:
        await ingest.until_ready()
        ingest.bus.away = True
        sent = await ingest.post("/v1/activities", {"kind": "call", "activity_id": "a", "email": "jo@example.com"})
        assert sent.status_code == 202
        await ingest.service.drains[-1]()
        ingest.stopped = True
        _grow(tmp_path / "data" / "spool-0.db")
    async with running(tmp_path) as ingest:
        [aside] = [received.event for received in await ingest.events(QUARANTINE, 1)]
        await ingest.stop()
        marks = [m for m in ingest.bus.published if m.topic == ACTIVITIES and m.key == aside.lead_id]
    assert isinstance(aside, RecordQuarantined)
    assert aside.record_type == ActivityRecorded.TYPE
    assert {mark.value for mark in marks} == {b""}


def _grow(spool: Path, fact_id: str | None = None) -> None:
    """Make a stored fact larger than any log takes, as an earlier release could."""
    with sqlite3.connect(spool) as sql:
        sql.execute(
            "UPDATE entries SET value = replace(value, '{', '{\"x\":\"' || ? || '\",') WHERE id = coalesce(?, id)",
            ("\\u0001" * 600_000, fact_id),
        )
    sql.close()


async def test_a_full_disk_is_503_with_retry_after_and_ends_when_there_is_space(tmp_path: Path) -> None:
    async with running(tmp_path, BATON_INGEST_SPOOL_BYTES=str(2**20)) as ingest:
        ingest.bus.away = True
        accepted = []
        answer = await ingest.post("/v1/leads", lead(0))
        while answer.status_code == 202:
            accepted.append(answer.json()["results"][0]["inquiry_id"])
            body = lead(len(accepted)) | {"custom": {"a": ["x" * 16_000] * 8}}
            answer = await ingest.post("/v1/leads", body)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert (await ingest.client.get("/readyz")).status_code == 503
        ingest.bus.away = False

        async def accepts() -> bool:
            return (await ingest.post("/v1/leads", lead(9999))).status_code == 202

        await until(accepts)
        events = await ingest.events(INQUIRIES, len(accepted) + 1)
    arrived = {received.event.inquiry_id for received in events if isinstance(received.event, InquiryReceived)}
    assert set(accepted) <= arrived


async def test_a_process_killed_under_load_loses_no_answered_lead(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    given = {**os.environ, **environ(tmp_path, BATON_PORT=str(port))}
    accepted: set[str] = set()
    for round_ in range(2):
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.ingest", cwd=ROOT, env=given)
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                await _alive(client)
                posting = [asyncio.create_task(_post_until_dead(client, round_ * 10 + n, accepted)) for n in range(8)]
                await _grown(accepted, len(accepted) + 300)
                process.send_signal(signal.SIGKILL)
                await asyncio.gather(*posting)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
    async with running(tmp_path) as ingest:
        await ingest.stop()
    found = await _all_inquiries(tmp_path)
    assert accepted <= {event.event.inquiry_id for event in found if isinstance(event.event, InquiryReceived)}
    assert len(accepted) >= 600


async def _grown(found: set[str], count: int) -> None:
    await until(lambda: len(found) >= count, within_s=30)


async def _alive(client: httpx.AsyncClient) -> None:
    async def answers() -> bool:
        with suppress(httpx.TransportError):
            return (await client.get("/healthz")).status_code == 200
        return False

    await until(answers, within_s=30)


async def _post_until_dead(client: httpx.AsyncClient, poster: int, accepted: set[str]) -> None:
    number = 0
    while True:
        number += 1
        try:
            body = {"contact": {"email": f"p{poster}-{number}@example.com"}}
            answer = await client.post("/v1/leads", json=body, headers={"Authorization": f"Bearer {KEY}"})
        except httpx.TransportError:
            return
        if answer.status_code == 202:
            accepted.add(answer.json()["results"][0]["inquiry_id"])


async def _all_inquiries(folder: Path) -> list[Received]:
    bus = EmbeddedBus(folder / "data" / "log.db", read_topics(), SystemClock())
    await bus.start()
    found = await read_events(bus, INQUIRIES, await _count(bus))
    await bus.close()
    return found


async def _count(bus: EmbeddedBus) -> int:
    subscription = await bus.subscribe(group="counting", topics=[INQUIRIES], positions=from_start)
    count = 0
    while records := await subscription.poll(max_records=5000, wait_s=0.3):
        count += len(records)
    await subscription.close()
    return count


async def test_what_another_process_left_behind_is_relayed_and_signed_off(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "identity.key").write_text("the key of the process that was killed")
    own, _ = claim(tmp_path / "data", max_bytes=2**30)
    own.open("a process that was killed, and whose successor is us")
    async with running(tmp_path, away=True) as other:
        await other.post("/v1/leads", lead(0))
    own.close()
    async with running(tmp_path) as successor:
        [received] = await successor.events(INQUIRIES, 1)
        await until(lambda: any(_left(m) for m in successor.bus.published))
        assert (await successor.post("/v1/leads", lead(1))).status_code == 202
    assert isinstance(received.event, InquiryReceived)


def _left(message: object) -> bool:
    event = _event(message)
    return isinstance(event, WatermarkAdvanced) and event.state == "left"


def test_the_example_of_sources_loads_and_a_file_may_have_none(tmp_path: Path) -> None:
    secrets = {"WEBSITE_TOKEN": "x" * 16, "GOOGLE_DEMO_KEY": "x" * 16}
    assert list(load(ROOT / "deploy" / "sources.example.yaml", secrets)) == ["website", "google-demo"]
    (tmp_path / "none.yaml").write_text("sources: {}\n")
    assert load(tmp_path / "none.yaml", {}) == {}


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("sources: [", 1, "not YAML"),
        ("sources:\n", 2, "must be a mapping"),
        ("a: 1", 1, "one key, 'sources'"),
        ("sources:\n  a: {type: form}\n", 2, "'token_from'"),
        ("sources:\n  a:\n    type: form\n    token_from: hunter2\n", 4, "does not stand in this file"),
        ("sources:\n  a:\n    type: form\n    token_from: env:NOWHERE\n", 4, "has no NOWHERE"),
        ("sources:\n  a:\n    type: form\n    token_from: env:SHORT\n", 4, "16 characters"),
        ("sources:\n  a:\n    type: form\n    public: true\n    colour: red\n", 5, "colour"),
        ("sources:\n  a:\n    type: fax\n", 3, "fax"),
        ("sources:\n  A b: {type: form, public: true}\n", 2, "part of its URL"),
        ("sources:\n  a: {type: form, public: true}\n  a: {type: form, public: true}\n", 3, "twice"),
        ("sources:\n  a:\n    type: form\n    public: true\n    origins: [https://a.example/x]\n", 5, "no origin"),
        ("sources:\n  a:\n    type: form\n    public: true\n    thank_you: [/thanks]\n", 5, "Write it whole"),
        ("sources:\n  a:\n    type: form\n    public: true\n    fields: {mail: x}\n", 5, "no field 'mail'"),
        ("sources:\n  a:\n    type: google_ads\n    key_from: []\n", 4, "at least one key"),
        ("sources:\n  a:\n    type: google_ads\n    key_from: file:/nowhere\n", 4, "can't be read"),
    ],
)
def test_a_wrong_file_of_sources_is_refused_at_its_line(tmp_path: Path, text: str, line: int, what: str) -> None:
    path = tmp_path / "sources.yaml"
    path.write_text(text)
    with pytest.raises(Misconfigured) as wrong:
        load(path, {"SHORT": "short"})
    assert wrong.value.detail.startswith(f"{path}:{line}: ")
    assert what in wrong.value.detail
