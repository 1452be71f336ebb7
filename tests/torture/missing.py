"""Records that disappear before they are read, and an operator who puts it right with `./baton topics`."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from deploy.local.proxy import ReverseProxy, Service
from deploy.local.service import ROOT
from shared.bus.topics import read_topics
from tests.torture.checker import ASSIGNMENTS, INQUIRIES
from tests.torture.ledger import Record
from tests.torture.records import PLACES, all_records, ends
from tests.torture.rig import KEY, SERVICES, Rig

_LOOK_AGAIN_S = 0.2
_WITHIN_S = 90.0
_READ_INQUIRIES: tuple[Service, ...] = ("router", "delivery", "scoreboard")
_READ_ASSIGNMENTS: tuple[Service, ...] = ("sla_monitor", "delivery", "scoreboard")
_GAPS = sorted(
    (service, f"{place.topic}/{place.partition}")
    for topic, services in ((INQUIRIES, _READ_INQUIRIES), (ASSIGNMENTS, _READ_ASSIGNMENTS))
    for place in PLACES
    for service in services
    if place.topic == topic
)
_LINE = re.compile(r"^(\w+): .*?(baton\.[\w.]+/\d+)")


async def lose_records(rig: Rig) -> list[Record]:
    """Delete assignments and recreate the topic of inquiries while each partition has records that are not read;
    return the records of both from before, once an operator has put it right."""
    async with rig.paused(*_READ_ASSIGNMENTS):
        await _until_each_partition_grew(rig, ASSIGNMENTS)
        async with rig.paused("router"):
            await _until_each_partition_grew(rig, INQUIRIES)
            async with rig.paused("ingest"), _admin(rig) as admin:
                before = await all_records(rig.broker.bootstrap, [ASSIGNMENTS, INQUIRIES])
                until = await ends(rig.broker.bootstrap, [ASSIGNMENTS])
                await admin.delete_records({place: RecordsToDelete(end) for place, end in until.items()})
                await _recreate(admin, INQUIRIES)
    with ReverseProxy(rig.folder / "front", {name: f"127.0.0.1:{rig.ports(name)[0]}" for name in SERVICES}) as front:
        await _until_all_gaps_are_listed(rig, front.url)
        assert b"baton topics missing" in await asyncio.to_thread(rig.processes["router-1"].readiness)
        await _baton(rig, "topics", "resend", "--url", front.url)
        await _baton(rig, "topics", "accept", "--url", front.url)
        assert await _listed(rig, front.url) == []
    return before


async def _until_each_partition_grew(rig: Rig, topic: str) -> None:
    before = await ends(rig.broker.bootstrap, [topic])
    async with asyncio.timeout(_WITHIN_S):
        while any(end == before[place] for place, end in (await ends(rig.broker.bootstrap, [topic])).items()):
            await asyncio.sleep(_LOOK_AGAIN_S)


async def _recreate(admin: AIOKafkaAdminClient, name: str) -> None:
    topic = read_topics()[name]
    config = {**topic.config, "min.insync.replicas": "1"}
    await admin.delete_topics([name])
    # The broker refuses the name for a moment.
    while (await admin.create_topics([NewTopic(name, topic.partitions, 1, topic_configs=config)])).topic_errors[0][1]:
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _until_all_gaps_are_listed(rig: Rig, url: str) -> None:
    listed: list[tuple[str, str]] = []
    try:
        async with asyncio.timeout(_WITHIN_S):
            while listed != _GAPS:
                await asyncio.sleep(_LOOK_AGAIN_S)
                listed = await _listed(rig, url)
    except TimeoutError:
        raise AssertionError(f"of {len(_GAPS)} gaps `topics missing` lists {len(listed)}: {listed}") from None


async def _listed(rig: Rig, url: str) -> list[tuple[str, str]]:
    """Service and partition of each gap that `./baton topics missing` lists."""
    lines = (await _baton(rig, "topics", "missing", "--url", url)).splitlines()
    return sorted((match[1], match[2]) for match in map(_LINE.match, lines) if match)


async def _baton(rig: Rig, *words: str) -> str:
    """What the command prints."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
    environ |= {"BATON_ADMIN_KEY": KEY, "BATON_DATA": str(rig.folder)}
    command = [sys.executable, "-m", "services.cli", *words]
    done = await asyncio.to_thread(
        subprocess.run, command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 or "missing" in words, done.stdout + done.stderr
    return done.stdout


@asynccontextmanager
async def _admin(rig: Rig) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=rig.broker.bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
